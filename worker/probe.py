"""A probe: the peers' kernels are asked whether they know a connection. One that is a ghost is answered with a RST.

TCP keepalive asks without sending a byte of data, so that no server sees it (KERNEL.md 3, "Ghost connections").
"""

from __future__ import annotations

import trio

from .connections import ESTABLISHED, Connections
from .keepalive import keep_alive

IDLE_SECONDS = 1  # before the first probe, and between two: the least that the kernel takes
ANSWER_SECONDS = 3.5  # three probes, should the network lose one


async def probe(connections: Connections, most: int, keepalive: int) -> tuple[int, int]:
    """Ask about up to ``most`` of them, evenly chosen: how many were asked about, and how many are gone since.

    ``keepalive`` is what they have otherwise, in seconds; 0 is none.

    Those that are gone are counted as dropped, as whatever a peer resets.
    """
    asked = chosen(connections.state, most)
    keep_alive(connections.family, asked, seconds=IDLE_SECONDS)
    await trio.sleep(ANSWER_SECONDS)
    left = [descriptor for descriptor in asked if connections.state[descriptor] == ESTABLISHED]
    keep_alive(connections.family, left, seconds=keepalive)
    return len(asked), len(asked) - len(left)


def chosen(state: bytes | bytearray, most: int) -> list[int]:
    """Descriptors of up to ``most`` established connections, spread over all of them."""
    every = [descriptor for descriptor, kind in enumerate(state) if kind == ESTABLISHED]
    return [every[index * len(every) // most] for index in range(most)] if len(every) > most else every
