"""Lifetimes: each connection is closed when its lifetime ends, and a successor is opened after the downtime."""

from __future__ import annotations

import math
from random import Random

from c1m.traffic.distribution import Distribution

from .seats import Seats
from .timer_wheel import TICK_SECONDS, TimerWheel

CHUNK = 64  # closed between two looks at the epoll
TOGETHER = 4  # that may end in one tick: more would come in bursts, fewer would wake a shard too often
MOST_TICKS = 64  # in a mean lifetime at least, so that a tick is negligible


class Lifetimes:
    """Closes each connection of a shard at the end of a random lifetime, counted from its handshake.

    A deadline takes eight bytes. Times are seconds from the start of the run.
    """

    def __init__(self, seats: Seats, lifetime: Distribution, downtime: Distribution, share: int, chance: Random) -> None:
        """Create the lifetimes of a shard's connections. ``share`` is how many connections the shard has."""
        self.seats = seats
        self.lifetime = lifetime
        self.downtime = downtime
        self.chance = chance
        tick = tick_for(lifetime.mean, share)
        self.timer_wheel = TimerWheel(len(seats.connections.state), tick_seconds=tick)
        self.phase = chance.random() * tick  # shards do not close at the same instants
        self.replaced = 0

    def opened(self, descriptor: int, now: float) -> None:
        self.timer_wheel.set(descriptor, now + self.phase + self.lifetime.draw(self.chance))

    def gone(self, descriptor: int) -> None:
        self.timer_wheel.cancel(descriptor)

    def act(self, now: float) -> float:
        for descriptor in self.timer_wheel.due(now + self.phase, CHUNK):
            self.seats.vacate(descriptor, now + self.downtime.draw(self.chance), now)
            self.replaced += 1
        return self.timer_wheel.next() - self.phase


def tick_for(mean: float, share: int) -> float:
    """Return the tick of the timer wheel for a mean lifetime, in seconds: a power of two, at most one.

    Shards with long lifetimes sleep longer.
    """
    wanted = min(TOGETHER * mean / max(share, 1), mean / MOST_TICKS, 1.0)
    return max(2.0 ** math.floor(math.log2(wanted)), TICK_SECONDS)
