"""Reads and writes /proc/sys. What was written has to be read back: the kernel may take less, or something else."""

from __future__ import annotations

import errno
import os
from typing import Final

from c1m.limits.sysctls import SYSCTLS, SysctlScope, path_of

from .host import read_text

_READ_ONLY: Final = "/proc/sys is read-only here, as in a container; set it where that is started"
_HOSTS: Final = "it is the host's, and only its first network namespace writes it; set it on the host itself, as root"


def read_sysctl(name: str) -> str | None:
    """Its words with one blank between; None where it is absent or unreadable."""
    text = read_text(path_of(name))
    return None if text is None else " ".join(text.split())


def write_sysctl(name: str, value: str) -> str:
    """Why it could not be written; empty when the kernel said nothing against it."""
    try:
        # Not open(): a file's buffer is written when it is closed, and the kernel's answer would come from there.
        descriptor = os.open(path_of(name), os.O_WRONLY)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        return why_not(name, error)
    return ""


def why_not(name: str, error: OSError) -> str:
    said = error.strerror or str(error)
    if error.errno == errno.EROFS:
        return _READ_ONLY
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{said}: {_HOSTS if SYSCTLS[name] is SysctlScope.SHOWN else 'that takes root'}"
    return said
