"""Storms: at its time a share of the connections leaves, and each comes back at its own moment of the return time.

Storms that the target makes are only watched here: what the peers drop at such a time comes back as --reopen lets it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random

from c1m.traffic.storm import CLIENTS, TARGET, Storm, is_chosen
from c1m.traffic.turnover import Wave
from c1m.worker.sockets.connections import ESTABLISHED

from .seats import STORM, STORM_SHIFT, Seats

CHUNK = 64  # closed between two looks at the epoll
MARKS = STORM >> STORM_SHIFT  # storms that are told apart at one time
# A target is told by the coordinator, and each worker has a clock of its own. What peers drop from a little before
# such a storm until some time after it belongs to it.
EARLY_SECONDS, LATE_SECONDS = 0.5, 10.0


class Storms:
    """Times are seconds from the start of the run."""

    def __init__(self, seats: Seats, storms: Sequence[Storm], start: float, chance: Random) -> None:
        """``start`` is the run's, on the monotonic clock."""
        self.seats = seats
        self.start = start
        self.storms = sorted(storms, key=lambda storm: storm.at)
        self.waves = [Wave() for _ in storms]
        # Of each connection's part of the return time: shards that are alike do not come back at the same instants.
        self.phase = chance.random()
        self.begun = 0  # storms that have come; the last of them is the present one
        self.leaving: Iterator[tuple[int, float]] | None = None  # in it: descriptor, and when its successor is due

    def act(self, now: float) -> float:
        """Close those whose storm it is, a chunk at a time."""
        if self.leaving is None and self.next() <= now:
            self.begun += 1
            if self.present.by == CLIENTS:
                self.leaving = self.leavers(self.present, now)
        if self.leaving is not None:
            some = list(islice(self.leaving, CHUNK))
            for descriptor, until in some:
                self.seats.vacate(descriptor, until, now, self.mark(self.begun - 1))
            self.waves[self.begun - 1] += Wave(dropped=len(some))
            if len(some) == CHUNK:
                return now
            self.leaving = None
        return self.next()

    def miss(self, now: float) -> None:
        """Those that have come by then: whoever joins the run has no part in them."""
        while self.next() <= now:
            self.begun += 1

    @property
    def present(self) -> Storm:
        return self.storms[self.begun - 1]

    def next(self) -> float:
        if self.begun == len(self.storms):
            return math.inf
        storm = self.storms[self.begun]
        return storm.at - (EARLY_SECONDS if storm.by == TARGET else 0.0)

    def leavers(self, storm: Storm, now: float) -> Iterator[tuple[int, float]]:
        """A share of those that are open at that time, the lowest descriptor first: those that come back are behind it."""
        connections = self.seats.connections
        expected = max(connections.state.count(ESTABLISHED) * storm.share, 1)
        seen = left = 0
        descriptor = -1
        while (descriptor := connections.state.find(ESTABLISHED, descriptor + 1)) >= 0:
            if connections.called[descriptor] > self.start + now:
                continue
            if is_chosen(seen, storm.share):
                yield descriptor, storm.at + storm.return_seconds * min((left + self.phase) / expected, 1.0)
                left += 1
            seen += 1

    def mark(self, index: int) -> int:
        """Of a storm, for an errand; 0 is none's."""
        return index % MARKS + 1

    def dropped(self, now: float) -> int:
        """A peer dropped a connection: the mark of the target's storm that did it, 0 for none."""
        if not self.begun or self.present.by != TARGET or now > self.present.at + LATE_SECONDS:
            return 0
        self.waves[self.begun - 1] += Wave(dropped=1)
        return self.mark(self.begun - 1)

    def returned(self, errand: int, now: float, took: float) -> None:
        """A successor is established, after a connect that took so long."""
        if (index := self.of(errand)) is not None:
            self.waves[index] += Wave(0, 1, now - self.storms[index].at, took)

    def forgone(self, errand: int) -> None:
        """A successor is not asked for any more."""
        if (index := self.of(errand)) is not None:
            self.waves[index] += Wave(forgone=1)

    def of(self, errand: int) -> int | None:
        """The storm that an errand is of, by its place."""
        mark = (errand & STORM) >> STORM_SHIFT
        return next((index for index in range(self.begun - 1, -1, -1) if self.mark(index) == mark), None) if mark else None
