"""Heartbeats: every connection sends its own, at its own phase; each echo is compared byte for byte and timed.

A sweep passes over the table of descriptors once an interval (``c1m.traffic.phase_sweep``), so no due time is stored per
connection. Only the time of the last send is stored: 8 bytes a connection. The payload consists of that time, the
descriptor and the shard, so no two heartbeats are alike, and an echo that was swapped with another or is an old one is
detected.

``act`` and ``heard_all`` are the hot paths (bench/heartbeat.py), so what every heartbeat needs is written out in them.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import repeat
from struct import Struct
from time import monotonic

from c1m.traffic import heartbeat
from c1m.traffic.heartbeat import Expect, Heartbeat
from c1m.traffic.phase_sweep import GOLDEN, PhaseSweep
from c1m.worker.sockets.connections import ESTABLISHED, ClientConnections
from c1m.worker.sockets.source_latencies import SourceLatencies

CHUNK = 32  # heartbeats between two polls of the epoll: bounds what a busy shard adds to the times it measures
MOST_MARKS = 4096  # slots swept in one go where few connections are open: some 0.3 ms
# The sweep takes up to a chunk of neighbouring slots at once, while this many blocks remain to spread over the interval:
# their sockets are neighbours in the kernel, too, which saves 2 us on each write (TLB misses, above all in a virtual machine).
BLOCKS = 256
# About how many heartbeats one turn of the sweep sends. A wakeup costs a shard some 0.2 ms of CPU, most of it because its code
# has left the caches: fifty shards that woke fifty times a second would waste half a processor.
BURST = 128
SHORTEST_TICK, LONGEST_TICK = 0.02, 0.4  # seconds between two turns
TICKS_AN_INTERVAL = 50  # at least, with few connections
HEAD = "<cdIH"  # kind, when sent, descriptor, shard: 15 bytes
KIND = b"B"

NONE_UNDER_WAY = 0.0
# How long a connection waits with its first request for a server that may speak first (SMTP, FTP, SSH, MySQL): a greeting that
# comes after the request would be taken for its answer. Once any connection was greeted, each waits up to an interval.
GREETING_SECONDS = 1.0


class Heartbeats:
    """Sends the heartbeats of one shard's connections and compares the answers.

    ``start`` is when heartbeats begin, in monotonic seconds.
    """

    def __init__(self, wanted: Heartbeat, connections: ClientConnections, shard: int, start: float, most: int = 1) -> None:
        """Create the heartbeats of a shard. ``most`` is how many of its connections will be open at a time."""
        self.wanted = wanted
        self.connections = connections
        self.shard = shard % 2**16
        slots = len(connections.state)
        self.hand = PhaseSweep(slots, wanted.interval, start, abreast=min(max(most // BLOCKS, 1), CHUNK))
        self.sent_at = array("d", (NONE_UNDER_WAY,)) * slots  # negative: it is missing
        self.partial: dict[int, bytes] = {}  # descriptor -> the beginning of an answer that arrived in parts
        filling = wanted.payload - Struct(HEAD).size
        self.filler = bytes(each % 256 for each in range(filling))
        self.pack = Struct(f"{HEAD}{filling}s").pack
        self.echoes = wanted.expect is Expect.ECHO and not wanted.send
        self.late_after = heartbeat.LATE_SHARE * wanted.interval
        self.rtt = SourceLatencies(connections.sources)
        self.sent = self.answered = self.late = self.missing = self.recovered = self.wrong = self.cut_off = 0
        self.unasked_bytes = 0
        # Seconds after its connect in which a connection without a greeting sends nothing.
        self.patience = min(GREETING_SECONDS, wanted.interval) if wanted.send and wanted.expect is not Expect.NONE else 0.0

    # -- sending

    def act(self, now: float) -> float:
        """Send the heartbeats that are due, and return when to call again, in monotonic seconds.

        A connection has at most one heartbeat under way.
        """
        state, sent_at, send = self.connections.state, self.sent_at, self.connections.send_buffer.send
        pack, shard, filler, request = self.pack, self.shard, self.filler, self.wanted.send
        awaited = self.wanted.expect is not Expect.NONE
        patience, spoken, called = self.patience, self.connections.reader.spoken, self.connections.called
        for descriptor in self.hand.advance(now, self.stretch()):
            if state[descriptor] != ESTABLISHED:
                continue
            if sent_at[descriptor]:
                self.miss(descriptor)
                continue
            then = monotonic()
            if patience and not spoken[descriptor] and then - called[descriptor] < patience:
                continue  # its next turn is an interval later
            if awaited:
                sent_at[descriptor] = then
            self.sent += 1
            cause = send(descriptor, request or pack(KIND, then, descriptor, shard, filler))
            if cause:
                self.connections.drop(descriptor, cause, then)
        return now if self.hand.behind(now) else self.next_tick(now)

    def stretch(self) -> int:
        """Return how many slots of the sweep over all descriptors contain about one chunk of open connections."""
        return min(CHUNK * self.hand.marks // max(self.connections.established, 1) + 1, MOST_MARKS)

    def next_tick(self, now: float) -> float:
        """Return the time at which heartbeats are sent next, in monotonic seconds.

        Shards have different moments, so that they do not all send at once.
        """
        often = BURST * self.wanted.interval / max(self.connections.established, 1)
        tick = max(min(often, LONGEST_TICK, self.wanted.interval / TICKS_AN_INTERVAL), SHORTEST_TICK)
        first = self.hand.start + self.shard * GOLDEN % 1 * tick
        return first + (math.floor((now - first) / tick) + 1) * tick

    def miss(self, descriptor: int) -> None:
        """Count a connection's heartbeat as missing: a whole interval has passed since it was sent, without an answer.

        Returns nothing.
        """
        if self.sent_at[descriptor] > 0:
            self.missing += 1
            self.sent_at[descriptor] *= -1

    # -- hearing

    def opened(self, descriptor: int, now: float) -> None:
        """Do nothing for a new connection: the sweep sends its first heartbeat within an interval."""

    def heard_all(self, descriptors: Sequence[int], said: Sequence[bytes], now: float) -> None:
        """Count the heartbeat answers of many connections: in bulk where all are the expected ones and in time, otherwise one
        by one.
        """
        times = [self.sent_at[descriptor] for descriptor in descriptors]
        expected = map(self.pack, repeat(KIND), times, descriptors, repeat(self.shard), repeat(self.filler))
        if not self.echoes or self.partial or min(times) <= NONE_UNDER_WAY or list(expected) != said:
            for descriptor, data in zip(descriptors, said, strict=True):
                self.heard(descriptor, data, now)
            return
        took = [now - sent_at for sent_at in times]
        self.answered += len(took)
        self.rtt.all_took(descriptors, took)
        if max(took) > self.late_after:
            self.late += sum(each > self.late_after for each in took)
        for descriptor in descriptors:
            self.sent_at[descriptor] = NONE_UNDER_WAY

    def heard(self, descriptor: int, data: bytes, now: float) -> None:
        if self.sent_at[descriptor] == NONE_UNDER_WAY:
            if self.patience:
                self.patience = self.wanted.interval  # this server speaks first
            self.unasked(len(data))
        else:
            self.compare(descriptor, self.partial.pop(descriptor, b"") + data, now)

    def compare(self, descriptor: int, data: bytes, now: float) -> None:
        """Compare received bytes with the expected answer to a connection's heartbeat, and count the result.

        The bytes may be partial, too long, late, or wrong; a partial answer is kept until its rest arrives.
        """
        sent_at = self.sent_at[descriptor]
        expected = self.expected(descriptor, abs(sent_at))
        if len(data) < len(expected) and expected.startswith(data):
            self.partial[descriptor] = data
            return
        took = now - abs(sent_at)
        self.sent_at[descriptor] = NONE_UNDER_WAY
        if sent_at < 0:
            self.recovered += 1
        else:
            self.answered += 1
            self.late += took > self.late_after
        if data.startswith(expected):
            self.rtt.took(descriptor, took)
        else:
            self.wrong += 1
        self.unasked(max(len(data) - len(expected), 0))

    def expected(self, descriptor: int, sent_at: float) -> bytes:
        """Return the bytes with which the answer to a heartbeat sent at ``sent_at`` must begin."""
        if self.echoes:
            return self.pack(KIND, sent_at, descriptor, self.shard, self.filler)
        return self.wanted.send if self.wanted.expect is Expect.ECHO else self.wanted.prefix

    def unasked(self, count: int) -> None:
        if self.wanted.expect is Expect.ECHO:
            self.unasked_bytes += count

    def gone(self, descriptor: int, now: float) -> None:  # noqa: ARG002
        if self.sent_at[descriptor] > 0:
            self.cut_off += 1
        self.sent_at[descriptor] = NONE_UNDER_WAY
        self.partial.pop(descriptor, None)

    # -- telling

    @property
    def under_way(self) -> int:
        return 0 if self.wanted.expect is Expect.NONE else heartbeat.under_way(self.counts())

    def counts(self) -> dict[str, int]:
        return {
            heartbeat.SENT: self.sent,
            heartbeat.ANSWERED: self.answered,
            heartbeat.LATE: self.late,
            heartbeat.MISSING: self.missing,
            heartbeat.RECOVERED: self.recovered,
            heartbeat.WRONG: self.wrong,
            heartbeat.CUT_OFF: self.cut_off,
            heartbeat.UNASKED_BYTES: self.unasked_bytes,
        }
