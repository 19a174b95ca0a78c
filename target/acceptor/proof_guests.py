"""Connections that asked for a proof and do not belong to the run. An honest worker leaves with the answer. Pure.

They are not counted. Without this limit a stranger could hold the last descriptors by asking and staying.
"""

from __future__ import annotations

import math

MOST = 32  # that may stay; half of the descriptors kept beside connections (c1m.processes.descriptors.RESERVE)
SECONDS = 5.0  # that each may stay, which is as long as a worker waits for an answer


class ProofGuests:
    """The descriptors of connections that were opened for a proof, the oldest first, each with the time at which it is to be
    closed. Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self.until: dict[int, float] = {}

    def add(self, descriptor: int, now: float) -> None:
        self.until[descriptor] = now + SECONDS

    def remove(self, descriptor: int) -> None:
        self.until.pop(descriptor, None)

    @property
    def next_end(self) -> float:
        """The time at which a connection opened for a proof is to be closed next: 0.0 (at once) if there are too many, infinite
        if there is none.
        """
        return 0.0 if len(self.until) > MOST else next(iter(self.until.values()), math.inf)

    def over(self, now: float) -> list[int]:
        """Return the descriptors of the connections that were opened for a proof and stayed long enough at the time ``now``,
        and of the oldest if there are too many. All have had their answers.
        """
        surplus = len(self.until) - MOST
        return [descriptor for place, (descriptor, until) in enumerate(self.until.items()) if place < surplus or until <= now]
