"""Turnover as a run asks for it: connections that end while it goes on, and others that come in their place. Pure."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

from .backoff import Backoff
from .distribution import AT_ONCE, Distribution
from .storm import Storm


@dataclass(frozen=True, slots=True)
class Turnover:
    lifetime: Distribution | None = None  # of a connection, from when it is established; None: as long as the run
    downtime: Distribution = AT_ONCE  # from its end to its successor
    backoff: Backoff | None = None  # how dropped and failed ones are tried again; None: never
    storms: tuple[Storm, ...] = ()

    def to_message(self) -> tuple[Any, ...]:
        """Plain values, as a link takes them."""
        return (
            self.lifetime and astuple(self.lifetime),
            astuple(self.downtime),
            self.backoff and astuple(self.backoff),
            [astuple(storm) for storm in self.storms],
        )

    @classmethod
    def from_message(cls, message: tuple[Any, ...]) -> Turnover:
        lifetime, downtime, backoff, storms = message
        return cls(
            lifetime and Distribution(*lifetime),
            Distribution(*downtime),
            backoff and Backoff(*backoff),
            tuple(Storm(*storm) for storm in storms),
        )


@dataclass(frozen=True, slots=True)
class Wave:
    """What a storm did to the connections of a process, or of many added together."""

    dropped: int = 0
    returned: int = 0  # of those, established again
    recovered_seconds: float = 0.0  # from the storm to the last return so far
    slowest_seconds: float = 0.0  # the longest connect of those that returned
    forgone: int = 0  # of those dropped, not asked for any more: the schedule fell while they were away

    @property
    def is_over(self) -> bool:
        """Whether everybody who left is back who should be."""
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
    """Storm by storm, in their order; whoever has not told of one yet has nothing to tell of it."""
    longest = max(map(len, several), default=0)
    return tuple(sum((waves[index] for waves in several if index < len(waves)), Wave()) for index in range(longest))
