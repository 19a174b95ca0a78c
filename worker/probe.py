"""A probe: the peers' kernels are asked whether they know a connection. One that is a ghost is answered with a RST.

TCP keepalive asks without sending a byte of data, so that no server sees it (KERNEL.md 3, "Ghost connections").
"""

from __future__ import annotations

from _socket import (
    IPPROTO_TCP,
    SO_KEEPALIVE,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    socket,
)
from collections.abc import Iterable

import trio

from .connections import ESTABLISHED, Connections

IDLE_SECONDS = 1  # before the first probe, and between two: the least that the kernel takes
ANSWER_SECONDS = 3.5  # three probes, should the network lose one


async def probe(connections: Connections, most: int) -> tuple[int, int]:
    """Ask about up to ``most`` of them, evenly chosen: how many were asked about, and how many are gone since.

    Those that are gone are counted as dropped, as whatever a peer resets.
    """
    asked = chosen(connections.state, most)
    keep_alive(connections.family, asked, seconds=IDLE_SECONDS)
    await trio.sleep(ANSWER_SECONDS)
    left = [descriptor for descriptor in asked if connections.state[descriptor] == ESTABLISHED]
    keep_alive(connections.family, left, seconds=0)
    return len(asked), len(asked) - len(left)


def chosen(state: bytes | bytearray, most: int) -> list[int]:
    """Descriptors of up to ``most`` established connections, spread over all of them."""
    every = [descriptor for descriptor, kind in enumerate(state) if kind == ESTABLISHED]
    return [every[index * len(every) // most] for index in range(most)] if len(every) > most else every


def keep_alive(family: int, descriptors: Iterable[int], *, seconds: int) -> None:
    """Every so many seconds; 0 is never."""
    for descriptor in descriptors:
        handle = socket(family, SOCK_STREAM, 0, descriptor)
        if seconds:
            handle.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, seconds)
            handle.setsockopt(IPPROTO_TCP, TCP_KEEPINTVL, seconds)
        handle.setsockopt(SOL_SOCKET, SO_KEEPALIVE, bool(seconds))
        handle.detach()
