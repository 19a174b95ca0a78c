"""The routes of a shard, walked in turns, with what is left of each, and what comes back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from c1m.routes import Address, Route, TupleSpace

from .tuples import Freed

Place = tuple[int, Address | None]  # the number of a leg, and a source that is free again, if there was one


class Leg:
    """A route on the way: its tuples, and how many connections it still wants."""

    def __init__(self, number: int, space: TupleSpace, route: Route) -> None:
        self.number = number
        self.space = space
        self.route = route
        self.destination = route.destination
        self.wanted = route.count
        self.fresh = space.walk(route.first, route.span)
        self.freed = Freed()
        self.tuples = self.free_ones()

    def free_ones(self) -> Iterator[Address]:
        """First those that never were, then those that came back, the oldest first."""
        return chain(self.fresh, map(self.space.at, iter(self.freed.pop, None)))

    def give_back(self, source: Address | None) -> None:
        self.wanted += 1
        if source is None:
            return
        self.freed.push(self.space.index(source))
        if len(self.freed) == 1:  # an iterator that came to its end stays there
            self.tuples = self.free_ones()


class Itinerary:
    """Takes turns among routes, so that every acceptor's queue gets a share of each moment."""

    def __init__(self, space: TupleSpace, routes: Iterable[Route]) -> None:
        self.legs = [Leg(number, space, route) for number, route in enumerate(routes)]
        self.turns = deque(leg for leg in self.legs if leg.wanted)

    @property
    def wanted(self) -> int:
        return sum(leg.wanted for leg in self.legs)

    def next_leg(self) -> Leg | None:
        """The route whose turn it is; None when all are done."""
        while self.turns and not self.turns[0].wanted:
            self.turns.popleft()
        self.turns.rotate(-1)
        return self.turns[-1] if self.turns else None

    def give_back(self, place: Place) -> None:
        """A connection that was there is gone, and another one may come."""
        number, source = place
        leg = self.legs[number]
        leg.give_back(source)
        if leg.wanted == 1 and leg not in self.turns:
            self.turns.append(leg)

    def recount(self, in_use: Iterable[int]) -> None:
        """What each leg wants follows from the legs that connections are on now, by their numbers."""
        for leg in self.legs:
            leg.wanted = leg.route.count
        for number in in_use:
            self.legs[number].wanted -= 1
        self.turns = deque(leg for leg in self.legs if leg.wanted)

    def by_destination(self) -> dict[Address, int]:
        return {leg.destination: leg.number for leg in self.legs}
