"""The schedule that a node follows, and what of it is the node's. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from c1m.dealing import Share
from c1m.schedule import Arrival, Revision, Stage


def reached_by_all(reached: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Stage, by its place in the schedule -> when the last had reached it; without those that some have not."""
    every = list(reached)
    stages = set(every[0]).intersection(*every) if every else set()
    return {stage: max(each[stage] for each in every) for stage in sorted(stages)}


@dataclass(frozen=True, slots=True)
class Following:
    share: Share
    revision: Revision
    arrival: Arrival

    def retargeted(self, at_ns: int, stages: Iterable[Stage]) -> Following:
        """Other stages from then on; what was opened as fast as it went is closed and opened on the clock from there."""
        arrival = Arrival.CONSTANT if self.arrival is Arrival.RUSH else self.arrival
        return Following(self.share, self.revision.next(at_ns, stages), arrival)

    def scheduled(self, elapsed_ns: int) -> int:
        """How many connections the node should have open by the line."""
        return self.share.count(self.revision.schedule.at(elapsed_ns))
