"""How long something lasts that does not always last equally long: fixed, uniform or exponential. Pure.

The randomness is an argument: whoever seeds it gets the same lifetimes again.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

FIXED, UNIFORM, EXPONENTIAL = "fixed", "uniform", "exp"


@dataclass(frozen=True, slots=True)
class Distribution:
    """Seconds. Fixed and exponential ones have their mean for ``low`` and ``high``, a uniform one its ends."""

    kind: str
    low: float
    high: float

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    def draw(self, chance: Random) -> float:
        if self.kind == EXPONENTIAL:
            return chance.expovariate(1 / self.mean)
        return self.low if self.kind == FIXED else chance.uniform(self.low, self.high)

    def __str__(self) -> str:
        ends = (self.low, self.high) if self.kind == UNIFORM else (self.low,)
        return f"{self.kind}:{'-'.join(f'{end:.12g}s' for end in ends)}"


AT_ONCE = Distribution(FIXED, 0.0, 0.0)
