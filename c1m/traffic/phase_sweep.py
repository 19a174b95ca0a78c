"""A hand that sweeps a table once an interval: who is due, and when, without a timer or a deadline for anybody. Pure.

What stands in slot s of the table has its turn when the hand is there: every interval, at a phase of its own. The dial has as
many marks as the next Fibonacci number, and from one to the next the hand goes on by the Fibonacci number before, in
slots. So consecutive slots lie 0.618 of an interval apart, and any run of slots in use (a kernel gives out the lowest
descriptors first) is spread over the interval as evenly as can be. Instead of slots it can be blocks of neighbours that are
spread so, and within a block the hand goes from one slot to the next.
"""

from __future__ import annotations

import math

GOLDEN = (math.sqrt(5) - 1) / 2  # 0.618..., to which the quotient of neighbours comes ever closer


class PhaseSweep:
    """Of a table with so many slots, ``abreast`` of them a block, from ``start`` on. Times are seconds of whatever clock."""

    def __init__(self, slots: int, interval: float, start: float, abreast: int = 1) -> None:
        self.slots = slots
        self.interval = interval
        self.start = start
        self.abreast = abreast
        self.stride, self.blocks = fibonacci(-(-slots // abreast))
        self.marks = self.blocks * abreast
        self.position = 0  # marks gone past, of all rounds

    def advance(self, now: float, most: int) -> list[int]:
        """The slots gone past since the last call, within up to ``most`` marks: the rest is left for the next call.

        When more than a whole round has been missed, what is older than the last round is left out: nobody has two turns at
        a time.
        """
        goal = self.mark_at(now)
        first = max(self.position, goal - self.marks)
        self.position = max(min(goal, first + most), self.position)
        stride, blocks, slots, abreast = self.stride, self.blocks, self.slots, self.abreast
        passed = [mark // abreast * stride % blocks * abreast + mark % abreast for mark in range(first, self.position)]
        return [slot for slot in passed if slot < slots]

    def mark_at(self, now: float) -> int:
        return math.floor((now - self.start) / self.interval * self.marks)

    def behind(self, now: float) -> bool:
        """Whether there are slots that it should have gone past by now."""
        return self.position < self.mark_at(now)


def fibonacci(least: int) -> tuple[int, int]:
    """Two neighbours, the greater of them at least so great. They have no divisor in common."""
    before, number = 1, 1
    while number < least:
        before, number = number, before + number
    return before, number
