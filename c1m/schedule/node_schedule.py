"""The schedule that a node follows, and the node's share of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from c1m.errors import UsageError

from .ring import RingShare
from .schedule import Arrival, Revision, Stage

COUNTED_SECONDS = 1.0  # the age limit of a shard's changing tally: shards report twice a second, once without a schedule


def reached_by_all(reached: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Return {stage: time at which the last shard reached it}, in nanoseconds, for the stages that all shards have reached.

    A stage is its index in the schedule.
    """
    every = list(reached)
    stages = set(every[0]).intersection(*every) if every else set()
    return {stage: max(each[stage] for each in every) for stage in sorted(stages)}


@dataclass(frozen=True, slots=True)
class NodeSchedule:
    """The schedule that a node's shards follow, and which of the run's connections (arcs of the ring) each shard opens."""

    shares: tuple[RingShare, ...]  # arcs of one ring, one for each shard by its index
    revision: Revision
    arrival: Arrival

    @property
    def peak(self) -> int:
        """The largest number of connections of the whole run, which is the same on all nodes."""
        return self.shares[0].peak

    @property
    def size(self) -> int:
        """How many connections the node has when the run is at its peak."""
        return sum(share.size for share in self.shares)

    def joined_by(self, more: Iterable[RingShare]) -> NodeSchedule:
        """Return this schedule with the shares of additional shards.

        Raises UsageError if two shares overlap, since a connection belongs to one shard.
        """
        joined = replace(self, shares=(*self.shares, *more))
        for share, after in pairwise(sorted(joined.shares, key=lambda share: share.first)):
            if share.first + share.size > after.first:
                raise UsageError(f"{share} and {after} have connections in common; send arcs that no shard of this node has")
        return joined

    def retargeted(self, at_ns: int, stages: Iterable[Stage]) -> NodeSchedule:
        """Return this schedule with other stages from ``at_ns`` on.

        A run that opened connections as fast as possible opens and closes them at constant rates from there on.
        """
        arrival = Arrival.CONSTANT if self.arrival is Arrival.CLOSED_LOOP else self.arrival
        return NodeSchedule(self.shares, self.revision.next(at_ns, stages), arrival)

    def scheduled(self, elapsed_ns: Sequence[int]) -> int:
        """Return how many connections the node should have open by its schedule. ``elapsed_ns`` has a time for each shard."""
        numbers = map(self.revision.schedule.at, elapsed_ns)
        return sum(share.count(number) for share, number in zip(self.shares, numbers, strict=True))
