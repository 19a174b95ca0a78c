"""Connections that asked for a proof and do not belong to the run. An honest worker leaves with the answer. Pure.

They are not counted. Without this limit a stranger could hold the last descriptors by asking and staying.
"""

from __future__ import annotations

import math

MOST = 32  # that may stay; half of the descriptors kept beside connections (c1m.processes.descriptors.RESERVE)
SECONDS = 5.0  # that each may stay, which is as long as a worker waits for an answer


class ProofGuests:
    """Descriptors, the oldest first. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.until: dict[int, float] = {}

    def add(self, descriptor: int, now: float) -> None:
        self.until[descriptor] = now + SECONDS

    def remove(self, descriptor: int) -> None:
        self.until.pop(descriptor, None)

    @property
    def next_end(self) -> float:
        """Return when one is to be closed: at once if there are too many, never if there is none."""
        return 0.0 if len(self.until) > MOST else next(iter(self.until.values()), math.inf)

    def over(self, now: float) -> list[int]:
        """Remove and return those that stayed long enough, and the oldest if there are too many. All have had their answers."""
        surplus = len(self.until) - MOST
        return [descriptor for place, (descriptor, until) in enumerate(self.until.items()) if place < surplus or until <= now]
