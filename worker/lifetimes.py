"""Lifetimes: each connection is closed when its time is over, and another one comes in its place after the downtime."""

from __future__ import annotations

from random import Random

from c1m.distribution import Distribution

from .seats import Seats
from .wheel import Wheel

CHUNK = 64  # closed between two looks at the epoll


class Lifetimes:
    """A deadline for each connection, from when it was established; eight bytes of it."""

    def __init__(self, seats: Seats, lifetime: Distribution, downtime: Distribution, chance: Random) -> None:
        self.seats = seats
        self.lifetime = lifetime
        self.downtime = downtime
        self.chance = chance
        self.wheel = Wheel(len(seats.connections.state))
        self.replaced = 0

    def opened(self, descriptor: int, now: float) -> None:
        self.wheel.set(descriptor, now + self.lifetime.draw(self.chance))

    def gone(self, descriptor: int) -> None:
        self.wheel.cancel(descriptor)

    def act(self, now: float) -> float:
        for descriptor in self.wheel.due(now, CHUNK):
            self.seats.vacate(descriptor, now + self.downtime.draw(self.chance), now)
            self.replaced += 1
        return self.wheel.next()
