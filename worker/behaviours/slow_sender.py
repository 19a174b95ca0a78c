"""Slow senders: every connection sends a request a byte at a time, at a phase of its own, and begins anew after the last one.

What such a client tests is how long a server bears with it. Who ended each connection, and how old it was, is counted with
all that are dropped.
"""

from __future__ import annotations

from array import array

from c1m.traffic.phase_sweep import PhaseSweep
from c1m.traffic.slow_clients import SlowClients
from c1m.worker.sockets.connections import ESTABLISHED, ClientConnections

CHUNK = 32  # bytes sent between two looks at the epoll
TICK_SECONDS = 0.02  # between two turns of the hand, lest fifty shards spend their time waking


class SlowSender:
    """A behaviour of connections; two bytes of where in the request each one is."""

    def __init__(self, wanted: SlowClients, connections: ClientConnections, start: float) -> None:
        self.request = wanted.request
        self.connections = connections
        slots = len(connections.state)
        self.hand = PhaseSweep(slots, wanted.interval, start)
        self.position = array("H", (0,)) * slots

    def opened(self, descriptor: int, now: float) -> None:
        """Its first byte comes with the hand, within an interval."""

    def heard(self, descriptor: int, data: bytes, now: float) -> None:
        """A slow sender does not care what a server says."""

    def gone(self, descriptor: int, now: float) -> None:  # noqa: ARG002
        self.position[descriptor] = 0

    def act(self, now: float) -> float:
        for descriptor in self.hand.advance(now, CHUNK):
            if self.connections.state[descriptor] == ESTABLISHED:
                position = self.position[descriptor]
                self.position[descriptor] = (position + 1) % len(self.request)
                self.connections.send(descriptor, self.request[position : position + 1], now)
        return now if self.hand.behind(now) else now + TICK_SECONDS
