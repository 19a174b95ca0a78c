"""Turnover: connections that end during a run, and the connections that replace them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .backoff import Backoff
from .distribution import AT_ONCE, Distribution
from .storm import Storm


@dataclass(frozen=True, slots=True)
class Turnover:
    """The settings by which connections of a run end and are replaced: lifetime, downtime, backoff and storms."""

    lifetime: Distribution | None = None  # of a connection once it is established; None: as long as the run
    downtime: Distribution = AT_ONCE  # from the end of a connection to its replacement
    backoff: Backoff | None = None  # between attempts for dropped and failed connections; None: they are not retried
    storms: tuple[Storm, ...] = ()


@dataclass(frozen=True, slots=True)
class Wave:
    """The effect of a storm on the connections of one process, or the sum over many."""

    dropped: int = 0
    returned: int = 0  # of the dropped ones, established again
    recovered_seconds: float = 0.0  # from the storm to the last return so far
    slowest_seconds: float = 0.0  # the longest connect of the returned ones
    forgone: int = 0  # of the dropped ones, no longer needed because the schedule fell meanwhile

    @property
    def is_over(self) -> bool:
        """Whether every connection that the storm dropped, and that should return, has returned."""
        return 0 < self.dropped <= self.returned + self.forgone

    def __add__(self, other: Wave) -> Wave:
        return Wave(
            self.dropped + other.dropped,
            self.returned + other.returned,
            max(self.recovered_seconds, other.recovered_seconds),
            max(self.slowest_seconds, other.slowest_seconds),
            self.forgone + other.forgone,
        )


def joined_waves(several: list[tuple[Wave, ...]]) -> tuple[Wave, ...]:
    """Return the effect of each storm, in order, added up over several processes.

    A process that has not reported a storm yet adds nothing to it.
    """
    longest = max(map(len, several), default=0)
    return tuple(sum((waves[index] for waves in several if index < len(waves)), Wave()) for index in range(longest))
