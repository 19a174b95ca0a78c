"""Durations that vary: fixed, uniform or exponential. Pure.

The source of randomness is an argument, so the same seed gives the same durations.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

FIXED, UNIFORM, EXPONENTIAL = "fixed", "uniform", "exp"


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution of durations in seconds.

    ``low`` and ``high`` are the ends of a uniform distribution. For the other kinds both are the mean.
    """

    kind: str
    low: float
    high: float

    @property
    def mean(self) -> float:
        """The mean of the distribution, in seconds."""
        return (self.low + self.high) / 2

    def draw(self, chance: Random) -> float:
        """Return a random duration in seconds that follows the distribution."""
        if self.kind == EXPONENTIAL:
            return chance.expovariate(1 / self.mean)
        return self.low if self.kind == FIXED else chance.uniform(self.low, self.high)

    def __str__(self) -> str:
        ends = (self.low, self.high) if self.kind == UNIFORM else (self.low,)
        return f"{self.kind}:{'-'.join(f'{end:.12g}s' for end in ends)}"


AT_ONCE = Distribution(FIXED, 0.0, 0.0)
