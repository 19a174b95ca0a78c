"""What a process counts. Every counter is cumulative, so a lost, repeated or late sample does no harm.

Adding tallies is associative and commutative and has a zero, so the process, node and order of the counts do not matter.
Numbers that can be derived, such as the open connections, are derived.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

# Why an open connection was lost. Any other cause is the name of the errno.
PEER_CLOSED = "peer_closed"  # a FIN arrived
FROM_ELSEWHERE = "accept from elsewhere"  # among a target's errors: accepted connections that do not belong to its run
PEER_RESET = "peer_reset"  # a RST arrived (ECONNRESET)
TIMED_OUT = "timed_out"  # data or a keepalive probe went unanswered (ETIMEDOUT)
PROCESS_DIED = "process_died"  # a shard or acceptor ended, and the kernel closed its connections

CAUSE_OF_ERRNO = {"ECONNRESET": PEER_RESET, "ETIMEDOUT": TIMED_OUT, "EPIPE": PEER_RESET}


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one process, or the sum of many."""

    attempted: int = 0  # connection attempts, each counted once whatever its result
    opened: int = 0  # connections that a client established or an acceptor accepted
    closed: int = 0  # connections that c1m closed because the run required it
    skipped_ports: int = 0  # planned ports that another program used
    bytes_received: int = 0
    bytes_sent: int = 0
    replaced: int = 0  # connections closed at the end of their lifetimes, each to be replaced
    reopened: int = 0  # attempts that replace dropped and failed connections
    away: int = 0  # now: clients that are disconnected because the run required it ...
    waiting: int = 0  # ... and clients that wait before their next attempt
    half_closed: int = 0  # now: connections that stay open after their server has closed its side
    last_opened: float = 0.0  # the newest opening, on the host's CLOCK_MONOTONIC; adding takes the later one
    failed: Mapping[str, int] = field(default_factory=dict)  # errno name -> attempts that failed with it
    dropped: Mapping[str, int] = field(default_factory=dict)  # cause -> open connections lost to it
    heartbeats: Mapping[str, int] = field(default_factory=dict)  # by the names in ``c1m.traffic.heartbeat``
    errors: Mapping[str, int] = field(default_factory=dict)  # call and errno, such as "bind EADDRINUSE" -> count
    sources: Mapping[str, int] = field(default_factory=dict)  # "10.0.0.7 slow", "10.0.0.7 failed" -> handshakes
    pushes: Mapping[str, int] = field(default_factory=dict)  # by the names in ``c1m.traffic.push``

    @property
    def open(self) -> int:
        """Connections that are established now on both sides."""
        return self.opened - self.closed - sum(self.dropped.values()) - self.half_closed

    @property
    def in_flight(self) -> int:
        """Attempts that have not ended yet."""
        return self.attempted - self.opened - sum(self.failed.values())

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{name: _JOIN.get(name, _add)(getattr(self, name), getattr(other, name)) for name in _NAMES})

    def to_message(self) -> dict[str, Any]:
        """Return plain numbers and dicts that can be sent over a link."""
        values = {name: getattr(self, name) for name in _NAMES}
        return values | {name: dict(values[name]) for name in _MAPS}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Tally:
        """Return the tally of a message made by ``to_message``."""
        return cls(**message)


def cause_of(failure: OSError) -> str:
    """Return why a connection was lost, from the error that a call on it raised."""
    name = name_of(failure.errno)
    return CAUSE_OF_ERRNO.get(name, name)


def name_of(number: int | None) -> str:
    """Return the name of an errno, such as "ECONNREFUSED", or the number itself if it has no name."""
    return errno.errorcode.get(number or 0, str(number))


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    return sum(tallies, Tally())


def _add(one: int, other: int) -> int:
    return one + other


def _add_maps(one: Mapping[Any, int], other: Mapping[Any, int]) -> Mapping[Any, int]:
    return dict(Counter(one) + Counter(other)) if one and other else one or other


_NAMES = tuple(item.name for item in fields(Tally))
_MAPS = ("failed", "dropped", "heartbeats", "pushes", "errors", "sources")
_JOIN: Mapping[str, Any] = {"last_opened": max, **dict.fromkeys(_MAPS, _add_maps)}
