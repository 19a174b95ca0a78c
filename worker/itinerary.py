"""The routes of a shard, walked in turns, with what is left of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from c1m.routes import Address, Route, TupleSpace


@dataclass(slots=True)
class Leg:
    """A route on the way: its tuples, and how many connections it still wants."""

    destination: Address
    tuples: Iterator[Address]
    wanted: int


class Itinerary:
    """Takes turns among routes, so that every acceptor's queue gets a share of each moment."""

    def __init__(self, space: TupleSpace, routes: Iterable[Route]) -> None:
        self.legs = deque(
            Leg(route.destination, space.walk(route.first, route.span), route.count) for route in routes if route.count
        )

    @property
    def wanted(self) -> int:
        return sum(leg.wanted for leg in self.legs)

    def next_leg(self) -> Leg | None:
        """The route whose turn it is; None when all are done."""
        while self.legs and not self.legs[0].wanted:
            self.legs.popleft()
        self.legs.rotate(-1)
        return self.legs[-1] if self.legs else None
