"""Heartbeats: every connection's own, at a phase of its own, its echo checked byte for byte and timed.

A hand goes over the table of descriptors once an interval (``c1m.hand``), so nothing is kept for when a connection is due.
What is kept is when its beat was sent: 8 bytes a connection, and nothing else, since the payload is made of that time, the
descriptor and the shard. No two beats are alike, so an echo that was crossed with another, or is an old one, is found.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from struct import Struct

from c1m import heartbeat
from c1m.hand import Hand
from c1m.heartbeat import Expect, Heartbeat
from c1m.latency import Latencies

from .connections import ESTABLISHED, Connections

CHUNK = 32  # beats between two looks at the epoll: bounds how much a busy shard adds to the times it measures
TICK_SECONDS = 0.02  # between two turns of the hand, lest fifty shards spend their time waking
HEAD = Struct("<cdIH")  # kind, when sent, descriptor, shard: 15 bytes
KIND = b"B"

NONE_UNDER_WAY = 0.0


class Heartbeats:
    """A behaviour of connections, from ``start`` on (monotonic seconds)."""

    def __init__(self, wanted: Heartbeat, connections: Connections, shard: int, start: float) -> None:
        self.wanted = wanted
        self.connections = connections
        self.shard = shard % 2**16
        slots = len(connections.state)
        self.hand = Hand(slots, wanted.interval, start)
        self.sent_at = array("d", (NONE_UNDER_WAY,)) * slots  # negative: it is missing
        self.partial: dict[int, bytes] = {}  # descriptor -> the beginning of an answer; empty but for torn ones
        self.filler = bytes(range(256)) * (wanted.payload // 256 + 1)
        self.rtt = Latencies()
        self.counted: Counter[str] = Counter()

    # -- sending

    def act(self, now: float) -> float:
        """Beat for whom the hand has gone past."""
        state = self.connections.state
        for descriptor in self.hand.advance(now, CHUNK):
            if state[descriptor] == ESTABLISHED:
                self.beat(descriptor)
        return now if self.hand.behind(now) else now + TICK_SECONDS

    def beat(self, descriptor: int) -> None:
        """One at a time for each connection: where one is unanswered, that one is missing now."""
        before = self.sent_at[descriptor]
        if before > 0:
            self.counted[heartbeat.MISSING] += 1
            self.sent_at[descriptor] = -before
        elif before == NONE_UNDER_WAY:
            now = time.monotonic()
            self.counted[heartbeat.SENT] += 1
            if self.wanted.expect is not Expect.NONE:
                self.sent_at[descriptor] = now
            self.connections.send(descriptor, self.wanted.send or self.payload(descriptor, now), now)

    def payload(self, descriptor: int, sent_at: float) -> bytes:
        head = HEAD.pack(KIND, sent_at, descriptor, self.shard)
        return (head + self.filler)[: self.wanted.payload]

    # -- hearing

    def opened(self, descriptor: int, now: float) -> None:
        """Its first beat comes with the hand, within an interval."""

    def heard(self, descriptor: int, data: bytes, now: float) -> None:
        sent_at = self.sent_at[descriptor]
        if sent_at == NONE_UNDER_WAY:
            self.unasked(len(data))
            return
        if self.partial:
            data = self.partial.pop(descriptor, b"") + data
        expected = self.expected(descriptor, abs(sent_at))
        if data != expected:
            if len(data) < len(expected) and expected.startswith(data):
                self.partial[descriptor] = data
                return
            self.unasked(max(len(data) - len(expected), 0))
        self.answered(descriptor, sent_at, now, right=data.startswith(expected))

    def expected(self, descriptor: int, sent_at: float) -> bytes:
        """How the answer must begin."""
        if self.wanted.expect is Expect.ECHO:
            return self.wanted.send or self.payload(descriptor, sent_at)
        return self.wanted.prefix

    def answered(self, descriptor: int, sent_at: float, now: float, *, right: bool) -> None:
        took = now - abs(sent_at)
        self.sent_at[descriptor] = NONE_UNDER_WAY
        self.counted[heartbeat.ANSWERED if sent_at > 0 else heartbeat.RECOVERED] += 1
        if sent_at > 0 and took > heartbeat.LATE_SHARE * self.wanted.interval:
            self.counted[heartbeat.LATE] += 1
        if right:
            self.rtt.raw.append(took)
        else:
            self.counted[heartbeat.WRONG] += 1

    def unasked(self, count: int) -> None:
        if count and self.wanted.expect is Expect.ECHO:
            self.counted[heartbeat.UNASKED_BYTES] += count

    def gone(self, descriptor: int, now: float) -> None:  # noqa: ARG002
        if self.sent_at[descriptor] > 0:
            self.counted[heartbeat.CUT_OFF] += 1
        self.sent_at[descriptor] = NONE_UNDER_WAY
        self.partial.pop(descriptor, None)

    @property
    def under_way(self) -> int:
        return 0 if self.wanted.expect is Expect.NONE else heartbeat.under_way(self.counted)
