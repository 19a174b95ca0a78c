"""The routes of a shard, used in turn, with the 4-tuples that are left of each and those that were given back."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from c1m.net.tuples import Address, Route, TupleSpace

# The place of a connection that is gone: the number of its route, its source, which is free again (None: it had none), and its
# errand, a byte of its opener.
TuplePlace = tuple[int, Address | None, int]


class RouteTuples:
    """The free 4-tuples of one route of a shard, and how many connections the route still wants."""

    def __init__(self, number: int, space: TupleSpace, route: Route) -> None:
        self.number = number
        self.space = space
        self.route = route
        self.destination = route.destination
        self.wanted = route.count
        self.fresh = space.walk(route.first, route.span)
        self.freed = FreedTuples()
        self.recycling = False  # its 4-tuples have been in use before
        self.tuples = self.free_ones()

    def free_ones(self) -> Iterator[Address]:
        """Return an iterator over the route's free 4-tuples: first those that were never used, then those given back, the
        oldest first.
        """
        return chain(self.fresh, map(self.recycle, iter(self.freed.pop, None)))

    def recycle(self, index: int) -> Address:
        self.recycling = True
        return self.space.at(index)

    def free(self, source: Address | None) -> None:
        """Give back the 4-tuple of a connection that is gone, so that it can be used again; its successor has a place on this
        route already.
        """
        if source is None:
            return
        self.freed.push(self.space.index(source))
        if len(self.freed) == 1:  # an exhausted iterator stays exhausted
            self.tuples = self.free_ones()

    def skip(self, source: Address | None) -> None:
        """Skip a 4-tuple that is in use.

        If it was ours before, that may be its own TIME_WAIT, which ends, so it is tried again after the others.
        """
        if self.recycling:
            self.free(source)


class RouteRotation:
    """The routes of a shard, used in turn, so that every acceptor's queue gets a share of each moment."""

    def __init__(self, space: TupleSpace, routes: Iterable[Route]) -> None:
        self.legs = [RouteTuples(number, space, route) for number, route in enumerate(routes)]
        self.turns = deque(leg for leg in self.legs if leg.wanted)

    @property
    def wanted(self) -> int:
        return sum(leg.wanted for leg in self.legs)

    def next_leg(self) -> RouteTuples | None:
        """Return the route that opens the next connection; None when no route wants one."""
        while self.turns and not self.turns[0].wanted:
            self.turns.popleft()
        self.turns.rotate(-1)
        return self.turns[-1] if self.turns else None

    def give_back(self, place: TuplePlace) -> None:
        """Give back the 4-tuple of a connection that is gone, and let its route want one more connection."""
        number, source, _ = place
        self.legs[number].free(source)
        self.vacate(number)

    def vacate(self, number: int) -> None:
        """Let the route with this number want one more connection. Returns nothing."""
        leg = self.legs[number]
        leg.wanted += 1
        if leg.wanted == 1 and leg not in self.turns:
            self.turns.append(leg)

    def recount(self, in_use: Iterable[int]) -> None:
        """Compute anew how many connections each route wants, given the route numbers of the open connections."""
        for leg in self.legs:
            leg.wanted = leg.route.count
        for number in in_use:
            self.legs[number].wanted -= 1
        self.turns = deque(leg for leg in self.legs if leg.wanted)

    def by_destination(self) -> dict[Address, int]:
        return {leg.destination: leg.number for leg in self.legs}


COMPACTED_FROM = 1024  # numbers taken from the front of the queue before the array is compacted


class FreedTuples:
    """A queue of the numbers of 4-tuples that were given back and may be used again, 4 bytes each.

    The one given back longest ago is used first. Going through all of a route's tuples, spare ones included, lets each rest as
    long as possible: a RST that the network lost, the memory of a NAT or a firewall, and TIME_WAIT are mostly over by then.
    """

    def __init__(self) -> None:
        self.numbers = array("I")
        self.head = 0  # of the queue, in ``numbers``

    def __len__(self) -> int:
        return len(self.numbers) - self.head

    def push(self, number: int) -> None:
        self.numbers.append(number)

    def pop(self) -> int | None:
        """Remove and return the number of the 4-tuple that was given back longest ago; None when there is none."""
        if self.head == len(self.numbers):
            return None
        number = self.numbers[self.head]
        self.head += 1
        if self.head >= COMPACTED_FROM and self.head * 2 >= len(self.numbers):
            del self.numbers[: self.head]
            self.head = 0
        return number
