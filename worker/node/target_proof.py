"""Asks every destination of a run, before connections are opened to it, for a proof that it belongs to the run
(``c1m.traffic.proof``).
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
from collections.abc import Iterable, Mapping

import trio

from c1m.net.tuples import Address
from c1m.traffic.proof import answer, challenge
from c1m.worker.sockets.connections import RESET_ON_CLOSE
from c1m.worker.sockets.opener import IPV6_FREEBIND

PATIENCE_SECONDS = 5.0
AT_ONCE = 64
MOST_HEARD = 4096  # bytes
NOTHING = "it answered nothing"
CLOSED = frozenset({NOTHING, os.strerror(errno.ECONNRESET).lower(), os.strerror(errno.EPIPE).lower()})  # without an answer


async def unproved(destinations: Iterable[Address], source: str, nonce: bytes) -> Mapping[Address, str]:
    """Return {destination: what it did instead} for the destinations that did not prove to be targets of the run.

    Questions are sent from ``source``, since a target may take connections from no other address.
    """
    found: dict[Address, str] = {}
    room = trio.CapacityLimiter(AT_ONCE)

    async def ask(destination: Address) -> None:
        async with room:
            if instead := await what_instead(destination, source, nonce):
                found[destination] = instead

    async with trio.open_nursery() as nursery:
        for destination in destinations:
            nursery.start_soon(ask, destination)
    return found


async def what_instead(destination: Address, source: str, nonce: bytes) -> str:
    """Return what a destination did instead of proving to be a target of the run, as part of a sentence; empty if it did prove
    it.
    """
    asked = challenge(secrets.token_bytes(16))
    wanted, heard = answer(nonce, asked), bytearray()
    with trio.move_on_after(PATIENCE_SECONDS):
        try:
            await exchange(destination, source, asked, wanted, heard)
        except OSError as error:
            return os.strerror(error.errno).lower() if error.errno else str(error)
    if wanted in heard:
        return ""
    return "it answered something else" if heard else NOTHING


async def exchange(destination: Address, source: str, asked: bytes, wanted: bytes, heard: bytearray) -> None:
    """Send the challenge to a destination and read into ``heard`` until the wanted answer is complete; a target that pushes may
    send other bytes before it. Raises OSError.
    """
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with trio.socket.socket(family, socket.SOCK_STREAM) as connection:
        # No TIME_WAIT stays on a 4-tuple that the run may need.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        connection.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
        if family == socket.AF_INET6:
            connection.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)  # the source may be AnyIP
        await connection.bind((source, 0))
        await connection.connect(destination)
        await connection.send(asked)
        while wanted not in heard and len(heard) < MOST_HEARD and (more := await connection.recv(MOST_HEARD)):
            heard += more
