"""What one process takes: memory, CPU time, descriptors."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final

from .host import read_text

GONE: Final = frozenset("ZXx")  # states of what has ended, though nobody may have reaped it


@dataclass(frozen=True, slots=True)
class Footprint:
    """User memory of a process, in bytes; what the kernel holds for its sockets is in neither figure.

    ``rss_bytes`` counts a page shared between n processes n times over them all, ``pss_bytes`` once. Children
    of one zygote share most of theirs: only PSS can be added up.
    """

    rss_bytes: int
    pss_bytes: int


def parse_smaps_rollup(text: str) -> tuple[int, int]:
    """(RSS, PSS) in bytes. Raises ValueError if either is missing."""
    sizes = dict(re.findall(r"^(Rss|Pss):\s+([0-9]{1,18}) kB$", text, re.MULTILINE))
    if len(sizes) != 2:
        raise ValueError(f"{text[:200]!r} is not smaps_rollup, which has 'Rss:  1676 kB' and 'Pss:  488 kB'")
    return int(sizes["Rss"]) * 1024, int(sizes["Pss"]) * 1024


def read_footprint(pid: int) -> Footprint | None:
    """The footprint of a process; None when it is gone, a zombie or another user's, or Linux is before 4.14.

    The kernel walks the page tables for it, 1 ms for each 100 MB, and meanwhile the process cannot map
    memory.
    """
    text = read_text(f"/proc/{pid}/smaps_rollup")
    return Footprint(*parse_smaps_rollup(text)) if text else None


def parse_cpu_ticks(stat: str) -> int:
    """utime + stime of /proc/PID/stat, in clock ticks. Raises ValueError for text of another form.

    All threads are in it, also those that have ended; child processes are not.
    """
    # The command stands in parentheses and may hold blanks and parentheses of its own: the last one ends it.
    fields = stat.rpartition(")")[2].split()
    times = fields[11:13]  # fields 14 and 15 of proc(5), which counts from 1 and starts two before the state
    if len(times) != 2 or not all(re.fullmatch("[0-9]{1,20}", ticks) for ticks in times):
        raise ValueError(f"{stat[:200]!r} is not /proc/PID/stat, which reads '3404 (cat) R 3396 ...'")
    return sum(map(int, times))


def parse_state(stat: str) -> str:
    """The state's letter in /proc/PID/stat. Raises ValueError for text of another form."""
    fields = stat.rpartition(")")[2].split()  # see parse_cpu_ticks
    if not fields or not re.fullmatch("[A-Za-z]", fields[0]):
        raise ValueError(f"{stat[:200]!r} is not /proc/PID/stat, which reads '3404 (cat) R 3396 ...'")
    return fields[0]


def is_over(pid: int) -> bool:
    """Whether a process has ended, though nobody may have reaped it."""
    stat = read_text(f"/proc/{pid}/stat")
    return not stat or parse_state(stat) in GONE


def cpu_seconds(pid: int) -> float | None:
    """CPU time of a process so far, user and system, in steps of 10 ms; None when it is gone."""
    text = read_text(f"/proc/{pid}/stat")
    return parse_cpu_ticks(text) / os.sysconf("SC_CLK_TCK") if text else None


def open_descriptors() -> int | None:
    """How many descriptors this process has open; None before Linux 6.2, whose /proc/self/fd has size 0.

    To list /proc/self/fd would tell as well, but each name listed leaves an inode and a dentry in the slab,
    900 bytes that then pass for the cost of a connection. This takes 3 us and leaves nothing.
    """
    try:
        return os.stat("/proc/self/fd").st_size or None
    except OSError:
        return None


def parse_fd_size(status: str) -> int:
    """FDSize of /proc/PID/status. Raises ValueError if it is missing."""
    found = re.search(r"^FDSize:\s+([0-9]{1,18})$", status, re.MULTILINE)
    if not found:
        raise ValueError(f"{status[:200]!r} is not /proc/PID/status, which has a line 'FDSize:  64'")
    return int(found[1])


def descriptor_slots() -> int | None:
    """Size of this process's descriptor table, on any kernel: no fewer are open. None when unreadable.

    It starts at 64, or as large as the parent needs, doubles, and never shrinks.
    """
    text = read_text("/proc/self/status")
    return parse_fd_size(text) if text else None


def parse_descriptor_limit(limits: str) -> int:
    """The soft RLIMIT_NOFILE in /proc/PID/limits, which is what binds a process. Raises ValueError if it is missing."""
    found = re.search(r"^Max open files +(\d{1,18}) ", limits, re.MULTILINE)
    if not found:
        raise ValueError(f"{limits[:200]!r} is not /proc/PID/limits, which has a line 'Max open files  1024  4096  files'")
    return int(found[1])


def descriptor_limit(pid: int) -> int | None:
    """How many descriptors a process may have; None when it is gone, or another user's."""
    text = read_text(f"/proc/{pid}/limits")
    return parse_descriptor_limit(text) if text else None
