"""A probe: the peers' kernels are asked whether they know a connection. One that is a ghost is answered with a RST.

TCP keepalive asks without sending a byte of data, so that no server sees it (KERNEL.md 3, "Ghost connections").
"""

from __future__ import annotations

import time

import trio

from c1m.kernel.tcp_info import LAST_ACK_RECEIVED, seconds_since
from c1m.worker.sockets.connections import ESTABLISHED, ClientConnections

from .keepalive import keep_alive

IDLE_SECONDS = 1  # before the first probe, and between two: the least that the kernel takes
MOST_SECONDS = 10  # for an answer: ten probes, should the network lose some, or a busy machine take its time
LOOK_SECONDS = 0.25


async def probe(connections: ClientConnections, most: int, keepalive: int) -> tuple[int, int]:
    """Ask about up to ``most`` of them, evenly chosen: for how many there was an answer, and how many of those are gone since.

    ``keepalive`` is what they have otherwise, in seconds; 0 is none.

    Those that are gone are counted as dropped, as whatever a peer resets.
    """
    asked = chosen(connections.state, most)
    keep_alive(connections.family, asked, seconds=IDLE_SECONDS, unanswered=2 * MOST_SECONDS)  # none of them is given up
    unanswered, since = asked, time.monotonic()
    while unanswered and time.monotonic() < since + MOST_SECONDS:
        await trio.sleep(LOOK_SECONDS)
        unanswered = [descriptor for descriptor in unanswered if is_silent(connections, descriptor, since)]
    left = [descriptor for descriptor in asked if connections.state[descriptor] == ESTABLISHED]
    keep_alive(connections.family, left, seconds=keepalive)
    return len(asked) - len(unanswered), len(asked) - len(left)


def is_silent(connections: ClientConnections, descriptor: int, since: float) -> bool:
    """Whether its peer has neither acknowledged anything since then nor reset it."""
    if connections.state[descriptor] != ESTABLISHED:
        return False
    return seconds_since(LAST_ACK_RECEIVED, connections.family, descriptor) > time.monotonic() - since


def chosen(state: bytes | bytearray, most: int) -> list[int]:
    """Descriptors of up to ``most`` established connections, spread over all of them."""
    every = [descriptor for descriptor, kind in enumerate(state) if kind == ESTABLISHED]
    return [every[index * len(every) // most] for index in range(most)] if len(every) > most else every
