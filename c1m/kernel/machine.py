"""What a machine is, in words for the summary: two runs can be compared only by who knows where each was made."""

from __future__ import annotations

import os
import platform
import re
import resource
from typing import Final

from . import meminfo
from .host import read_text
from .limits import read_capabilities

RLIMITS = {"RLIMIT_NOFILE": resource.RLIMIT_NOFILE, "RLIMIT_NPROC": resource.RLIMIT_NPROC}


def read_machine() -> dict[str, str]:
    """Name -> value; what cannot be known is left out."""
    cpuinfo, stat = read_text("/proc/cpuinfo") or "", read_text("/proc/stat") or ""
    cgroup = meminfo.read_cgroup_memory()
    known = {
        "processor": processor(cpuinfo),
        "hypervisor": hypervisor(cpuinfo, read_text("/sys/class/dmi/id/sys_vendor") or ""),
        "load_average": " ".join((read_text("/proc/loadavg") or "").split()[:3]),
        "steal_percent_since_boot": steal(stat),
        "cgroup_memory_limit_bytes": str(cgroup.limit_bytes) if cgroup else "",
        "capabilities": read_capabilities(),
        "python": platform.python_version(),
        "user": "root" if os.geteuid() == 0 else f"uid {os.geteuid()}",
        **{name: limits(resource.getrlimit(number)) for name, number in RLIMITS.items()},
    }
    return {name: value for name, value in known.items() if value}


def processor(cpuinfo: str) -> str:
    """The model's name; empty where the architecture does not write one."""
    found = re.search(r"^model name\s*:(.*)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else ""


def hypervisor(cpuinfo: str, vendor: str) -> str:
    """ "none", or what the firmware calls itself; x86 only, where the processor tells a guest that it is one."""
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    if not flags:
        return ""
    return (vendor.strip() or "unnamed") if "hypervisor" in flags[1].split() else "none"


def steal(stat: str) -> str:
    """Percent of processor time since boot that a hypervisor gave to others."""
    ticks = parse_ticks(stat)
    return f"{100 * ticks[STEAL] / max(sum(ticks), 1):.2f}" if ticks else ""


def limits(soft_and_hard: tuple[int, int]) -> str:
    return "/".join("unlimited" if limit == resource.RLIM_INFINITY else str(limit) for limit in soft_and_hard)


MS_PER_TICK: Final = 1000 / os.sysconf("SC_CLK_TCK")
# In this order; guest times, which follow, are in user and nice already.
USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL = range(8)


def parse_ticks(stat: str) -> list[int]:
    """Clock ticks since boot over all processors, by USER and so on; empty for another form, and before 2.6.11 (no steal)."""
    found = re.match(r"cpu +((?:\d{1,20} ?)+)", stat)
    ticks = [int(word) for word in found[1].split()] if found else []
    return ticks[: STEAL + 1] if len(ticks) > STEAL else []


def counters(stat: str) -> dict[str, int]:
    """Milliseconds since boot that processors worked, that they worked in softirqs (where most of TCP happens), and that a
    hypervisor gave to others; empty where it is unknown."""
    ticks = parse_ticks(stat)
    if not ticks:
        return {}
    busy = sum(ticks[kind] for kind in (USER, NICE, SYSTEM, IRQ, SOFTIRQ))
    known = {"cpu_busy_ms": busy, "cpu_softirq_ms": ticks[SOFTIRQ], "cpu_steal_ms": ticks[STEAL]}
    return {name: round(value * MS_PER_TICK) for name, value in known.items()}


def read_counters() -> dict[str, int]:
    return counters(read_text("/proc/stat") or "")
