"""Seats: the places of the schedule, each with a connection, or waiting for a successor.

A connection that ends with its lifetime, in a storm or by a drop leaves its seat to a successor. Until the successor is
due, the seat is *away* (as the run asked: a downtime, the return from a storm) or *waiting* (for the next try after a drop
or a failure). At any moment the schedule is

    held + in flight + away + waiting + what was lost for good

A successor connects to the same destination as its predecessor, so that no acceptor gets more than the plan gives it, from
any free 4-tuple of that route. Each connection stores one byte, its errand; each empty seat stores 4 bytes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from itertools import groupby, repeat
from random import Random

from c1m.traffic.backoff import Backoff
from c1m.worker.sockets.connections import CONNECTING
from c1m.worker.sockets.opener import Opener
from c1m.worker.sockets.route_rotation import RouteRotation, TuplePlace

from .timer_wheel import ReturnCalendar

# An errand says why a connection is opened: how many tries failed before it, whether it has been established, whether it is a
# successor, and a mark that tells its storm from the two before and after it. A seat adds its route's number above that.
TRIES = 0b0000_1111
ARRIVED = 0b0001_0000
SUCCESSOR = 0b0010_0000
STORM = 0b1100_0000
STORM_SHIFT = 6
KEPT = 0b1111_1111
LEG_SHIFT = 8

AGAIN_SECONDS = 0.05  # before a seat is tried again for which there was no free 4-tuple


class Seats:
    """The seats of one shard: places in the schedule, each with a connection or waiting for a successor.

    Times are seconds from the start of the run.
    """

    def __init__(
        self, opener: Opener, rotation: RouteRotation, backoff: Backoff | None, chance: Random, *, reset: bool
    ) -> None:
        """Create the seats of a shard.

        ``backoff`` is how dropped and failed connections are tried again, None for never; ``reset`` whether connections are
        closed with a RST.
        """
        self.opener = opener
        self.connections = opener.connections
        self.rotation = rotation
        self.backoff = backoff
        self.chance = chance
        self.reset = reset
        self.away = ReturnCalendar(chance.random())  # as the run asked
        self.waiting = ReturnCalendar(chance.random())  # for the next try
        self.back: deque[int] = deque()  # errands of successors that are due
        self.reopened = 0  # tries in place of what was dropped or failed
        self.vacated = self.arrived = 0  # connections closed here, and successors that were established

    @property
    def empty(self) -> int:
        """The number of seats that belong to the schedule and have no connection, open or in flight."""
        return len(self.away) + len(self.waiting) + len(self.back)

    # -- coming

    def welcome(self, now: float, most: int) -> None:
        """Open the successors that are due at the time ``now``, up to ``most`` connections. Returns nothing."""
        self.back.extend(self.away.over(now))
        again = self.waiting.over(now)
        self.reopened += len(again)
        self.back.extend(again)
        due = repeat(time.monotonic())
        first = [self.back.popleft() for _ in range(min(most, len(self.back)))]
        for errand, alike in groupby(first):
            count = sum(1 for _ in alike)
            leg = self.rotation.legs[errand >> LEG_SHIFT]
            for _ in range(count - self.opener.open(leg, count, due, errand & KEPT | SUCCESSOR)):
                self.away.add(now + AGAIN_SECONDS, errand)

    def next(self) -> float:
        """Return the time at which the next successor becomes due; infinite without any.

        Those that are due already and only wait for room do not count.
        """
        return min(self.away.next(), self.waiting.next())

    def is_first_in_flight(self) -> bool:
        """Return whether any connection is in flight that does not replace another one."""
        connections = self.connections
        descriptor = connections.state.find(CONNECTING)
        while descriptor >= 0 and connections.errand[descriptor] & SUCCESSOR:
            descriptor = connections.state.find(CONNECTING, descriptor + 1)
        return descriptor >= 0

    def settle(self, descriptor: int) -> int:
        """Record that a connection is established, and return its errand.

        The connection keeps the number of tries, since it may not last.
        """
        errand = self.connections.errand[descriptor]
        self.arrived += bool(errand & SUCCESSOR)
        self.connections.errand[descriptor] = errand & TRIES | ARRIVED
        return errand

    # -- leaving

    def vacate(self, descriptor: int, until: float, now: float, storm: int = 0) -> None:
        """Close a connection and schedule its successor for the time ``until``. Returns nothing."""
        for number, source, _ in self.connections.close((descriptor,), reset=self.reset):
            self.rotation.legs[number].free(source)
            self.vacated += 1
            errand = number << LEG_SHIFT | storm << STORM_SHIFT
            if until > now:
                self.away.add(until, errand)
            else:
                self.back.append(errand)

    def lose(self, place: TuplePlace, now: float, storm: int = 0) -> None:
        """Schedule the next try for a connection that was dropped or failed. There must be a backoff."""
        assert self.backoff
        number, source, errand = place
        self.rotation.legs[number].free(source)
        tries = errand & TRIES
        mark = storm << STORM_SHIFT or errand & STORM
        self.waiting.add(now + self.backoff.wait(tries, self.chance), number << LEG_SHIFT | mark | min(tries + 1, TRIES))

    def forgo(self, count: int) -> Iterator[int]:
        """Give up ``count`` seats without a connection, because the schedule fell. Yield the errands of their successors."""
        for _ in range(min(count, self.empty)):
            errand = self.back.pop() if self.back else (self.away or self.waiting).pop()
            self.rotation.vacate(errand >> LEG_SHIFT)
            yield errand
