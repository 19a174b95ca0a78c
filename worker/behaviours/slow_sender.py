"""Slow senders: every connection sends a request one byte at a time, at its own phase, and starts again after the last byte.

Such a client tests how long a server tolerates it. Which side ended each connection, and at what age, is counted with the
drops.
"""

from __future__ import annotations

from array import array

from c1m.traffic.phase_sweep import PhaseSweep
from c1m.traffic.slow_clients import SlowClients
from c1m.worker.sockets.connections import ESTABLISHED, ClientConnections

CHUNK = 32  # bytes sent between two looks at the epoll
TICK_SECONDS = 0.02  # between two turns of the sweep, so that fifty shards do not spend their time waking


class SlowSender:
    """Sends a request one byte at a time over each connection.

    It stores the position in the request, two bytes a connection.
    """

    def __init__(self, wanted: SlowClients, connections: ClientConnections, start: float) -> None:
        self.request = wanted.request
        self.connections = connections
        slots = len(connections.state)
        self.hand = PhaseSweep(slots, wanted.interval, start)
        self.position = array("H", (0,)) * slots

    def opened(self, descriptor: int, now: float) -> None:
        """Do nothing for a new connection: the sweep sends its first byte within an interval."""

    def heard(self, descriptor: int, data: bytes, now: float) -> None:
        """Do nothing with received bytes: a slow sender ignores what a server sends."""

    def gone(self, descriptor: int, now: float) -> None:  # noqa: ARG002
        self.position[descriptor] = 0

    def act(self, now: float) -> float:
        for descriptor in self.hand.advance(now, CHUNK):
            if self.connections.state[descriptor] == ESTABLISHED:
                position = self.position[descriptor]
                self.position[descriptor] = (position + 1) % len(self.request)
                self.connections.send(descriptor, self.request[position : position + 1], now)
        return now if self.hand.behind(now) else now + TICK_SECONDS
