"""Slow clients: they never finish a request or a close, and so hold the resources that a server gave them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

FILLER = b"abcdefghijklmnopqrstuvwxyz"  # the default request; none of these bytes ends a request of any protocol
LONGEST_REQUEST = 65_536  # bytes; the position in it takes two bytes a connection


@dataclass(frozen=True, slots=True)
class SlowClients:
    """The settings of slow clients: the interval in seconds, the request that is sent, and whether they stay half open."""

    interval: float = 0.0  # seconds between two bytes of the request; 0: nothing is sent
    request: bytes = FILLER  # sent a byte at a time, over and over
    half_open: bool = False  # after the server has closed its side, stay and never close the client's side
