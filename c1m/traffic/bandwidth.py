"""Estimates the bits a second that the connections of a run make a worker send, from its settings. Pure.

The estimate counts whole IP packets: handshakes, data, acknowledgements of answers and pushes, and closes. It is an upper
bound where several of these may share a packet. It does not count retransmissions, data that a server sends unrequested, or
what a link adds to a packet (38 bytes on Ethernet, including the gap between packets).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from c1m.schedule.schedule import NANOSECONDS, Schedule

from .heartbeat import Expect, Heartbeat
from .slow_clients import SlowClients
from .turnover import Turnover

EMPTY_BYTES = {4: 52, 6: 72}  # IP, TCP, and its timestamps (RFC 7323)
SYN_BYTES = 8  # additional options of a SYN: MSS, SACK permitted, window scale
SEGMENT_BYTES = 1208  # data in the smallest full packet: IPv6's smallest MTU, 1280, less 72
PACE_SECONDS = 1.0  # the estimate spreads a burst of closes over this time


@dataclass(frozen=True, slots=True)
class ConnectionTraffic:
    """What every connection sends while it is open."""

    heartbeat: Heartbeat | None = None
    slow: SlowClients | None = None
    keepalive: float = 0.0  # seconds between two TCP keepalive probes; 0: none
    push_rate: float = 0.0  # messages a second that the target sends to the connection

    def bytes_a_second(self, empty: int) -> float:
        """Return the bytes a second that one connection sends. ``empty`` is the size of a packet without data."""
        sent = self.push_rate * empty
        if beat := self.heartbeat:
            size = len(beat.send) or beat.payload
            packets = -(-size // SEGMENT_BYTES)
            answers = 0 if beat.expect is Expect.NONE else packets
            sent += (size + (packets + answers) * empty) / beat.interval
        if self.slow and self.slow.interval:
            sent += (1 + empty) / self.slow.interval
        if self.keepalive:
            sent += empty / self.keepalive
        return sent


def bits_each(
    schedule: Schedule, peak: int, turnover: Turnover | None, talk: ConnectionTraffic, *, reset: bool, version: int
) -> float:
    """Return the bits a second that a worker sends at the run's busiest moment, for each connection of the peak.

    Infinite if that is unknown. ``reset`` is whether connections close with a RST instead of a FIN. ``version`` is the IP
    version.
    """
    empty = EMPTY_BYTES[version]
    opened = rising(schedule) / peak + returning(turnover)
    closed = falling(schedule) / peak + leaving(turnover)
    handshake, goodbye = 2 * empty + SYN_BYTES, empty if reset else 2 * empty
    return 8 * (opened * handshake + closed * goodbye + talk.bytes_a_second(empty))


def close_rate(bandwidth: float, *, reset: bool, version: int) -> float:
    """Return how many connections a second can be closed within a bandwidth in bits a second if nothing else is sent."""
    empty = EMPTY_BYTES[version]
    return bandwidth / (8 * (empty if reset else 2 * empty))


def rising(schedule: Schedule) -> float:
    """Return how many connections a second are opened where the schedule rises fastest. Infinite if it rises at once."""
    return schedule.steepest or (math.inf if schedule.peak else 0.0)


def falling(schedule: Schedule) -> float:
    """Return how many connections a second are closed where the schedule falls fastest; 0 if it never falls."""
    falls = [(-line.rise, (line.end_ns - line.begin_ns) / NANOSECONDS) for line in schedule.lines if line.rise < 0]
    return max((fall / max(seconds, PACE_SECONDS) for fall, seconds in falls), default=0.0)


def returning(turnover: Turnover | None) -> float:
    """Return how many connections a second are opened to replace others, for each connection of the run's peak.

    Infinite with a backoff, because the number of attempts is unknown.
    """
    if turnover is None:
        return 0.0
    if turnover.backoff:
        return math.inf
    return replaced(turnover) + max((per_second(storm.share, storm.return_seconds) for storm in turnover.storms), default=0.0)


def leaving(turnover: Turnover | None) -> float:
    """Return how many connections a second are closed to be replaced, for each connection of the run's peak; 0 without
    turnover.
    """
    if turnover is None:
        return 0.0
    return replaced(turnover) + max((storm.share / PACE_SECONDS for storm in turnover.storms), default=0.0)


def replaced(turnover: Turnover) -> float:
    """Return how often a second one connection is closed and replaced, if connections have a lifetime; 0 otherwise."""
    return per_second(1.0, turnover.lifetime.mean + turnover.downtime.mean) if turnover.lifetime else 0.0


def per_second(count: float, seconds: float) -> float:
    """Return a count divided by seconds. Infinite for 0 seconds."""
    return count / seconds if seconds else math.inf
