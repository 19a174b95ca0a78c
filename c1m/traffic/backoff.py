"""How long to wait before the next try: twice as long each time, up to a cap, and anywhere below that. Pure.

"Full jitter": the wait is uniform between nothing and the bound. Whoever was dropped at one instant comes back spread, and not
in waves, as with a jitter of a few percent.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

MOST_TRIES = 31  # that are told apart: 2**31 times any wait is beyond any cap


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds: the bound of the first wait, and of the longest."""

    first: float
    cap: float

    def bound(self, tries: int) -> float:
        """``tries`` that failed before, from 0."""
        return min(self.first * (1 << min(tries, MOST_TRIES)), self.cap)

    def wait(self, tries: int, chance: Random) -> float:
        return chance.uniform(0, self.bound(tries))

    def __str__(self) -> str:
        return f"{self.first:.12g}s-{self.cap:.12g}s"
