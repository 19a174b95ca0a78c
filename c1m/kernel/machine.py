"""Describes the machine for the summary, so that runs on different machines can be compared."""

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
    """Return a description of this machine as {name: text}: processor, hypervisor, load, limits. An unknown value is absent."""
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
    """Return the CPU's model name from the text of /proc/cpuinfo. It is empty on architectures that do not report one."""
    found = re.search(r"^model name\s*:(.*)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else ""


def hypervisor(cpuinfo: str, vendor: str) -> str:
    """Return the firmware's vendor name on a virtual machine, "none" on a physical one, and "" if that is unknown.

    Only x86 tells a guest that it is one, by a flag in /proc/cpuinfo.
    """
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    if not flags:
        return ""
    return (vendor.strip() or "unnamed") if "hypervisor" in flags[1].split() else "none"


def steal(stat: str) -> str:
    """Return the percentage of CPU time since boot that the hypervisor gave to other guests, as text. Empty if unknown."""
    ticks = parse_ticks(stat)
    return f"{100 * ticks[STEAL] / max(sum(ticks), 1):.2f}" if ticks else ""


def limits(soft_and_hard: tuple[int, int]) -> str:
    """Return the (soft, hard) pair of a resource limit as text, such as "1024/unlimited"."""
    return "/".join("unlimited" if limit == resource.RLIM_INFINITY else str(limit) for limit in soft_and_hard)


MS_PER_TICK: Final = 1000 / os.sysconf("SC_CLK_TCK")
# The columns of /proc/stat in order. User and nice already include the guest times, which follow.
USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL = range(8)


def parse_ticks(stat: str) -> list[int]:
    """Return clock ticks since boot summed over all CPUs, indexed by USER to STEAL.

    The list is empty for text of another form and before Linux 2.6.11, which does not report steal.
    """
    found = re.match(r"cpu +((?:\d{1,20} ?)+)", stat)
    ticks = [int(word) for word in found[1].split()] if found else []
    return ticks[: STEAL + 1] if len(ticks) > STEAL else []


def counters(stat: str) -> dict[str, int]:
    """Return {name: milliseconds since boot} for the time that the CPUs were busy, were in softirqs, and were stolen by the
    hypervisor. Most of TCP runs in softirqs. The mapping is empty if the times are unknown.
    """
    ticks = parse_ticks(stat)
    if not ticks:
        return {}
    busy = sum(ticks[kind] for kind in (USER, NICE, SYSTEM, IRQ, SOFTIRQ))
    known = {"cpu_busy_ms": busy, "cpu_softirq_ms": ticks[SOFTIRQ], "cpu_steal_ms": ticks[STEAL]}
    return {name: round(value * MS_PER_TICK) for name, value in known.items()}


def read_counters() -> dict[str, int]:
    """Return {name: milliseconds since boot} for the time that this machine's CPUs were busy, were in softirqs, and were stolen
    by the hypervisor. Empty if unknown.
    """
    return counters(read_text("/proc/stat") or "")
