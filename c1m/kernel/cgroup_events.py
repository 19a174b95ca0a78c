"""Counts the limits that a process's cgroups enforced: memory, processes, CPU time. Supports cgroup v1 and v2.

Each ancestor of a cgroup has limits of its own. The events of a cgroup and of its ancestors are added up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .cgroup import directories
from .host import read_int, read_text


@dataclass(frozen=True, slots=True)
class Cgroups:
    """The cgroup directories of one process for the controllers memory, pids and cpu, its own cgroup first.

    Empty if unknown.
    """

    memory: tuple[str, ...] = ()
    pids: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()


def cgroups_of(pid: int | str) -> Cgroups:
    """Return the mounted cgroup directories of a process. All fields of the result are empty if the process is gone."""
    paths, mounts = read_text(f"/proc/{pid}/cgroup"), read_text("/proc/self/mountinfo")
    if paths is None or mounts is None:
        return Cgroups()
    return Cgroups(*(tuple(directories(paths, mounts, controller)) for controller in ("memory", "pids", "cpu")))


def events(cgroups: Cgroups) -> dict[str, int]:
    """Return cumulative counters of a process's cgroups by name: limits hit, processes killed by the OOM killer, periods
    throttled for CPU time. A counter that this kernel does not have is absent.
    """
    known = {
        "cgroup_memory_hits": total(memory_hits(where) for where in cgroups.memory),
        "cgroup_oom_kills": total(oom_kills(where) for where in cgroups.memory[:1]),
        "cgroup_pids_hits": total(number_after("max", read_text(f"{where}/pids.events")) for where in cgroups.pids),
        "cgroup_cpu_throttled": total(number_after("nr_throttled", read_text(f"{where}/cpu.stat")) for where in cgroups.cpu),
    }
    return {name: value for name, value in known.items() if value is not None}


def memory_hits(where: str) -> int | None:
    """Return how often a cgroup's memory usage reached its limit, or None if unknown.

    A hit counts whether the kernel then dropped page cache or killed a process.
    """
    hits = number_after("max", read_text(f"{where}/memory.events"))
    return read_int(f"{where}/memory.failcnt") if hits is None else hits


def oom_kills(where: str) -> int | None:
    """Return how many processes of a cgroup the OOM killer killed, or None if unknown."""
    kills = number_after("oom_kill", read_text(f"{where}/memory.events"))
    return number_after("oom_kill", read_text(f"{where}/memory.oom_control")) if kills is None else kills


def number_after(name: str, text: str | None) -> int | None:
    """Return the number in the line "name number" of ``text``, or None if there is no such line."""
    found = re.search(rf"^{name} (\d{{1,20}})$", text or "", re.MULTILINE)
    return int(found[1]) if found else None


def total(counts: Iterable[int | None]) -> int | None:
    """Return the sum of the counts that are known, or None if none is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
