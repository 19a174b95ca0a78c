"""Which connections leave first when the schedule falls: the oldest, or random ones."""

from __future__ import annotations

from array import array
from random import Random
from typing import Protocol

from c1m.worker.sockets.connections import ESTABLISHED, ClientConnections


class Leavers(Protocol):
    def choose(self, connections: ClientConnections, count: int) -> list[int]:
        """Return the descriptors of up to ``count`` established connections to close; at least one while there is any."""


class Oldest:
    """Chooses the connections that were opened first to be closed first.

    They are sorted anew when all of the last sorting have left, instead of being kept in order through every opening and
    closing. A shard with 20,000 connections needs about ten milliseconds for it.
    """

    def __init__(self) -> None:
        self.queue = array("I")  # descriptors, the oldest last
        self.newest = 0.0  # when the newest of them was called; a descriptor that was called later is another connection

    def choose(self, connections: ClientConnections, count: int) -> list[int]:
        chosen = self.next(connections, count)
        if not chosen:
            self.sort(connections)
            chosen = self.next(connections, count)
        return chosen

    def next(self, connections: ClientConnections, count: int) -> list[int]:
        chosen: list[int] = []
        while self.queue and len(chosen) < count:
            descriptor = self.queue.pop()
            if connections.state[descriptor] == ESTABLISHED and connections.called[descriptor] <= self.newest:
                chosen.append(descriptor)
        return chosen

    def sort(self, connections: ClientConnections) -> None:
        called = connections.called
        there = [descriptor for descriptor, state in enumerate(connections.state) if state == ESTABLISHED]
        there.sort(key=called.__getitem__, reverse=True)
        self.queue = array("I", there)
        self.newest = called[there[0]] if there else 0.0


class AnyOf:
    """Chooses the connections to close at random, each established one with the same probability."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance

    def choose(self, connections: ClientConnections, count: int) -> list[int]:
        """Return the descriptors of up to ``count`` established connections, drawn at random.

        A full table takes one draw each; n connections in a table of N take N / n on average.
        """
        state = connections.state
        size = state.rfind(ESTABLISHED) + 1
        chosen: set[int] = set()
        for _ in range(min(count, state.count(ESTABLISHED))):
            descriptor = self.chance.randrange(size)
            while state[descriptor] != ESTABLISHED or descriptor in chosen:
                descriptor = self.chance.randrange(size)
            chosen.add(descriptor)
        return list(chosen)
