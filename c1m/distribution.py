"""How long something lasts that does not always last equally long: fixed, uniform or exponential. Pure.

The randomness is an argument: whoever seeds it gets the same lifetimes again.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from c1m.units import parse_duration

FORMS: Final = "write fixed:60s, uniform:30s-90s or exp:120s"
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


def parse_distribution(text: str) -> Distribution:
    """From "fixed:60s", "uniform:30s-90s", "exp:120s"; a duration alone is a fixed one. Raises ValueError."""
    kind, colon, rest = text.strip().partition(":")
    if not colon:
        kind, rest = FIXED, kind
    if kind not in (FIXED, UNIFORM, EXPONENTIAL):
        raise ValueError(f"{kind!r} is no way for times to be distributed; {FORMS}")
    first, dash, second = rest.partition("-")
    if bool(dash) != (kind == UNIFORM):
        raise ValueError(f"{text!r} has {'one end' if kind == UNIFORM else 'two ends'} where {kind} has not; {FORMS}")
    low = parse_duration(first)
    high = parse_duration(second) if dash else low
    if low > high:
        raise ValueError(f"{text!r} ends before it begins; {FORMS}")
    if kind == EXPONENTIAL and not low:
        raise ValueError(f"{text!r} has a mean of zero; {FORMS}")
    return Distribution(kind, low, high)
