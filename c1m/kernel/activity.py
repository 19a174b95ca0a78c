"""Reads what processes are doing from /proc: CPU time, waiting for a CPU, being stopped, descriptors in use.

Reading takes about 20 us for a process and as much for each of its threads, because each thread has a schedstat file and
may have a descriptor table of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .host import read_text
from .process_footprint import GONE, parse_cpu_ticks, parse_state

STOPPED: Final = frozenset("Tt")  # states: stopped by a signal, stopped by a debugger
TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessActivity:
    """The activity of one process at one moment. CPU and wait times count from the start of the process."""

    state: str  # the letter of /proc/PID/stat: R, S, D, T, ...
    cpu_seconds: float  # of all threads, in steps of 10 ms
    waited_seconds: float | None  # runnable but not running, over all threads; None if the kernel does not record it
    descriptors: int | None  # open descriptors in the fullest table of its threads; None before Linux 6.2


def look_at(pid: int) -> ProcessActivity | None:
    """Return the current activity of a process, or None if it has ended."""
    stat = read_text(f"/proc/{pid}/stat")
    if not stat or (state := parse_state(stat)) in GONE:
        return None
    tasks = tasks_of(pid)
    waits = [waited for task in tasks if (waited := parse_run_delay(read_text(f"{task}/schedstat") or "")) is not None]
    tables = [used for task in tasks if (used := descriptors_of(task))]
    cpu_seconds = parse_cpu_ticks(stat) / TICKS_PER_SECOND
    return ProcessActivity(state, cpu_seconds, sum(waits) if waits else None, max(tables, default=None))


def tasks_of(pid: int) -> list[str]:
    """Return the /proc directory of each thread of a process. The list is empty if the process is gone."""
    directory = f"/proc/{pid}/task"
    try:
        return [f"{directory}/{thread}" for thread in os.listdir(directory)]
    except OSError:
        return []


def parse_run_delay(schedstat: str) -> float | None:
    """Return the seconds that a thread has waited for a CPU: the second number in the text of /proc/PID/schedstat.

    None for text of another form, such as without CONFIG_SCHED_INFO.
    """
    found = re.fullmatch(r"\d{1,20} (\d{1,20}) \d{1,20}\s*", schedstat)
    return int(found[1]) / 1e9 if found else None


def descriptors_of(task: str) -> int | None:
    """Return how many descriptors a thread has open, or None if unknown; ``task`` is the thread's /proc directory.

    The size of its ``fd`` directory is used, because listing that would leave an inode and a dentry in the slab for each
    descriptor.
    """
    try:
        return os.stat(f"{task}/fd").st_size or None
    except OSError:
        return None


def parse_descriptor_limit(limits: str) -> int | None:
    """Return the soft descriptor limit in the text of /proc/PID/limits.

    None if it is unlimited or the text has another form.
    """
    found = re.search(r"^Max open files\s+(\d{1,18})\s", limits, re.MULTILINE)
    return int(found[1]) if found else None


class Activity:
    """Reads the activity of a set of processes repeatedly and computes their CPU shares between two readings."""

    def __init__(self) -> None:
        self.looks: Mapping[int, ProcessActivity] = {}
        self.at = 0.0

    @property
    def cpu_seconds(self) -> float:
        """The CPU seconds that all processes of the newest reading have used since they started."""
        return sum(look.cpu_seconds for look in self.looks.values())

    def take(self, pids: Iterable[int], now: float) -> dict[str, int]:
        """Read the activity of some processes and return combined levels by name: processes, descriptors, CPU shares.

        An unknown level is absent. ``now`` is a monotonic time in seconds. CPU shares need an earlier reading, so the first
        result does not have them.
        """
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
    """Return the levels ``descriptors`` and ``descriptors_limit`` of the process that has most descriptors open.

    The mapping is empty if no process's descriptors are known, and without the limit if that is unknown.
    """
    used = {pid: look.descriptors for pid, look in looks.items() if look.descriptors}
    if not used:
        return {}
    pid = max(used, key=lambda each: used[each])
    limit = parse_descriptor_limit(read_text(f"/proc/{pid}/limits") or "")
    return {"descriptors": used[pid]} | ({"descriptors_limit": limit} if limit else {})


def shares(before: Mapping[int, ProcessActivity], now: Mapping[int, ProcessActivity], seconds: float) -> dict[str, int]:
    """Return two levels: the largest CPU share of any process, and the largest share of time that any process waited for a CPU.

    Both are percentages of the time between two readings. Only processes in both readings count.
    """
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
    """Return which percentage of ``whole`` ``part`` is, as a whole number of at least 0.

    A difference can be negative: the kernel records a wait when it ends, and the clocks are read one after another.
    """
    return max(round(100 * part / whole), 0)
