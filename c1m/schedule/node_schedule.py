"""The schedule that a node follows, and what of it is the node's. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from c1m.errors import UsageError

from .ring import RingShare
from .schedule import Arrival, Revision, Stage

COUNTED_SECONDS = 1.0  # so old may a shard's tally be, if it changes: it tells twice a second, once where nothing is scheduled


def reached_by_all(reached: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Stage, by its place in the schedule -> when the last had reached it; without those that some have not."""
    every = list(reached)
    stages = set(every[0]).intersection(*every) if every else set()
    return {stage: max(each[stage] for each in every) for stage in sorted(stages)}


@dataclass(frozen=True, slots=True)
class NodeSchedule:
    shares: tuple[RingShare, ...]  # arcs of one ring, of each shard by its place in the crew
    revision: Revision
    arrival: Arrival

    @property
    def peak(self) -> int:
        """Of the run, which all nodes have in common."""
        return self.shares[0].peak

    @property
    def size(self) -> int:
        """Connections of the node when the run is at its peak."""
        return sum(share.size for share in self.shares)

    def joined_by(self, more: Iterable[RingShare]) -> NodeSchedule:
        """With other arcs besides. Raises UsageError where two of them have points in common: a connection is one shard's."""
        joined = replace(self, shares=(*self.shares, *more))
        for share, after in pairwise(sorted(joined.shares, key=lambda share: share.first)):
            if share.first + share.size > after.first:
                raise UsageError(f"{share} and {after} have connections in common; send arcs that nobody has here")
        return joined

    def retargeted(self, at_ns: int, stages: Iterable[Stage]) -> NodeSchedule:
        """Other stages from then on; what was opened as fast as it went is closed and opened on the clock from there."""
        arrival = Arrival.CONSTANT if self.arrival is Arrival.RUSH else self.arrival
        return NodeSchedule(self.shares, self.revision.next(at_ns, stages), arrival)

    def scheduled(self, elapsed_ns: Sequence[int]) -> int:
        """How many connections the node should have open by the line, each shard at a time of its own."""
        numbers = map(self.revision.schedule.at, elapsed_ns)
        return sum(share.count(number) for share, number in zip(self.shares, numbers, strict=True))
