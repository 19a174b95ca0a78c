"""Heartbeats as a run asks for them: how often, what is sent, what must be answered; and what is counted. Pure.

sent = answered + missing + cut_off + under way, at every moment and for every process.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What is counted, by name, in a tally's heartbeats.
SENT = "sent"
ANSWERED = "answered"  # before the next one of its connection was due
MISSING = "missing"  # not answered by then. Nothing else is sent until it is
CUT_OFF = "cut_off"  # the connection ended first
LATE = "late"  # of those answered: after more than LATE_SHARE of the interval
RECOVERED = "recovered"  # of those missing: answered after all
WRONG = "wrong"  # of those answered or recovered: the answer was not the one expected
UNASKED_BYTES = "unasked_bytes"  # that came while no answer was due, from a server that should only echo

LATE_SHARE = 0.5
USUAL_PAYLOAD = 64
LEAST_PAYLOAD = 16  # so that no two are alike: they carry when they were sent, and by whom
LEAST_INTERVAL, LONGEST_INTERVAL = 0.001, 366 * 86_400.0  # seconds; nobody runs for longer than a year
MOST_PAYLOAD = 65_536  # a peer that echoes keeps that much for each connection whose client does not read


class Expect(enum.IntEnum):
    """What a server answers to a heartbeat; the numbers are those on the wire."""

    ECHO = 1  # every byte of it, and no other
    NONE = 2  # nothing that anybody waits for
    ANY = 3  # something
    PREFIX = 4  # something that begins as told; what follows belongs to it


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What every connection of a run does."""

    interval: float  # seconds
    payload: int = USUAL_PAYLOAD  # bytes, different for each connection and each time
    send: bytes = b""  # the operator's own request instead of that; empty: none
    expect: Expect = Expect.ECHO
    prefix: bytes = b""  # for Expect.PREFIX

    def __post_init__(self) -> None:
        if not LEAST_INTERVAL <= self.interval <= LONGEST_INTERVAL:
            raise ValueError(f"an interval of {self.interval:g} s")
        if not LEAST_PAYLOAD <= self.payload <= MOST_PAYLOAD:
            raise ValueError(f"a payload of {self.payload} B, where {LEAST_PAYLOAD} to {MOST_PAYLOAD:,} are possible")
        for what, said in (("a request", self.send), ("an answer", self.prefix)):
            if len(said) > MOST_PAYLOAD:
                raise ValueError(f"{what} of {len(said):,} B, where {MOST_PAYLOAD:,} are possible")

    def to_message(self) -> tuple[Any, ...]:
        """Plain values, as a link takes them."""
        return (self.interval, self.payload, self.send, int(self.expect), self.prefix)

    @classmethod
    def from_message(cls, message: tuple[Any, ...]) -> Heartbeat:
        interval, payload, send, expect, prefix = message
        return cls(interval, payload, send, Expect(expect), prefix)


def under_way(counts: Mapping[str, int]) -> int:
    return counts.get(SENT, 0) - sum(counts.get(name, 0) for name in (ANSWERED, MISSING, CUT_OFF))
