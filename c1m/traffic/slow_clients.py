"""Slow clients as a run asks for them: those that never come to an end, and so hold what a server gave them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FILLER = b"abcdefghijklmnopqrstuvwxyz"  # is sent where the operator has no request: no protocol ends at any of it
LONGEST_REQUEST = 65_536  # bytes; two bytes a connection say where in it one is


@dataclass(frozen=True, slots=True)
class SlowClients:
    interval: float = 0.0  # seconds between two bytes of the request; 0: nothing is sent
    request: bytes = FILLER  # a byte at a time, again and again
    half_open: bool = False  # stay when the server has closed its side, and never close ours

    def to_message(self) -> tuple[Any, ...]:
        """Plain values, as a link takes them."""
        return self.interval, self.request, self.half_open
