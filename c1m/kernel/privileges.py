"""Says what this process lacks where the kernel answered EACCES or EPERM. Root is not told that it needs root."""

from __future__ import annotations

import os
import re
from typing import Final

from .host import read_text

CAP_DAC_OVERRIDE: Final = 1  # bits of linux/capability.h
CAP_NET_ADMIN: Final = 12
CAP_SYS_PTRACE: Final = 19
CAP_SYS_ADMIN: Final = 21

NAMES: Final = {
    CAP_DAC_OVERRIDE: "CAP_DAC_OVERRIDE",
    CAP_NET_ADMIN: "CAP_NET_ADMIN",
    CAP_SYS_PTRACE: "CAP_SYS_PTRACE",
    CAP_SYS_ADMIN: "CAP_SYS_ADMIN",
}
WHOLE_RANGE: Final = ["0", "0", "4294967295"]  # the uid_map of the host's own user namespace


def why_denied(capability: int) -> str:
    """Return what is missing, as the part of a sentence. ``capability``: the one that root uses for this."""
    if os.geteuid() != 0:
        return "needs root"
    return why_root_is_denied(capability, read_text("/proc/self/uid_map") or "", read_text("/proc/self/status") or "")


def why_root_is_denied(capability: int, uid_map: str, status: str) -> str:
    """Return what root lacks. ``uid_map``, ``status``: the texts of these files of /proc/PID."""
    if uid_map and uid_map.split() != WHOLE_RANGE:
        return "needs root of the host, and this is root of a user namespace, as in a rootless container"
    if not effective(status) >> capability & 1:
        return f"needs {NAMES[capability]}, which root has lost here, as in a container or a unit; add it"
    return "is forbidden here even to root, by the container's runtime or a security module (AppArmor, SELinux, seccomp)"


def effective(status: str) -> int:
    """Return the effective capabilities in the text of /proc/PID/status as bits; 0 for text of another form."""
    found = re.search(r"^CapEff:\s+([0-9a-f]{16})$", status, re.MULTILINE)
    return int(found[1], 16) if found else 0
