"""What a process counts. Every counter is cumulative, so that a lost, repeated or late sample costs nothing.

Adding tallies is associative and commutative and has a zero: it does not matter which process, node or order a count
came from. What can be derived (how many are open) is derived.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

# Why a connection that was open is not any more. Anything else is the errno's own name.
PEER_CLOSED = "peer_closed"  # its FIN arrived
FROM_ELSEWHERE = "accept from elsewhere"  # among a target's errors: connections that were none of its run's
PEER_RESET = "peer_reset"  # its RST arrived (ECONNRESET)
TIMED_OUT = "timed_out"  # data or a keepalive probe went unanswered (ETIMEDOUT)
PROCESS_DIED = "process_died"  # our shard or acceptor ended, and the kernel closed what it held

CAUSE_OF_ERRNO = {"ECONNRESET": PEER_RESET, "ETIMEDOUT": TIMED_OUT, "EPIPE": PEER_RESET}


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one process, or of many added together."""

    attempted: int = 0  # connections tried, each counted once however it ends
    opened: int = 0  # a client's established, an acceptor's accepted
    closed: int = 0  # closed by us, as the run asked
    skipped_ports: int = 0  # planned ports that somebody else held
    bytes_received: int = 0
    bytes_sent: int = 0
    replaced: int = 0  # closed at the end of their lifetimes, each to be replaced by another
    reopened: int = 0  # tries in place of dropped and failed ones
    away: int = 0  # now: connections that are away as the run asked ...
    waiting: int = 0  # ... and that wait for their next try
    half_closed: int = 0  # now: connections whose server has closed its side, and which stay
    last_opened: float = 0.0  # the newest opening, on the host's CLOCK_MONOTONIC; adding takes the later one
    failed: Mapping[str, int] = field(default_factory=dict)  # errno name -> attempts that ended in it
    dropped: Mapping[str, int] = field(default_factory=dict)  # cause -> open connections lost to it
    heartbeats: Mapping[str, int] = field(default_factory=dict)  # by the names of ``c1m.heartbeat``
    errors: Mapping[str, int] = field(default_factory=dict)  # "bind EADDRINUSE": which call said what -> how often
    sources: Mapping[str, int] = field(default_factory=dict)  # "10.0.0.7 slow", "10.0.0.7 failed" -> handshakes
    pushes: Mapping[str, int] = field(default_factory=dict)  # by the names of ``c1m.push``

    @property
    def open(self) -> int:
        """Established now, by both sides."""
        return self.opened - self.closed - sum(self.dropped.values()) - self.half_closed

    @property
    def in_flight(self) -> int:
        return self.attempted - self.opened - sum(self.failed.values())

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{name: _JOIN.get(name, _add)(getattr(self, name), getattr(other, name)) for name in _NAMES})

    def to_message(self) -> dict[str, Any]:
        """Plain numbers and dicts, as a link takes them."""
        values = {name: getattr(self, name) for name in _NAMES}
        return values | {name: dict(values[name]) for name in _MAPS}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Tally:
        return cls(**message)


def cause_of(failure: OSError) -> str:
    """Why a connection was lost, by what a call said of it."""
    name = name_of(failure.errno)
    return CAUSE_OF_ERRNO.get(name, name)


def name_of(number: int | None) -> str:
    """ "ECONNREFUSED", or the number itself where it has no name."""
    return errno.errorcode.get(number or 0, str(number))


def total(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())


def _add(one: int, other: int) -> int:
    return one + other


def _add_maps(one: Mapping[Any, int], other: Mapping[Any, int]) -> Mapping[Any, int]:
    return dict(Counter(one) + Counter(other)) if one and other else one or other


_NAMES = tuple(item.name for item in fields(Tally))
_MAPS = ("failed", "dropped", "heartbeats", "pushes", "errors", "sources")
_JOIN: Mapping[str, Any] = {"last_opened": max, **dict.fromkeys(_MAPS, _add_maps)}
