"""The ghost probe: asks the peers' kernels whether they know a connection. A kernel that does not, answers with a RST.

TCP keepalive asks without sending a byte of data, so no server sees the question.
"""

from __future__ import annotations

import time

import trio

from c1m.kernel.tcp_info import LAST_ACK_RECEIVED, seconds_since
from c1m.worker.sockets.connections import ESTABLISHED, ClientConnections

from .keepalive import keep_alive

IDLE_SECONDS = 1  # before the first probe and between two probes: the shortest that the kernel accepts
MOST_SECONDS = 10  # to wait for an answer: ten probes, in case the network loses some or the machine is busy
LOOK_SECONDS = 0.25


async def probe(connections: ClientConnections, most: int, keepalive: int) -> tuple[int, int]:
    """Ask the peers of up to ``most`` established connections, evenly chosen, whether they still know the connection.

    Return how many peers answered, and how many of those answered with a RST. ``keepalive`` is the run's own keepalive interval
    in seconds, which is restored afterwards; 0 is none. A connection that is reset counts as dropped, like any other reset by a
    peer.
    """
    asked = chosen(connections.state, most)
    keep_alive(
        connections.family, asked, seconds=IDLE_SECONDS, unanswered=2 * MOST_SECONDS
    )  # so long that the kernel gives none of them up
    unanswered, since = asked, time.monotonic()
    while unanswered and time.monotonic() < since + MOST_SECONDS:
        await trio.sleep(LOOK_SECONDS)
        unanswered = [descriptor for descriptor in unanswered if is_silent(connections, descriptor, since)]
    left = [descriptor for descriptor in asked if connections.state[descriptor] == ESTABLISHED]
    keep_alive(connections.family, left, seconds=keepalive)
    return len(asked) - len(unanswered), len(asked) - len(left)


def is_silent(connections: ClientConnections, descriptor: int, since: float) -> bool:
    """Return whether a connection is still open and its peer has acknowledged nothing since the time ``since``, in monotonic
    seconds.
    """
    if connections.state[descriptor] != ESTABLISHED:
        return False
    return seconds_since(LAST_ACK_RECEIVED, connections.family, descriptor) > time.monotonic() - since


def chosen(state: bytes | bytearray, most: int) -> list[int]:
    """Return the descriptors of up to ``most`` established connections, spread evenly over all of them."""
    every = [descriptor for descriptor, kind in enumerate(state) if kind == ESTABLISHED]
    return [every[index * len(every) // most] for index in range(most)] if len(every) > most else every
