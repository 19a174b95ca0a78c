"""Reads the limits that are no sysctl, as the process that asks is subject to them; and says what cannot be read, and why."""

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

# The ones that lift limits, by their bit (linux/capability.h).
CAPABILITIES: Final = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24}

_WHY: Final = {
    SysctlScope.HIDDEN: "{name} is the host's, and this network namespace does not show it; read it on the host itself",
    SysctlScope.SHOWN: "this kernel has no {name}, or it is not loaded",
}


def read_limits() -> dict[str, int]:
    """Name -> value; NO_LIMIT where there is none, absent where it cannot be known."""
    held, pids = meminfo.read_cgroup_memory(), read_cgroup_pids()
    known = {
        "RLIMIT_NOFILE": rlimit(resource.RLIMIT_NOFILE, 1),  # the hard one: a node raises the soft one to it
        "RLIMIT_NPROC": rlimit(resource.RLIMIT_NPROC, 0),
        "cgroup": cgroup_number(),
        # No limit is to be seen: a container does not know what the cgroups above its own allow.
        "cgroup_memory_bytes": held.limit_bytes if held else NO_LIMIT,
        "cgroup_pids": pids.limit if pids else NO_LIMIT,
        "rp_filter": strictest_rp_filter(),
    }
    return {name: value for name, value in known.items() if value is not None}


def rlimit(number: int, which: int) -> int:
    value = resource.getrlimit(number)[which]
    return NO_LIMIT if value == resource.RLIM_INFINITY else value


def cgroup_number() -> int | None:
    """The inode of our memory cgroup, which names it on its host; None where there is none."""
    for directory in own_directories("memory")[:1]:
        try:
            return os.stat(directory).st_ino
        except OSError:
            return None
    return None


def strictest_rp_filter() -> int | None:
    """What the kernel applies is the larger of an interface's and "all"'s; 1 is strict, 2 is loose."""
    found = [read_int(str(path)) for path in Path("/proc/sys/net/ipv4/conf").glob("*/rp_filter")]
    known = {value for value in found if value is not None}
    return next((value for value in (1, 2, 0) if value in known), None)


def read_capabilities() -> str:
    """The CAPABILITIES that this process has over the host itself, with blanks between.

    Those of a container with users of its own say nothing there: they are none of the host's.
    """
    users, status = read_text("/proc/self/uid_map") or "", read_text("/proc/self/status") or ""
    if users.split() != ["0", "0", "4294967295"]:
        return ""
    return " ".join(parse_capabilities(status))


def parse_capabilities(status: str) -> list[str]:
    """The effective ones of CAPABILITIES, from /proc/PID/status; none from text of another form."""
    found = re.search(r"^CapEff:\s+([0-9a-f]{16})$", status, re.MULTILINE)
    bits = int(found[1], 16) if found else 0
    return [name for name, bit in CAPABILITIES.items() if bits >> bit & 1]


def unknown_limits() -> dict[str, str]:
    """Sysctl -> why it cannot be read here."""
    return {name: why_unknown(name) for name in SYSCTLS if read_text(path_of(name)) is None}


def why_unknown(name: str) -> str:
    return _WHY.get(SYSCTLS[name], "this kernel has no {name}").format(name=name)
