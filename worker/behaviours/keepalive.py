"""TCP keepalive, for each connection at a phase of its own.

The kernel starts the timer when the option is set. The option is therefore set when the sweep (``c1m.traffic.phase_sweep``)
first passes the connection: timers are spread over the interval, however quickly the connections were opened. Some lumps
remain that cannot be spread from here: a timer of more than 16 s fires on a grid of 2 s, one of more than 131 s on a grid
of 16 s (kernel/time/timer.c at HZ=250).
"""

from __future__ import annotations

import math
from _socket import (
    IPPROTO_TCP,
    SO_KEEPALIVE,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    socket,
)
from collections.abc import Iterable

from c1m.traffic.phase_sweep import PhaseSweep
from c1m.worker.sockets.connections import ESTABLISHED, ClientConnections

TICK_SECONDS = 0.1
MOST_MARKS = 4096  # slots swept in one go: a few milliseconds if each is set
UNANSWERED = 4  # probes, a quarter of the interval apart, until the kernel gives a connection up (ETIMEDOUT)


class Keepalive:
    """Turns on TCP keepalive for each connection of one shard, spread over an interval.

    It begins at ``start`` (monotonic seconds) and stores one byte a connection.
    """

    def __init__(self, seconds: int, connections: ClientConnections, start: float) -> None:
        self.seconds = seconds
        self.connections = connections
        self.hand = PhaseSweep(len(connections.state), seconds, start)
        self.armed = bytearray(len(connections.state))
        self.count = 0  # of those that are open

    def act(self, now: float) -> float:
        if self.count == self.connections.established:
            return math.inf
        passed = self.hand.advance(now, MOST_MARKS)
        found = [slot for slot in passed if self.connections.state[slot] == ESTABLISHED and not self.armed[slot]]
        keep_alive(self.connections.family, found, seconds=self.seconds)
        for descriptor in found:
            self.armed[descriptor] = True
        self.count += len(found)
        return now if self.hand.behind(now) else now + TICK_SECONDS

    def opened(self, descriptor: int, now: float) -> None:
        """Do nothing for a new connection: the sweep turns on its keepalive within an interval."""

    def heard(self, descriptor: int, data: bytes, now: float) -> None:
        """Do nothing with received bytes: only the kernels see keepalive probes."""

    def gone(self, descriptor: int, now: float) -> None:  # noqa: ARG002
        self.count -= self.armed[descriptor]
        self.armed[descriptor] = False


def keep_alive(family: int, descriptors: Iterable[int], *, seconds: int, unanswered: int = UNANSWERED) -> None:
    """Set TCP keepalive on the sockets ``descriptors``: a probe every ``seconds``; 0 turns it off.

    The kernel gives a connection up after ``unanswered`` probes. Costs 4 us for each socket.
    """
    for descriptor in descriptors:
        handle = socket(family, SOCK_STREAM, 0, descriptor)
        if seconds:
            handle.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, seconds)
            handle.setsockopt(IPPROTO_TCP, TCP_KEEPINTVL, -(-seconds // UNANSWERED))
            handle.setsockopt(IPPROTO_TCP, TCP_KEEPCNT, unanswered)
        handle.setsockopt(SOL_SOCKET, SO_KEEPALIVE, bool(seconds))
        handle.detach()
