"""What the connections of a run make a worker send, in bits a second, as far as its settings say it. Pure.

Counted are whole IP packets: of handshakes, of what connections say, of acknowledging each answer and push, of closings; at
most, where several may go in one. Nobody knows before what is sent again, and what a server says that nobody asked: neither is
counted, nor what a link puts around a packet (38 bytes on Ethernet, with the gap between two).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from c1m.schedule.schedule import NANOSECONDS, Schedule

from .heartbeat import Expect, Heartbeat
from .slow_clients import SlowClients
from .turnover import Turnover

EMPTY_BYTES = {4: 52, 6: 72}  # IP, TCP, and its timestamps (RFC 7323)
SYN_BYTES = 8  # that its options are longer: MSS, SACK permitted, window scale
SEGMENT_BYTES = 1208  # of data, at least, in a packet of a full one: IPv6's smallest MTU, 1280, less 72
PACE_SECONDS = 1.0  # over which a burst of closings is spread here


@dataclass(frozen=True, slots=True)
class ConnectionTraffic:
    """What every connection does while it is open."""

    heartbeat: Heartbeat | None = None
    slow: SlowClients | None = None
    keepalive: float = 0.0  # seconds between two of TCP's own probes; 0: none
    push_rate: float = 0.0  # messages a second that the target sends it

    def bytes_a_second(self, empty: int) -> float:
        """Of one connection; ``empty`` is the size of a packet without data."""
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
    """Bits a second for each connection of the run's peak, at its worst moment; infinite where that cannot be said.

    ``reset``: closed by a RST, and not a FIN; ``version``: of IP.
    """
    empty = EMPTY_BYTES[version]
    opened = rising(schedule) / peak + returning(turnover)
    closed = falling(schedule) / peak + leaving(turnover)
    handshake, goodbye = 2 * empty + SYN_BYTES, empty if reset else 2 * empty
    return 8 * (opened * handshake + closed * goodbye + talk.bytes_a_second(empty))


def close_rate(bandwidth: float, *, reset: bool, version: int) -> float:
    """Connections a second that may be closed within so many bits a second, while nothing else is sent."""
    empty = EMPTY_BYTES[version]
    return bandwidth / (8 * (empty if reset else 2 * empty))


def rising(schedule: Schedule) -> float:
    """Connections a second where it rises the fastest; infinite where that is at once."""
    return schedule.steepest or (math.inf if schedule.peak else 0.0)


def falling(schedule: Schedule) -> float:
    falls = [(-line.rise, (line.end_ns - line.begin_ns) / NANOSECONDS) for line in schedule.lines if line.rise < 0]
    return max((fall / max(seconds, PACE_SECONDS) for fall, seconds in falls), default=0.0)


def returning(turnover: Turnover | None) -> float:
    """Openings a second for each connection, in place of others; infinite where nobody can say how often it is tried."""
    if turnover is None:
        return 0.0
    if turnover.backoff:
        return math.inf
    return replaced(turnover) + max((per_second(storm.share, storm.return_seconds) for storm in turnover.storms), default=0.0)


def leaving(turnover: Turnover | None) -> float:
    if turnover is None:
        return 0.0
    return replaced(turnover) + max((storm.share / PACE_SECONDS for storm in turnover.storms), default=0.0)


def replaced(turnover: Turnover) -> float:
    """Of one seat, whose connections have an end of their own."""
    return per_second(1.0, turnover.lifetime.mean + turnover.downtime.mean) if turnover.lifetime else 0.0


def per_second(count: float, seconds: float) -> float:
    return count / seconds if seconds else math.inf
