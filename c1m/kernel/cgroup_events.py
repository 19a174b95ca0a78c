"""What a process's cgroups have refused or held up: memory, processes, processor time. Both versions of cgroups.

A cgroup has limits of its own, and so has each of its ancestors: their events are added up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .cgroup import directories
from .host import read_int, read_text


@dataclass(frozen=True, slots=True)
class Cgroups:
    """Directories of the cgroups of one process, its own first."""

    memory: tuple[str, ...] = ()
    pids: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()


def cgroups_of(pid: int | str) -> Cgroups:
    """Of a process, as far as they are mounted here; none of a process that is gone."""
    paths, mounts = read_text(f"/proc/{pid}/cgroup"), read_text("/proc/self/mountinfo")
    if paths is None or mounts is None:
        return Cgroups()
    return Cgroups(*(tuple(directories(paths, mounts, controller)) for controller in ("memory", "pids", "cpu")))


def events(cgroups: Cgroups) -> dict[str, int]:
    """What only rises: limits that were hit, processes that were killed for memory, periods cut short for CPU."""
    known = {
        "cgroup_memory_hits": total(memory_hits(where) for where in cgroups.memory),
        "cgroup_oom_kills": total(oom_kills(where) for where in cgroups.memory[:1]),
        "cgroup_pids_hits": total(number_after("max", read_text(f"{where}/pids.events")) for where in cgroups.pids),
        "cgroup_cpu_throttled": total(number_after("nr_throttled", read_text(f"{where}/cpu.stat")) for where in cgroups.cpu),
    }
    return {name: value for name, value in known.items() if value is not None}


def memory_hits(where: str) -> int | None:
    """How often a limit stood in the way, be it that page cache was dropped then, or a process killed."""
    hits = number_after("max", read_text(f"{where}/memory.events"))
    return read_int(f"{where}/memory.failcnt") if hits is None else hits


def oom_kills(where: str) -> int | None:
    kills = number_after("oom_kill", read_text(f"{where}/memory.events"))
    return number_after("oom_kill", read_text(f"{where}/memory.oom_control")) if kills is None else kills


def number_after(name: str, text: str | None) -> int | None:
    """From lines of "name number"; None where there is no such line."""
    found = re.search(rf"^{name} (\d{{1,20}})$", text or "", re.MULTILINE)
    return int(found[1]) if found else None


def total(counts: Iterable[int | None]) -> int | None:
    """Of those that are known; None if none is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
