"""What processes are doing: running, waiting for a processor, stopped, out of descriptors. By /proc, without touching them.

A process costs about 20 us to look at, and each of its threads as much: their schedstat, and the size of their descriptor
table, since those may have one each.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .host import read_text
from .process_footprint import GONE, parse_cpu_ticks, parse_state

STOPPED: Final = frozenset("Tt")  # by a signal, or by a debugger
TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessActivity:
    """One process at one moment."""

    state: str  # the letter of /proc/PID/stat: R, S, D, T, ...
    cpu_seconds: float  # of all its threads, in steps of 10 ms
    waited_seconds: float | None  # that its threads were runnable and did not run; None: the kernel does not tell
    descriptors: int | None  # open ones in the fullest table of its threads; None before Linux 6.2


def look_at(pid: int) -> ProcessActivity | None:
    """None when the process is gone."""
    stat = read_text(f"/proc/{pid}/stat")
    if not stat or (state := parse_state(stat)) in GONE:
        return None
    tasks = tasks_of(pid)
    waits = [waited for task in tasks if (waited := parse_run_delay(read_text(f"{task}/schedstat") or "")) is not None]
    tables = [used for task in tasks if (used := descriptors_of(task))]
    cpu_seconds = parse_cpu_ticks(stat) / TICKS_PER_SECOND
    return ProcessActivity(state, cpu_seconds, sum(waits) if waits else None, max(tables, default=None))


def tasks_of(pid: int) -> list[str]:
    """The directory of each thread; none when the process is gone."""
    directory = f"/proc/{pid}/task"
    try:
        return [f"{directory}/{thread}" for thread in os.listdir(directory)]
    except OSError:
        return []


def parse_run_delay(schedstat: str) -> float | None:
    """Seconds on a run queue, the second number of /proc/PID/schedstat; None without CONFIG_SCHED_INFO."""
    found = re.fullmatch(r"\d{1,20} (\d{1,20}) \d{1,20}\s*", schedstat)
    return int(found[1]) / 1e9 if found else None


def descriptors_of(task: str) -> int | None:
    """Open descriptors of a thread: to list them would leave an inode and a dentry in the slab for each."""
    try:
        return os.stat(f"{task}/fd").st_size or None
    except OSError:
        return None


def parse_descriptor_limit(limits: str) -> int | None:
    """The soft limit of descriptors in /proc/PID/limits; None where there is none, or for another form."""
    found = re.search(r"^Max open files\s+(\d{1,18})\s", limits, re.MULTILINE)
    return int(found[1]) if found else None


class Activity:
    """Looks at the same processes again and again; what they did in between is the difference."""

    def __init__(self) -> None:
        self.looks: Mapping[int, ProcessActivity] = {}
        self.at = 0.0

    @property
    def cpu_seconds(self) -> float:
        """That the processes have used, by the newest looks."""
        return sum(look.cpu_seconds for look in self.looks.values())

    def take(self, pids: Iterable[int], now: float) -> dict[str, int]:
        """Levels of the processes together; what is not known is left out. ``now`` is monotonic, in seconds."""
        pids = list(pids)
        if not pids:
            return {}
        looks = {pid: look for pid in pids if (look := look_at(pid))}
        levels = {"processes": len(looks), "processes_stopped": sum(look.state in STOPPED for look in looks.values())}
        levels |= fullest(looks)
        if self.looks:
            levels |= shares(self.looks, looks, now - self.at)
        self.looks, self.at = looks, now
        return levels


def fullest(looks: Mapping[int, ProcessActivity]) -> dict[str, int]:
    """Descriptors of the process that has most, and its limit."""
    used = {pid: look.descriptors for pid, look in looks.items() if look.descriptors}
    if not used:
        return {}
    pid = max(used, key=lambda each: used[each])
    limit = parse_descriptor_limit(read_text(f"/proc/{pid}/limits") or "")
    return {"descriptors": used[pid]} | ({"descriptors_limit": limit} if limit else {})


def shares(before: Mapping[int, ProcessActivity], now: Mapping[int, ProcessActivity], seconds: float) -> dict[str, int]:
    """Of the process that ran most, and of the one that waited most for a processor, in percent of the time between."""
    both = [(before[pid], look) for pid, look in now.items() if pid in before]
    if not both or seconds <= 0:
        return {}
    ran = max(look.cpu_seconds - then.cpu_seconds for then, look in both)
    levels = {"busiest_cpu_percent": percent(ran, seconds)}
    waits = [
        look.waited_seconds - then.waited_seconds
        for then, look in both
        if look.waited_seconds is not None and then.waited_seconds is not None
    ]
    return levels | ({"longest_cpu_wait_percent": percent(max(waits), seconds)} if waits else {})


def percent(part: float, whole: float) -> int:
    """At least 0: the kernel takes waits into its books when they end, and clocks are read one after the other."""
    return max(round(100 * part / whole), 0)
