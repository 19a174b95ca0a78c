"""Storms: at a given time a share of the connections leaves; each returns at its own moment of the return time.

Storms made by the target are only observed here: what peers drop at that time is reopened as --reopen says.
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
MARKS = STORM >> STORM_SHIFT  # storms that are counted separately at one time
# The coordinator tells the target when to drop, and each worker has its own clock. What peers drop from a little before
# such a storm until some time after it belongs to it.
EARLY_SECONDS, LATE_SECONDS = 0.5, 10.0


class Storms:
    """Closes one shard's part of the connections in each storm of a run, and counts those that return.

    Times are seconds from the start of the run.
    """

    def __init__(self, seats: Seats, storms: Sequence[Storm], start: float, chance: Random) -> None:
        """Create the storms of a shard. ``start`` is the start of the run on the monotonic clock."""
        self.seats = seats
        self.start = start
        self.storms = sorted(storms, key=lambda storm: storm.at)
        self.waves = [Wave() for _ in storms]
        # The phase of this shard's returns, so that equal shards do not return at the same instants.
        self.phase = chance.random()
        self.begun = 0  # storms that have begun; the last of them is the present one
        self.leaving: Iterator[tuple[int, float]] | None = (
            None  # of the present storm: descriptor, and when its successor is due
        )

    def act(self, now: float) -> float:
        """Close connections of the present storm, a chunk at a time, and return when to call again, in seconds from the start
        of the run.
        """
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
        """Skip the storms that came before ``now``: a shard that joins late takes no part in them."""
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
        """Yield the descriptors of the connections that leave in a storm, lowest first, each with the time at which its
        successor is due. Connections that return get descriptors behind it.
        """
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
        """Return the mark, from 1, that stands for a storm in a connection's errand; 0 stands for no storm."""
        return index % MARKS + 1

    def dropped(self, now: float) -> int:
        """Return the mark of the target's storm that dropped a connection at the time ``now``, and count the connection there;
        0 if no storm caused the drop.
        """
        if not self.begun or self.present.by != TARGET or now > self.present.at + LATE_SECONDS:
            return 0
        self.waves[self.begun - 1] += Wave(dropped=1)
        return self.mark(self.begun - 1)

    def returned(self, errand: int, now: float, took: float) -> None:
        """Count in its storm that a dropped connection's successor is established, after a connect that took ``took`` seconds.

        Returns nothing.
        """
        if (index := self.of(errand)) is not None:
            self.waves[index] += Wave(0, 1, now - self.storms[index].at, took)

    def forgone(self, errand: int) -> None:
        """Count in its storm that the successor of a dropped connection is not wanted any more. Returns nothing."""
        if (index := self.of(errand)) is not None:
            self.waves[index] += Wave(forgone=1)

    def of(self, errand: int) -> int | None:
        """Return the index of the storm that an errand belongs to; None for no storm."""
        mark = (errand & STORM) >> STORM_SHIFT
        return next((index for index in range(self.begun - 1, -1, -1) if self.mark(index) == mark), None) if mark else None
