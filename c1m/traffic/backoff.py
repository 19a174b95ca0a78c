"""How long to wait before the next attempt: a random time below a bound that doubles with each attempt, up to a cap. Pure.

This is "full jitter": the wait is uniform between zero and the bound. Clients that were dropped at one instant come back
spread over time, not in waves as with a jitter of a few percent.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

MOST_TRIES = 31  # further attempts do not raise the bound: 2**31 times any wait exceeds any cap


@dataclass(frozen=True, slots=True)
class Backoff:
    """The bounds of the first and of the longest wait before another connection attempt, in seconds."""

    first: float
    cap: float

    def bound(self, tries: int) -> float:
        """Return the longest possible wait in seconds before the next connection attempt, after ``tries`` failed attempts, from
        0.
        """
        return min(self.first * (1 << min(tries, MOST_TRIES)), self.cap)

    def wait(self, tries: int, chance: Random) -> float:
        """Return a random wait in seconds before the next connection attempt, after ``tries`` failed attempts."""
        return chance.uniform(0, self.bound(tries))

    def __str__(self) -> str:
        return f"{self.first:.12g}s-{self.cap:.12g}s"
