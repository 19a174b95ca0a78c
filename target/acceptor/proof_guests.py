"""Connections that asked for a proof, and are none of the run's: an honest worker leaves with the answer. Pure.

They are not counted, so that nothing but this keeps a stranger from holding the last descriptors by asking and staying.
"""

from __future__ import annotations

import math

MOST = 32  # that stay; half of what is kept beside connections (c1m.descriptors.RESERVE)
SECONDS = 5.0  # that each may stay, which is as long as a worker waits for an answer


class ProofGuests:
    """Descriptors, the oldest first; times are monotonic seconds."""

    def __init__(self) -> None:
        self.until: dict[int, float] = {}

    def add(self, descriptor: int, now: float) -> None:
        self.until[descriptor] = now + SECONDS

    def remove(self, descriptor: int) -> None:
        self.until.pop(descriptor, None)

    @property
    def next_end(self) -> float:
        """When one is to leave: at once where there are too many, and never where there is none."""
        return 0.0 if len(self.until) > MOST else next(iter(self.until.values()), math.inf)

    def over(self, now: float) -> list[int]:
        """Those that have stayed for long enough, and the oldest of too many. All have had their answers."""
        surplus = len(self.until) - MOST
        return [descriptor for place, (descriptor, until) in enumerate(self.until.items()) if place < surplus or until <= now]
