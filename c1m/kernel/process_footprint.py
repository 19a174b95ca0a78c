"""Reads what one process uses: memory, CPU time, descriptors."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final

from .host import read_text

GONE: Final = frozenset("ZXx")  # states of a process that has ended; it may not be reaped yet


@dataclass(frozen=True, slots=True)
class Footprint:
    """User memory of a process, in bytes. Kernel memory for its sockets is not included.

    Over n processes, ``rss_bytes`` counts a page that they share n times and ``pss_bytes`` counts it once. Children of one
    zygote share most of their pages, so only PSS can be added up.
    """

    rss_bytes: int
    pss_bytes: int


def parse_smaps_rollup(text: str) -> tuple[int, int]:
    """Return (RSS, PSS) in bytes from the text of smaps_rollup. Raises ValueError if either is missing."""
    sizes = dict(re.findall(r"^(Rss|Pss):\s+([0-9]{1,18}) kB$", text, re.MULTILINE))
    if len(sizes) != 2:
        raise ValueError(f"{text[:200]!r} is not smaps_rollup, which has 'Rss:  1676 kB' and 'Pss:  488 kB'")
    return int(sizes["Rss"]) * 1024, int(sizes["Pss"]) * 1024


def read_footprint(pid: int) -> Footprint | None:
    """Return the RSS and PSS of a process, in bytes.

    None if the process is gone, a zombie or another user's, and before Linux 4.14. The kernel walks the page tables, which
    takes 1 ms for each 100 MB. Meanwhile the process cannot map memory.
    """
    text = read_text(f"/proc/{pid}/smaps_rollup")
    return Footprint(*parse_smaps_rollup(text)) if text else None


def parse_cpu_ticks(stat: str) -> int:
    """Return the CPU time of a process, utime + stime in the text of /proc/PID/stat, in clock ticks.

    Raises ValueError for text of another form. The sum includes all threads, also ended ones, but no child processes.
    """
    # The command is in parentheses and may itself contain blanks and parentheses; the last parenthesis ends it.
    fields = stat.rpartition(")")[2].split()
    times = fields[11:13]  # fields 14 and 15 in proc(5), which numbers the state as field 3
    if len(times) != 2 or not all(re.fullmatch("[0-9]{1,20}", ticks) for ticks in times):
        raise ValueError(f"{stat[:200]!r} is not /proc/PID/stat, which looks like '3404 (cat) R 3396 ...'")
    return sum(map(int, times))


def parse_state(stat: str) -> str:
    """Return the letter of a process's state, such as "R", in the text of /proc/PID/stat.

    Raises ValueError for text of another form.
    """
    fields = stat.rpartition(")")[2].split()  # see parse_cpu_ticks
    if not fields or not re.fullmatch("[A-Za-z]", fields[0]):
        raise ValueError(f"{stat[:200]!r} is not /proc/PID/stat, which looks like '3404 (cat) R 3396 ...'")
    return fields[0]


def is_over(pid: int) -> bool:
    """Return whether a process has ended. It may not be reaped yet."""
    stat = read_text(f"/proc/{pid}/stat")
    return not stat or parse_state(stat) in GONE


def cpu_seconds(pid: int) -> float | None:
    """Return the user and system CPU time of a process so far, in steps of 10 ms. None if it is gone."""
    text = read_text(f"/proc/{pid}/stat")
    return parse_cpu_ticks(text) / os.sysconf("SC_CLK_TCK") if text else None


def open_descriptors() -> int | None:
    """Return how many descriptors this process has open. None before Linux 6.2, where /proc/self/fd has size 0.

    Reading the size takes 3 us. Listing /proc/self/fd instead would leave an inode and a dentry in the slab for each
    descriptor, 900 bytes that would then be counted as the cost of a connection.
    """
    try:
        return os.stat("/proc/self/fd").st_size or None
    except OSError:
        return None


def parse_fd_size(status: str) -> int:
    """Return the size of a process's descriptor table, FDSize in the text of /proc/PID/status.

    Raises ValueError if it is missing.
    """
    found = re.search(r"^FDSize:\s+([0-9]{1,18})$", status, re.MULTILINE)
    if not found:
        raise ValueError(f"{status[:200]!r} is not /proc/PID/status, which has a line 'FDSize:  64'")
    return int(found[1])


def descriptor_slots() -> int | None:
    """Return the size of this process's descriptor table, an upper bound of open descriptors that every kernel has.

    The table starts at 64 or the size that the parent needed, doubles, and never shrinks. None if it is unreadable.
    """
    text = read_text("/proc/self/status")
    return parse_fd_size(text) if text else None


def parse_descriptor_limit(limits: str) -> int:
    """Return the soft RLIMIT_NOFILE from the text of /proc/PID/limits. Raises ValueError if it is missing."""
    found = re.search(r"^Max open files +(\d{1,18}) ", limits, re.MULTILINE)
    if not found:
        raise ValueError(f"{limits[:200]!r} is not /proc/PID/limits, which has a line 'Max open files  1024  4096  files'")
    return int(found[1])


def descriptor_limit(pid: int) -> int | None:
    """Return the soft limit of descriptors that a process may open. None if the process is gone or another user's."""
    text = read_text(f"/proc/{pid}/limits")
    return parse_descriptor_limit(text) if text else None
