"""What a process counts. Every counter is cumulative, so a lost, repeated or late sample does no harm.

Adding tallies is associative and commutative and has a zero, so the process, node and order of the counts do not matter.
Numbers that can be derived, such as the open connections, are derived.
"""

from __future__ import annotations

import errno
from collections import Counter as Sums
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from operator import add, attrgetter
from typing import Annotated, Any

from .counter import Counter, Shown, counters_of

# Why an open connection was lost. Any other cause is the name of the errno.
PEER_CLOSED = "peer_closed"  # a FIN arrived
FROM_ELSEWHERE = "accept from elsewhere"  # among a target's errors: accepted connections that do not belong to its run
PEER_RESET = "peer_reset"  # a RST arrived (ECONNRESET)
TIMED_OUT = "timed_out"  # data or a keepalive probe went unanswered (ETIMEDOUT)
PROCESS_DIED = "process_died"  # a shard or acceptor ended, and the kernel closed its connections

CAUSE_OF_ERRNO = {"ECONNRESET": PEER_RESET, "ETIMEDOUT": TIMED_OUT, "EPIPE": PEER_RESET}


RUN, WORKER, TARGET = Shown.RUN, Shown.WORKER, Shown.TARGET
Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one process, or the sum of many. Each field is a counter; the message of the wire has the same fields."""

    attempted: Annotated[int, Counter("Connection attempts, each counted once whatever its result.", RUN | WORKER)] = 0
    opened: Annotated[int, Counter("Connections that a client established or an acceptor accepted.")] = 0
    closed: Annotated[int, Counter("Connections that c1m closed because the run required it.", RUN | TARGET)] = 0
    skipped_ports: Annotated[
        int, Counter("Planned local ports that another program used.", RUN | WORKER, label="busy ports skipped")
    ] = 0
    bytes_received: Annotated[int, Counter("Bytes received on the connections.", RUN | WORKER | TARGET, "B")] = 0
    bytes_sent: Annotated[int, Counter("Bytes sent on the connections.", RUN | WORKER | TARGET, "B")] = 0
    replaced: Annotated[int, Counter("Connections closed at the end of their lifetimes, each to be replaced.", RUN)] = 0
    reopened: Annotated[int, Counter("Attempts that replace dropped and failed connections.", RUN)] = 0
    away: Annotated[int, Counter("Now: clients that are disconnected because the run required it.")] = 0
    waiting: Annotated[int, Counter("Now: clients that wait before their next attempt.")] = 0
    half_closed: Annotated[int, Counter("Now: connections that stay open after their server has closed its side.")] = 0
    last_opened: Annotated[float, Counter("The newest opening, on the host's CLOCK_MONOTONIC.", unit="s", on_wire=False)] = 0.0
    failed: Annotated[
        Counts, Counter("Name of the errno -> attempts that failed with it.", RUN | WORKER, label="failed", of_causes=True)
    ] = field(default_factory=dict)
    dropped: Annotated[
        Counts,
        Counter("Cause -> open connections that were lost to it.", RUN | WORKER | TARGET, label="dropped", of_causes=True),
    ] = field(default_factory=dict)
    heartbeats: Annotated[Counts, Counter("By the names in ``c1m.traffic.heartbeat``.")] = field(default_factory=dict)
    errors: Annotated[Counts, Counter('Call and errno, such as "bind EADDRINUSE" -> count.')] = field(default_factory=dict)
    sources: Annotated[Counts, Counter('"10.0.0.7 slow", "10.0.0.7 failed" -> handshakes.')] = field(default_factory=dict)
    pushes: Annotated[Counts, Counter("By the names in ``c1m.traffic.push``.")] = field(default_factory=dict)

    @property
    def open(self) -> int:
        """The number of connections that are established now on both sides."""
        return self.opened - self.closed - sum(self.dropped.values()) - self.half_closed

    @property
    def in_flight(self) -> int:
        """The number of connection attempts that have not ended yet."""
        return self.attempted - self.opened - sum(self.failed.values())

    def __add__(self, other: Tally) -> Tally:
        numbers = map(add, numbers_of(self), numbers_of(other))
        maps = map(_add_maps, maps_of(self), maps_of(other))
        return Tally.of(numbers, maps, max(self.last_opened, other.last_opened))

    @classmethod
    def of(cls, numbers: Iterable[int], maps: Iterable[Counts], last_opened: float = 0.0) -> Tally:
        """Return the tally of these values, in the order of NUMBERS and MAPS."""
        values: dict[str, Any] = dict(zip(NUMBERS, numbers, strict=True))
        values.update(zip(MAPS, maps, strict=True))
        return cls(**values, last_opened=last_opened)

    def to_message(self) -> dict[str, Any]:
        """Return the counts of a tally as plain numbers and dicts, which can be sent over a link."""
        values: dict[str, Any] = dict(zip(NUMBERS, numbers_of(self), strict=True))
        values.update(zip(MAPS, map(dict, maps_of(self)), strict=True))
        return values | {"last_opened": self.last_opened}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Tally:
        """Return the tally from the plain numbers and dicts that ``to_message`` returned."""
        return cls(**message)


def cause_of(failure: OSError) -> str:
    """Return the name of the cause why a connection was lost, for the OSError that a call on the connection raised."""
    name = name_of(failure.errno)
    return CAUSE_OF_ERRNO.get(name, name)


def name_of(number: int | None) -> str:
    """Return the name of an error number, such as "ECONNREFUSED", or the number as text if it has no name."""
    return errno.errorcode.get(number or 0, str(number))


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of several tallies as one tally."""
    return sum(tallies, Tally())


def _add_maps(one: Counts, other: Counts) -> Counts:
    """Return the sum of counts by name."""
    return dict(Sums(one) + Sums(other)) if one and other else one or other


COUNTERS = counters_of(Tally)
# Names by how they add; all of them are on the wire.
MAPS = tuple(item.name for item in fields(Tally) if item.default_factory is dict)
NUMBERS = tuple(name for name, counter in COUNTERS.items() if counter.on_wire and name not in MAPS)
ON_WIRE = (*NUMBERS, *MAPS)
numbers_of: Callable[[Any], tuple[int, ...]] = attrgetter(*NUMBERS)
maps_of: Callable[[Any], tuple[Counts, ...]] = attrgetter(*MAPS)
