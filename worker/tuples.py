"""The 4-tuples of one route, used again and again: first those that never were, then those given back, the oldest first.

Going round through all of them, spare ones included, lets each rest as long as it can: a RST that the network lost, a NAT's
or a firewall's memory, and a TIME_WAIT are over then, mostly. One that is not yet is given back and comes after the others.
"""

from __future__ import annotations

from array import array

from c1m.routes import Address, Route, TupleSpace

COMPACTED_FROM = 1024  # numbers taken from the front of the queue before they are cut off it


class Freed:
    """Numbers in the order in which they were given back, 4 bytes each."""

    def __init__(self) -> None:
        self.numbers = array("I")
        self.head = 0  # of the queue, in ``numbers``

    def __len__(self) -> int:
        return len(self.numbers) - self.head

    def push(self, number: int) -> None:
        self.numbers.append(number)

    def pop(self) -> int | None:
        """The one that was given back longest ago; None when there is none."""
        if self.head == len(self.numbers):
            return None
        number = self.numbers[self.head]
        self.head += 1
        if self.head >= COMPACTED_FROM and self.head * 2 >= len(self.numbers):
            del self.numbers[: self.head]
            self.head = 0
        return number


class Tuples:
    """Numbers from 0 below the route's span stand for its 4-tuples: 4 bytes for each that was given back, and no object."""

    def __init__(self, space: TupleSpace, route: Route) -> None:
        self.space = space
        self.route = route
        self.walk = space.walk(route.first, route.span)
        self.walked = 0  # of the span, in order
        self.freed = Freed()

    @property
    def free(self) -> int:
        return self.route.span - self.walked + len(self.freed)

    def take(self) -> tuple[int, Address] | None:
        """One that nobody of this run uses: its number, source address and port. None when all are in use."""
        if self.walked < self.route.span:
            self.walked += 1
            return self.walked - 1, next(self.walk)
        number = self.freed.pop()
        return None if number is None else (number, self.at(number))

    def give_back(self, number: int) -> None:
        self.freed.push(number)

    def at(self, number: int) -> Address:
        return self.space.at(self.route.first + number)
