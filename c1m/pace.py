"""When connections are due: pure functions of elapsed time. Nobody here looks at a clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

FOREVER = math.inf


class Pace(Protocol):
    """How many connections are due after a time, and when each one is."""

    def due(self, elapsed: float) -> float:
        """How many connections should have been started ``elapsed`` seconds into the run."""

    def when(self, index: int) -> float:
        """Seconds into the run at which connection ``index`` (from 0) is due."""


@dataclass(frozen=True, slots=True)
class Steady:
    """An open loop: one connection every ``1 / rate`` seconds whatever the server does, the first after ``phase`` seconds.

    Shards of one run share a rate; different phases keep them from starting connections at the same instants.
    """

    rate: float
    phase: float = 0.0

    def due(self, elapsed: float) -> float:
        if elapsed < self.phase:
            return 0
        return math.floor((elapsed - self.phase) * self.rate) + 1

    def when(self, index: int) -> float:
        return self.phase + index / self.rate


@dataclass(frozen=True, slots=True)
class Flat:
    """A closed loop: everything is due at once, and only connects in flight hold it back."""

    def due(self, elapsed: float) -> float:  # noqa: ARG002 - a pace takes the time, even one that does not care
        return FOREVER

    def when(self, index: int) -> float:  # noqa: ARG002
        return 0.0


def pace(rate: float, phase: float) -> Pace:
    """``rate`` connections a second; 0 is as fast as they go."""
    return Steady(rate, phase) if rate else Flat()
