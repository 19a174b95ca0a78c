"""Sweeps a table once an interval, so each slot has a regular turn without a timer or deadline of its own. Pure.

Slot s of the table has its turn when the sweep passes it: once every interval, at a phase of its own. A round has as many
marks as the smallest Fibonacci number that is enough, and each mark advances the sweep by the preceding Fibonacci number,
in slots. So consecutive slots lie 0.618 of an interval apart, and any range of slots in use is spread over the interval as
evenly as possible; the slots in use are consecutive because a kernel gives out the lowest descriptors first. The sweep can
also spread blocks of neighbouring slots. Within a block it goes from one slot to the next.
"""

from __future__ import annotations

import math

GOLDEN = (math.sqrt(5) - 1) / 2  # 0.618..., the limit of the quotient of consecutive Fibonacci numbers


class PhaseSweep:
    """A sweep over a table of ``slots`` slots, which visits each slot once an interval, in blocks of ``abreast``, from the time
    ``start`` on. Times are seconds of any one clock.
    """

    def __init__(self, slots: int, interval: float, start: float, abreast: int = 1) -> None:
        self.slots = slots
        self.interval = interval
        self.start = start
        self.abreast = abreast
        self.stride, self.blocks = fibonacci(-(-slots // abreast))
        self.marks = self.blocks * abreast
        self.position = 0  # marks passed in all rounds

    def advance(self, now: float, most: int) -> list[int]:
        """Return the slots that the sweep has passed since the last call, within at most ``most`` marks.

        The rest is left for the next call. If more than a whole round was missed, the turns before the last round are skipped,
        so no slot has two turns at a time.
        """
        goal = self.mark_at(now)
        first = max(self.position, goal - self.marks)
        self.position = max(min(goal, first + most), self.position)
        stride, blocks, slots, abreast = self.stride, self.blocks, self.slots, self.abreast
        passed = [mark // abreast * stride % blocks * abreast + mark % abreast for mark in range(first, self.position)]
        return [slot for slot in passed if slot < slots]

    def mark_at(self, now: float) -> int:
        """Return the number of marks that the sweep should have passed at a time."""
        return math.floor((now - self.start) / self.interval * self.marks)

    def behind(self, now: float) -> bool:
        """Return whether there are slots that the sweep should have passed by now."""
        return self.position < self.mark_at(now)


def fibonacci(least: int) -> tuple[int, int]:
    """Return two consecutive Fibonacci numbers, the larger at least ``least``. They are coprime."""
    before, number = 1, 1
    while number < least:
        before, number = number, before + number
    return before, number
