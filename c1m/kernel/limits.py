"""Reads the limits of this process that are not sysctls, and explains why a limit cannot be read.

Root is not told that it needs root, but what it lacks.
"""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path
from typing import Final

from c1m.limits.limit import NO_LIMIT
from c1m.limits.sysctls import SYSCTLS, SysctlScope, path_of

from . import meminfo
from .cgroup import own_directories, read_cgroup_pids
from .host import read_int, read_text

# The capabilities that exempt a process from limits, and their bits (linux/capability.h).
CAPABILITIES: Final = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24}

CAP_DAC_OVERRIDE: Final = "CAP_DAC_OVERRIDE"
CAP_NET_ADMIN: Final = "CAP_NET_ADMIN"
CAP_SYS_PTRACE: Final = "CAP_SYS_PTRACE"
CAP_SYS_ADMIN: Final = "CAP_SYS_ADMIN"
BITS: Final = {CAP_DAC_OVERRIDE: 1, CAP_NET_ADMIN: 12, CAP_SYS_PTRACE: 19, CAP_SYS_ADMIN: 21}  # linux/capability.h
WHOLE_RANGE: Final = ["0", "0", "4294967295"]  # the uid_map of the host's own user namespace

_WHY: Final = {
    SysctlScope.HIDDEN: "{name} belongs to the host and is not visible in this network namespace; read it on the host itself",
    SysctlScope.SHOWN: "this kernel has no {name}, or its module is not loaded",
}


def read_limits() -> dict[str, int]:
    """Return the limits of this process that are not sysctls, by name: descriptors, processes, cgroup, rp_filter.

    The value is NO_LIMIT if there is no limit. A limit that cannot be read is absent.
    """
    held, pids = meminfo.read_cgroup_memory(), read_cgroup_pids()
    known = {
        "RLIMIT_NOFILE": rlimit(resource.RLIMIT_NOFILE, 1),  # the hard limit: a node raises its soft limit to it
        "RLIMIT_NPROC": rlimit(resource.RLIMIT_NPROC, 0),
        "cgroup": cgroup_number(),
        # NO_LIMIT means that no limit is visible: a container cannot see the limits of the cgroups above its own.
        "cgroup_memory_bytes": held.limit_bytes if held else NO_LIMIT,
        "cgroup_pids": pids.limit if pids else NO_LIMIT,
        "rp_filter": strictest_rp_filter(),
    }
    return {name: value for name, value in known.items() if value is not None}


def rlimit(number: int, which: int) -> int:
    """Return the soft (0) or hard (1) value of a resource limit of this process, or NO_LIMIT."""
    value = resource.getrlimit(number)[which]
    return NO_LIMIT if value == resource.RLIM_INFINITY else value


def cgroup_number() -> int | None:
    """Return the inode number of our memory cgroup, which identifies it on its host. None if there is no such cgroup."""
    for directory in own_directories("memory")[:1]:
        try:
            return os.stat(directory).st_ino
        except OSError:
            return None
    return None


def strictest_rp_filter() -> int | None:
    """Return the strictest rp_filter of all interfaces: 1 is strict, 2 is loose, 0 is off. None if none can be read.

    The kernel applies the larger of the values of the interface and of "all".
    """
    found = [read_int(str(path)) for path in Path("/proc/sys/net/ipv4/conf").glob("*/rp_filter")]
    known = {value for value in found if value is not None}
    return next((value for value in (1, 2, 0) if value in known), None)


def read_capabilities() -> str:
    """Return the CAPABILITIES that this process has over the host itself, separated by blanks.

    The result is empty in a container with a user namespace: its capabilities do not apply to the host.
    """
    users, status = read_text("/proc/self/uid_map") or "", read_text("/proc/self/status") or ""
    if users.split() != WHOLE_RANGE:
        return ""
    return " ".join(parse_capabilities(status))


def parse_capabilities(status: str) -> list[str]:
    """Return the effective CAPABILITIES in the text of /proc/PID/status. The list is empty for text of another form."""
    found = re.search(r"^CapEff:\s+([0-9a-f]{16})$", status, re.MULTILINE)
    bits = int(found[1], 16) if found else 0
    return [name for name, bit in CAPABILITIES.items() if bits >> bit & 1]


def unknown_limits() -> dict[str, str]:
    """Return {sysctl: reason} for every sysctl in the table of limits that cannot be read on this host."""
    return {name: why_unknown(name) for name in SYSCTLS if read_text(path_of(name)) is None}


def why_unknown(name: str) -> str:
    """Return a sentence that says why a sysctl cannot be read on this host."""
    return _WHY.get(SYSCTLS[name], "this kernel has no {name}").format(name=name)


def why_denied(capability: str) -> str:
    """Return what is missing, as the part of a sentence. ``capability``: the one that root uses for this."""
    if os.geteuid() != 0:
        return "needs root"
    return why_root_is_denied(capability, read_text("/proc/self/uid_map") or "", read_text("/proc/self/status") or "")


def why_root_is_denied(capability: str, uid_map: str, status: str) -> str:
    """Return what root lacks. ``uid_map``, ``status``: the texts of these files of /proc/PID."""
    if uid_map and uid_map.split() != WHOLE_RANGE:
        return "needs root of the host, and this is root of a user namespace, as in a rootless container"
    if not effective(status) >> BITS[capability] & 1:
        return f"needs {capability}, which root has lost here, as in a container or a unit; add it"
    return "is forbidden here even to root, by the container's runtime or a security module (AppArmor, SELinux, seccomp)"


def effective(status: str) -> int:
    """Return the effective capabilities in the text of /proc/PID/status as bits; 0 for text of another form."""
    found = re.search(r"^CapEff:\s+([0-9a-f]{16})$", status, re.MULTILINE)
    return int(found[1], 16) if found else 0
