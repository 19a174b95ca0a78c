"""Seat turnover: connections that end while the run goes on, and the successors that replace them.

One behaviour combines all that replaces connections: lifetimes, storms, and reopening of drops. Its caller uses the
monotonic clock; inside, times are seconds from the start of the run.
"""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

from c1m.measure.tally import Tally
from c1m.traffic.turnover import Turnover
from c1m.worker.sockets.opener import Opener
from c1m.worker.sockets.route_rotation import RouteRotation

from .lifetimes import Lifetimes
from .seats import ARRIVED, TRIES, Seats
from .storm_waves import Storms

CHUNK = 64  # successors opened between two looks at the epoll


class SeatTurnover:
    def __init__(
        self,
        wanted: Turnover,
        opener: Opener,
        rotation: RouteRotation,
        start: float,
        chance: Random,
        *,
        reset: bool,
        most_in_flight: int,
    ) -> None:
        """Create the behaviour that ends connections of a shard and replaces them.

        ``start`` is the start of the run on the monotonic clock. The other arguments are those of ``Seats``.
        """
        self.connections = opener.connections
        self.backoff = wanted.backoff
        self.start = start
        self.most_in_flight = most_in_flight
        self.seats = Seats(opener, rotation, wanted.backoff, chance, reset=reset)
        self.lifetimes: Lifetimes | None = None
        if wanted.lifetime:
            share = sum(leg.route.count for leg in rotation.legs)
            self.lifetimes = Lifetimes(self.seats, wanted.lifetime, wanted.downtime, share, chance)
        self.storms = Storms(self.seats, wanted.storms, start, chance)
        self.turnover_stopped = False  # no connection is replaced any more

    def opened(self, descriptor: int, now: float) -> None:
        elapsed = now - self.start
        errand = self.seats.settle(descriptor)
        self.storms.returned(errand, elapsed, now - self.connections.called[descriptor])
        if self.lifetimes:
            self.lifetimes.opened(descriptor, elapsed)

    def heard(self, descriptor: int, data: bytes, now: float) -> None:
        """Do nothing with received bytes: they do not prolong a connection's lifetime."""

    def gone(self, descriptor: int, now: float) -> None:
        """Cancel the lifetime of a connection that has ended.

        A connection that lived longer than the longest backoff starts again with the shortest.
        """
        if self.lifetimes:
            self.lifetimes.gone(descriptor)
        if self.backoff and now - self.connections.called[descriptor] > self.backoff.cap:
            self.connections.errand[descriptor] &= ~TRIES

    def take_lost(self, elapsed: float) -> None:
        """Schedule another try for connections that were dropped or failed, if the run has a backoff.

        Without one the regulator reclaims them.
        """
        lost = self.connections.lost
        while lost and self.backoff:
            place = lost.popleft()
            dropped = place[2] & ARRIVED and not self.turnover_stopped
            self.seats.lose(place, elapsed, self.storms.dropped(elapsed) if dropped else 0)

    def forgo(self, count: int) -> None:
        """Give up ``count`` seats that wait for a successor, because the schedule fell. Returns nothing."""
        for errand in self.seats.forgo(count):
            self.storms.forgone(errand)

    def add_to(self, tally: Tally) -> Tally:
        """Return a tally with the counters of turnover added, which the table of connections does not have."""
        seats = self.seats
        return replace(
            tally,
            replaced=self.lifetimes.replaced if self.lifetimes else 0,
            reopened=seats.reopened,
            away=len(seats.away) + len(seats.back),
            waiting=len(seats.waiting),
        )

    def act(self, now: float) -> float:
        """Close and reopen the connections that are due, and return when to call again, in monotonic seconds.

        Storms come first, so that a connection that leaves in one is not replaced before it; successors last, since some become
        due at once.
        """
        elapsed = now - self.start
        self.take_lost(elapsed)
        if self.turnover_stopped:
            return math.inf
        following = [self.storms.act(elapsed)]
        if self.lifetimes:
            following.append(self.lifetimes.act(elapsed))
        room = self.most_in_flight - self.connections.in_flight
        self.seats.welcome(elapsed, min(room, CHUNK))
        self.take_lost(elapsed)  # those that failed at once
        if self.seats.back and self.connections.in_flight < self.most_in_flight:
            return now
        return self.start + min(*following, self.seats.next())
