"""How quiet the machine is: idle processors before a turn, and during it the CPU that others used or the host took."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from c1m.kernel.sockstat import read_sockstat

LEAST_IDLE = 0.95  # share of the processors, before a turn
MOST_OTHERS = 0.05  # share of the processors that anything but the turn may have, others and the host together
MOST_SOCKETS = 1000  # on the machine, before a turn
IDLE_SECONDS = 1.0  # over which the idle share is measured


@dataclass(frozen=True, slots=True)
class Ticks:
    """Time of all processors since boot, in ticks of /proc/stat. ``busy`` is neither idle nor stolen by the host."""

    idle: int
    busy: int
    stolen: int

    @property
    def total(self) -> int:
        return self.idle + self.busy + self.stolen

    def __sub__(self, other: Ticks) -> Ticks:
        return Ticks(self.idle - other.idle, self.busy - other.busy, self.stolen - other.stolen)


def parse_ticks(text: str) -> Ticks:
    """The first line of /proc/stat. Guest time, its ninth and tenth number, is already part of user and nice time."""
    user, nice, system, idle, iowait, irq, softirq, steal = (int(word) for word in text.split(maxsplit=9)[1:9])
    return Ticks(idle + iowait, user + nice + system + irq + softirq, steal)


def read_ticks() -> Ticks:
    return parse_ticks(Path("/proc/stat").read_text())


@dataclass(frozen=True, slots=True)
class Before:
    """The machine right before a turn. ``sockets`` is None when the kernel does not say how many there are."""

    waited_seconds: float
    sockets: int | None
    load_average: float
    idle_share: float

    @property
    def quiet(self) -> bool:
        return self.idle_share >= LEAST_IDLE and (self.sockets or 0) <= MOST_SOCKETS


def look() -> Before:
    """The machine as it is now; takes IDLE_SECONDS."""
    first = read_ticks()
    time.sleep(IDLE_SECONDS)  # what is measured
    passed = read_ticks() - first
    return Before(0.0, sockets(), os.getloadavg()[0], passed.idle / max(passed.total, 1))


def await_quiet(patience_seconds: float) -> Before:
    """Look until the machine is quiet, for so many seconds at the longest; at least once."""
    began = time.monotonic()
    while True:
        waited, now = time.monotonic() - began, look()
        if now.quiet or waited >= patience_seconds:
            return Before(waited, now.sockets, now.load_average, now.idle_share)


def sockets() -> int | None:
    """TCP sockets of the machine and this namespace's TIME_WAIT, or None when unknown."""
    found = (read_sockstat() or {}).get("TCP")
    return found["alloc"] + found["tw"] if found else None


@dataclass(slots=True)
class Use:
    """What the processors did during a turn: CPU seconds of its processes, and shares of all processors from 0 to 1."""

    own_seconds: float = 0.0
    others_share: float = 0.0
    stolen_share: float = 0.0

    @property
    def quiet(self) -> bool:
        return self.others_share + self.stolen_share <= MOST_OTHERS


@contextmanager
def processors_watched() -> Iterator[Use]:
    """Yield a Use that is filled in when the block ends. What this process and its ended descendants used is the turn's own.

    Kernel threads that free the sockets of the turn are counted as others: they take well below MOST_OTHERS.
    """
    use, ticks, own = Use(), read_ticks(), cpu_seconds()
    yield use
    passed = read_ticks() - ticks
    use.own_seconds = cpu_seconds() - own
    total = max(passed.total, 1)
    use.others_share = max(0.0, passed.busy - use.own_seconds * os.sysconf("SC_CLK_TCK")) / total
    use.stolen_share = passed.stolen / total


def cpu_seconds() -> float:
    """User and system time of this process and of its descendants that were waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
