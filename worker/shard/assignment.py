"""What one shard is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from c1m.net.tuples import Route, TupleSpace
from c1m.orders.shard_settings import ShardSettings
from c1m.schedule.ring import RingShare

POINT_BITS = 64  # bits of a shard's seed: below the run's seed stands where its arc begins


@dataclass(frozen=True, slots=True)
class ShardAssignment:
    """The part of a run that one shard opens, and the settings that it has in common with all others."""

    index: int
    space: TupleSpace
    routes: tuple[Route, ...]
    share: RingShare  # of the run's connections
    settings: ShardSettings
    descriptors: int  # size of the shard's descriptor table
    tick: float  # seconds between two openings in a row, so that the shards of the host do not spend their time waking

    @property
    def seed(self) -> int:
        """The seed of whatever is random in this shard."""
        return self.settings.seed << POINT_BITS | self.share.first
