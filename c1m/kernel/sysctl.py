"""Reads and writes /proc/sys. Read a value back after writing: the kernel may round it down or change it."""

from __future__ import annotations

import errno
import os
from typing import Final

from c1m.limits.sysctls import SYSCTLS, SysctlScope, path_of

from .host import read_text
from .limits import CAP_NET_ADMIN, CAP_SYS_ADMIN, why_denied

_READ_ONLY: Final = "/proc/sys is read-only here, as in a container; set it where the container is started"
_HOSTS: Final = "only the host's first network namespace can write it; set it on the host itself, as root"


def read_sysctl(name: str) -> str | None:
    """Return the text of a sysctl, its words separated by one blank. None if the sysctl is absent or unreadable."""
    text = read_text(path_of(name))
    return None if text is None else " ".join(text.split())


def write_sysctl(name: str, value: str) -> str:
    """Write a value to a sysctl and return the reason if that failed, or "" if the kernel reported no error."""
    try:
        # Not open(): it would write its buffer on close, and the kernel's error would come from there.
        descriptor = os.open(path_of(name), os.O_WRONLY)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        return why_not(name, error)
    return ""


def why_not(name: str, error: OSError) -> str:
    """Return a sentence that says why a sysctl could not be written, with the cure, for the error that the kernel reported."""
    reason = error.strerror or str(error)
    if error.errno == errno.EROFS:
        return _READ_ONLY
    if error.errno in (errno.EACCES, errno.EPERM):
        if SYSCTLS[name] is SysctlScope.SHOWN:
            return f"{reason}: {_HOSTS}"
        return f"{reason}: {why_denied(CAP_NET_ADMIN if SYSCTLS[name] is SysctlScope.NAMESPACE else CAP_SYS_ADMIN)}"
    return reason
