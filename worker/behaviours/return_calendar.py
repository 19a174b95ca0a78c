"""Connections that are away, and when each comes back: a calendar with four bytes for each of them.

One that is away has no descriptor, and need not be told from another with the same errand. So a moment of the calendar, a
64th of a second, holds nothing but errands: small numbers whose meaning is the caller's.
"""

from __future__ import annotations

import heapq
import math
from array import array

TICK_SECONDS = 1 / 64  # how late somebody may come back; exact in floats


class ReturnCalendar:
    """Errands by the time at which they are over. Seconds are the caller's, as in ``timer_wheel``."""

    def __init__(self, phase: float = 0.0) -> None:
        """``phase``: part of a tick by which its moments are shifted, so that shards do not come back at the same instants."""
        self.phase = phase * TICK_SECONDS
        self.errands: dict[int, array[int]] = {}  # tick -> what is over then
        self.ticks: list[int] = []  # a heap of the keys
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def add(self, until: float, errand: int) -> None:
        """``errand`` fits 32 bits, without a sign."""
        tick = math.ceil((until + self.phase) / TICK_SECONDS)
        if tick not in self.errands:
            self.errands[tick] = array("I")
            heapq.heappush(self.ticks, tick)
        self.errands[tick].append(errand)
        self.size += 1

    def over(self, now: float) -> list[int]:
        """Errands whose time has come, in the order of their times; they are not away any more."""
        found: list[int] = []
        tick = math.floor((now + self.phase) / TICK_SECONDS)
        while self.ticks and self.ticks[0] <= tick:
            found += self.errands.pop(heapq.heappop(self.ticks))
        self.size -= len(found)
        return found

    def pop(self) -> int:
        """Somebody who will not come back; of one or more."""
        tick = self.ticks[0]
        errand = self.errands[tick].pop()
        if not self.errands[tick]:
            del self.errands[heapq.heappop(self.ticks)]
        self.size -= 1
        return errand

    def next(self) -> float:
        """When somebody comes back; infinite while nobody is away."""
        return self.ticks[0] * TICK_SECONDS - self.phase if self.ticks else math.inf
