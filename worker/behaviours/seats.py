"""Seats: what the schedule has filled, whoever sits there now.

A connection that ends with its lifetime, in a storm or because it was dropped leaves its seat to a successor. Until that
one is due the seat is *away* (as the run asked: a downtime, the return from a storm) or *waiting* (for the next try after
a drop or a failure). So at any moment the schedule is

    held + in flight + away + waiting + what was lost for good

A successor connects to where its predecessor did, so that no acceptor gets more than the plan gives it, from any 4-tuple
of that leg which nobody uses. Of each connection a byte is kept, its errand, and of a seat without one 4 bytes.
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

# An errand: why a connection comes. How many tries failed before it, whether it has been established, whether it is another
# one's successor, and what tells its storm from the two before and after it. A seat's has the number of its leg above that.
TRIES = 0b0000_1111
ARRIVED = 0b0001_0000
SUCCESSOR = 0b0010_0000
STORM = 0b1100_0000
STORM_SHIFT = 6
KEPT = 0b1111_1111
LEG_SHIFT = 8

AGAIN_SECONDS = 0.05  # until one is tried again for which there was no free 4-tuple


class Seats:
    """Times are seconds from the start of the run."""

    def __init__(
        self, opener: Opener, rotation: RouteRotation, backoff: Backoff | None, chance: Random, *, reset: bool
    ) -> None:
        """``backoff``: how dropped and failed ones are tried again, None for never. ``reset``: how ours are closed."""
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
        """Seats that are the schedule's, and in which nobody sits or is about to."""
        return len(self.away) + len(self.waiting) + len(self.back)

    # -- coming

    def welcome(self, now: float, most: int) -> None:
        """Start the successors that are due, up to ``most``."""
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
        """When the next successor is due, of those that do not only wait for room."""
        return min(self.away.next(), self.waiting.next())

    def is_first_in_flight(self) -> bool:
        """Whether somebody is on the way who is nobody's successor."""
        connections = self.connections
        descriptor = connections.state.find(CONNECTING)
        while descriptor >= 0 and connections.errand[descriptor] & SUCCESSOR:
            descriptor = connections.state.find(CONNECTING, descriptor + 1)
        return descriptor >= 0

    def settle(self, descriptor: int) -> int:
        """It is established. Its errand, of which it keeps the tries: it may not be for long."""
        errand = self.connections.errand[descriptor]
        self.arrived += bool(errand & SUCCESSOR)
        self.connections.errand[descriptor] = errand & TRIES | ARRIVED
        return errand

    # -- leaving

    def vacate(self, descriptor: int, until: float, now: float, storm: int = 0) -> None:
        """Close a connection, whose successor comes then."""
        for number, source, _ in self.connections.close((descriptor,), reset=self.reset):
            self.rotation.legs[number].free(source)
            self.vacated += 1
            errand = number << LEG_SHIFT | storm << STORM_SHIFT
            if until > now:
                self.away.add(until, errand)
            else:
                self.back.append(errand)

    def lose(self, place: TuplePlace, now: float, storm: int = 0) -> None:
        """A connection was dropped, or never came to be, and there is a backoff."""
        assert self.backoff
        number, source, errand = place
        self.rotation.legs[number].free(source)
        tries = errand & TRIES
        mark = storm << STORM_SHIFT or errand & STORM
        self.waiting.add(now + self.backoff.wait(tries, self.chance), number << LEG_SHIFT | mark | min(tries + 1, TRIES))

    def forgo(self, count: int) -> Iterator[int]:
        """Give up so many seats for which nobody is in flight: the schedule has fallen. Their errands."""
        for _ in range(min(count, self.empty)):
            errand = self.back.pop() if self.back else (self.away or self.waiting).pop()
            self.rotation.vacate(errand >> LEG_SHIFT)
            yield errand
