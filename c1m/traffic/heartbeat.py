"""The heartbeats of a run: how often, what is sent, which answer is expected, and what is counted. Pure.

At every moment and for every process: sent = answered + missing + cut_off + under way.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

# The names of the counts in a tally's heartbeats.
SENT = "sent"
ANSWERED = "answered"  # answered before the connection's next heartbeat was due
MISSING = "missing"  # not answered by then; the connection sends no other heartbeat until this one is answered
CUT_OFF = "cut_off"  # the connection ended before the answer
LATE = "late"  # of the answered ones: answered after more than LATE_SHARE of the interval
RECOVERED = "recovered"  # of the missing ones: answered after all
WRONG = "wrong"  # of the answered or recovered ones: the answer was not the expected one
UNASKED_BYTES = "unasked_bytes"  # bytes that arrived while no answer was due, from a server that should only echo

LATE_SHARE = 0.5
USUAL_PAYLOAD = 64
LEAST_PAYLOAD = 16  # room for the time and the sender, which make every payload different
LEAST_INTERVAL, LONGEST_INTERVAL = 0.001, 366 * 86_400.0  # seconds; a year is the longest run
MOST_PAYLOAD = 65_536  # an echo server buffers this much for each connection whose client does not read


class Expect(enum.IntEnum):
    """What a server answers to a heartbeat. The numbers are those on the wire."""

    ECHO = 1  # exactly the bytes that were sent
    NONE = 2  # no answer is expected
    ANY = 3  # any answer
    PREFIX = 4  # an answer that begins with the prefix; what follows belongs to it


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The heartbeats that every connection of a run sends. Raises ValueError for values that are out of range."""

    interval: float  # seconds
    payload: int = USUAL_PAYLOAD  # bytes, different for each connection and each time
    send: bytes = b""  # the operator's own request, sent instead of the payload; empty: none
    expect: Expect = Expect.ECHO
    prefix: bytes = b""  # for Expect.PREFIX

    def __post_init__(self) -> None:
        if not LEAST_INTERVAL <= self.interval <= LONGEST_INTERVAL:
            raise ValueError(f"an interval of {self.interval:g} s")
        if not LEAST_PAYLOAD <= self.payload <= MOST_PAYLOAD:
            raise ValueError(f"a payload of {self.payload} B, where {LEAST_PAYLOAD} to {MOST_PAYLOAD:,} are possible")
        for what, content in (("a request", self.send), ("an answer", self.prefix)):
            if len(content) > MOST_PAYLOAD:
                raise ValueError(f"{what} of {len(content):,} B, where {MOST_PAYLOAD:,} are possible")


def under_way(counts: Mapping[str, int]) -> int:
    """Return how many heartbeats have been sent and wait for their answer, from counts by name."""
    return counts.get(SENT, 0) - sum(counts.get(name, 0) for name in (ANSWERED, MISSING, CUT_OFF))
