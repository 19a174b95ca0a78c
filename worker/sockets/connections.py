"""The connections of one shard: bare descriptors in one epoll, their state in arrays.

Facts about connections that shaped this code (measured; sources in docs/internals.md):

* No task, object or timer per connection: a byte of state and two timestamps in arrays indexed by descriptor.
* A close with SO_LINGER 0 sends a RST and leaves no TIME_WAIT, so the next run can use the same 4-tuples at once.
"""

from __future__ import annotations

import itertools
import os
import time
from _socket import SO_LINGER, SOCK_STREAM, SOL_SOCKET, socket
from array import array
from collections import Counter, deque
from collections.abc import Iterable
from select import epoll
from struct import pack

from c1m.measure.latency import Latencies
from c1m.measure.tally import Tally, name_of

from .behaviour import Behaviour
from .receiving import Receiver
from .route_rotation import TuplePlace
from .send_buffer import SendBuffer
from .source_latencies import SourceErrors, SourceLatencies, SourceNumbers, source_of

RESET_ON_CLOSE = pack("ii", 1, 0)

NOT_OURS, CONNECTING, ESTABLISHED, HALF_CLOSED = 0, 1, 2, 3  # the last one: closed by the server, and we stay


class ClientConnections:
    """The table of a shard's open connections and the counts of all that were opened; opener and reactor share it.

    Nothing that a network can do raises here. Times are seconds on the monotonic clock, as floats: the interpreter subtracts
    them without making integers.
    """

    def __init__(self, family: int, most: int, *, paced: bool, sources: int = 1) -> None:
        """Create an empty table of connections.

        ``most`` is the size of the descriptor table, ``sources`` the number of source addresses. In a paced shard connections
        are due at a time, and have successors.
        """
        self.family = family
        self.paced = paced
        self.epoll = epoll()
        self.state = bytearray(most)
        self.called = array("d", (0.0,)) * most
        self.due = array("d", (0.0,)) * (most if paced else 0)
        self.sources = SourceNumbers(most, sources)
        self.connect_latency = SourceLatencies(self.sources)
        self.connect_latency_from_due: Latencies = Latencies() if paced else self.connect_latency
        self.alive_after = Latencies()  # how old connections were that were dropped
        self.leg = array("H", (0,)) * (most if paced else 0)
        self.errand = bytearray(most if paced else 0)  # the errand with which each connection was opened
        self.lost: deque[TuplePlace] = deque()  # places of connections that failed or were dropped, in a paced shard
        self.half_open = False  # whether to stay when the server has closed its side
        self.half_closed_after = Latencies()  # how old connections were when it did
        self.behaviours: tuple[Behaviour, ...] = ()
        self.reader = Receiver(self.called, self.sources)
        self.send_buffer = SendBuffer()
        self.attempted = self.opened = self.closed = self.skipped_ports = 0
        self.in_flight = 0
        self.last_opened = 0.0
        self.failed: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.troubles = SourceErrors(family)
        self.dropped: Counter[str] = Counter()

    @property
    def established(self) -> int:
        return self.opened - self.closed - self.dropped.total() - self.half_closed

    @property
    def half_closed(self) -> int:
        return self.state.count(HALF_CLOSED) if self.half_open else 0

    def behave(self, behaviours: tuple[Behaviour, ...]) -> None:
        """Set the behaviours that are notified of what happens to connections. Call it once, before anything is opened."""
        self.behaviours = behaviours
        self.reader.hand_to(behaviours)

    def send(self, descriptor: int, data: bytes, now: float) -> None:
        """Send bytes over an established connection.

        If its peer turns out to have closed it, the connection is dropped and counted.
        """
        if cause := self.send_buffer.send(descriptor, data):
            self.drop(descriptor, cause, now)

    # -- places

    def place(self, descriptor: int) -> TuplePlace:
        """Return the route, source address and errand of a connection, which another connection may use when this one is gone.

        The kernel knows the source until the connection is closed.
        """
        return self.leg[descriptor], source_of(self.family, descriptor), self.errand[descriptor]

    def begin_to_pace(self, legs: Iterable[tuple[int, int]]) -> list[int]:
        """Make connections due at a time from here on, and return the routes of the established ones; none may be in flight.

        ``legs`` has the descriptor and route of each established connection. They count as due when they were called.
        """
        self.due = array("d", self.called)
        self.connect_latency_from_due = self.connect_latency.copy()
        self.leg = array("H", (0,)) * len(self.state)
        self.errand = bytearray(len(self.state))
        in_use = []
        for descriptor, leg in legs:
            self.leg[descriptor] = leg
            in_use.append(leg)
        self.paced = True
        return in_use

    # -- lost

    def give_up(self, descriptor: int, error: int) -> None:
        """Count a connect as failed with the error number, and close its descriptor. Returns nothing."""
        if self.paced:
            self.lost.append(self.place(descriptor))
        self.troubles.has_failed(descriptor)
        os.close(descriptor)
        self.state[descriptor] = NOT_OURS
        self.in_flight -= 1
        self.fail("handshake", error)

    def drop(self, descriptor: int, cause: str, now: float) -> None:
        """Close an established connection that its peer or the network ended, and count it as dropped.

        ``cause`` is a name as in ``c1m.measure.tally``.
        """
        self.forget(descriptor, now)
        if self.paced:
            self.lost.append(self.place(descriptor))
        os.close(descriptor)
        self.state[descriptor] = NOT_OURS
        self.dropped[cause] += 1
        self.alive_after.raw.append(now - self.called[descriptor])

    def fail(self, call: str, number: int | None) -> None:
        name = name_of(number)
        self.failed[name] += 1
        self.errors[f"{call} {name}"] += 1

    def forget(self, descriptor: int, now: float) -> None:
        """Remove what is stored for a connection that is being closed, and notify the behaviours. Returns nothing."""
        self.reader.forget(descriptor)
        self.send_buffer.forget(descriptor)
        for behaviour in self.behaviours:
            behaviour.gone(descriptor, now)

    # -- closing

    def close(self, descriptors: Iterable[int], *, reset: bool) -> list[TuplePlace]:
        """Close established connections of a paced shard, and return their routes, source addresses and errands, which others
        may use.
        """
        freed = []
        for descriptor in descriptors:
            freed.append(self.place(descriptor))
            self.close_one(descriptor, reset=reset)
            self.closed += 1
        return freed

    def close_one(self, descriptor: int, *, reset: bool) -> None:
        connection = socket(self.family, SOCK_STREAM, 0, descriptor)
        if reset:
            connection.setsockopt(SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
        connection.close()
        self.state[descriptor] = NOT_OURS
        self.forget(descriptor, time.monotonic())

    def close_some(self, first: int, count: int, *, reset: bool) -> int:
        """Close up to ``count`` connections at or above descriptor ``first``, and return the descriptor from which to go on, -1
        when none is left.
        """
        state, family = self.state, self.family
        silent = not (self.behaviours or self.reader.bytes_received or self.send_buffer.bytes_sent)  # nothing else to forget
        ours = itertools.compress(range(first, len(state)), memoryview(state)[first:])
        descriptor = -2
        for descriptor in itertools.islice(ours, count):
            connection = socket(family, SOCK_STREAM, 0, descriptor)
            if reset:
                connection.setsockopt(SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
            connection.close()
            if state[descriptor] == CONNECTING:
                self.in_flight -= 1
                self.failed["ECANCELED"] += 1
            else:
                self.closed += 1
            state[descriptor] = NOT_OURS
            if not silent:
                self.forget(descriptor, time.monotonic())
        return descriptor + 1

    # -- telling

    def counts(self) -> tuple[int, ...]:
        """Return counters of connections and bytes; they change whenever there is something new to report."""
        return (
            self.attempted,
            self.opened,
            self.closed,
            self.reader.bytes_received,
            self.send_buffer.bytes_sent,
            self.failed.total(),
            self.dropped.total(),
            self.errors.total(),
            self.troubles.counts.total(),
            self.half_closed,
        )

    def histograms(self) -> dict[str, dict[int, int]]:
        """Return the latencies added since the last call, as {name: {bucket: count}}."""
        latency = self.connect_latency.news()
        from_due = self.connect_latency_from_due.news() if self.paced else latency
        half_closed = {"half_closed_after_us": self.half_closed_after.news()} if self.half_open else {}
        return half_closed | {
            "connect_latency_us": latency,
            "connect_latency_from_due_us": from_due,
            "first_byte_us": self.reader.first_byte.news(),
            "alive_after_us": self.alive_after.news(),
        }

    def source_latencies(self) -> dict[str, SourceLatencies]:
        """Return {name of the histogram: latencies} for the latencies that are counted by source address as well."""
        return {"connect_latency_us": self.connect_latency, "first_byte_us": self.reader.first_byte}

    def tally(self) -> Tally:
        return Tally(
            attempted=self.attempted,
            opened=self.opened,
            closed=self.closed,
            skipped_ports=self.skipped_ports,
            bytes_received=self.reader.bytes_received,
            bytes_sent=self.send_buffer.bytes_sent,
            last_opened=self.last_opened,
            half_closed=self.half_closed,
            failed=self.failed,
            dropped=self.dropped,
            errors=self.errors,
            sources=self.troubles.counts,
        )
