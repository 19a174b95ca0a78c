"""The reactor: takes the kernel's events of a shard's connections and acts on them.

Events are edge-triggered: each comes once, and everything that it stands for is handled at once.
"""

from __future__ import annotations

import errno
import time
from _socket import SO_ERROR, SOCK_STREAM, SOL_SOCKET, socket
from collections.abc import Iterator
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP

from c1m.measure.tally import CAUSE_OF_ERRNO, PEER_CLOSED, PEER_RESET
from c1m.net.tuples import Address

from .connections import CONNECTING, ESTABLISHED, HALF_CLOSED, ClientConnections
from .source_latencies import SLOW_SECONDS

WRITABLE = EPOLLOUT  # and nothing else: the event of a successful connect to a server that does not speak first
TALKING = EPOLLIN | EPOLLOUT  # ... and the event of a connection with data that is not ending
BROKEN = EPOLLERR | EPOLLHUP
READABLE = EPOLLIN | EPOLLRDHUP | BROKEN
EVENTS = 256  # taken from the kernel at a time


class Reactor:
    """Handles the kernel's events of a shard's connections, from the handshake to an end that a peer or the network makes.

    Times are seconds on the monotonic clock.
    """

    def __init__(self, connections: ClientConnections) -> None:
        self.connections = connections
        self.reader = connections.reader
        self.send_buffer = connections.send_buffer

    def drain(self, seconds: float = 0.0) -> None:
        """Handle all events that the kernel has for the shard's connections; wait up to ``seconds`` for the first one.

        Returns nothing.
        """
        connections = self.connections
        state, called, latency = connections.state, connections.called, connections.connect_latency
        took, whose, number_of = latency.raw.append, latency.whose.append, connections.sources.of
        behaviours = connections.behaviours
        poll = connections.epoll.poll
        events = poll(seconds, EVENTS)
        while events:
            now = time.monotonic()
            established, talking = 0, []
            for descriptor, what in events:
                if what == WRITABLE and state[descriptor] == CONNECTING:
                    state[descriptor] = ESTABLISHED
                    took(now - called[descriptor])
                    whose(number_of[descriptor])
                    if connections.paced:
                        connections.connect_latency_from_due.raw.append(now - connections.due[descriptor])
                    established += 1
                    if behaviours:
                        self.met(descriptor, now)
                elif what == TALKING and state[descriptor] == ESTABLISHED:
                    talking.append(descriptor)
                elif state[descriptor] == CONNECTING:
                    established += self.look(descriptor, what, now)
                else:
                    self.serve(descriptor, what, now)
            if talking:
                self.listen(talking, now)
            if established:
                connections.opened += established
                connections.in_flight -= established
                connections.last_opened = now
            events = poll(0, EVENTS) if len(events) == EVENTS else []

    def attend(self, until: float) -> None:
        """Handle the events of the shard's connections until the given time, in monotonic seconds."""
        while (left := until - time.monotonic()) > 0:
            self.drain(left)

    # -- the handshake

    def look(self, descriptor: int, what: int, now: float) -> int:
        """Check a connect whose event does not simply mean success, and count it as established or failed.

        Return how many were established: 0 or 1.
        """
        connections = self.connections
        error = self.error_of(descriptor) if what & BROKEN else 0
        if error not in (0, errno.ECONNRESET):
            connections.give_up(descriptor, error)
            return 0
        # It was established, and possibly reset since: a reset during the handshake would have been ECONNREFUSED.
        connections.state[descriptor] = ESTABLISHED
        connections.connect_latency.took(descriptor, now - connections.called[descriptor])
        if connections.paced:
            connections.connect_latency_from_due.raw.append(now - connections.due[descriptor])
        if connections.behaviours:
            self.met(descriptor, now)
        if error:
            connections.drop(descriptor, PEER_RESET, now)
        elif what & READABLE:
            self.serve(descriptor, what, now)
        return 1

    def error_of(self, descriptor: int) -> int:
        """Return the pending error number of a socket (SO_ERROR), 0 for none. Reading it also clears it."""
        connection = socket(self.connections.family, SOCK_STREAM, 0, descriptor)
        error = connection.getsockopt(SOL_SOCKET, SO_ERROR)
        connection.detach()
        return error

    def met(self, descriptor: int, now: float) -> None:
        for behaviour in self.connections.behaviours:
            behaviour.opened(descriptor, now)

    def expire(self, called_before: float, now: float) -> None:
        """Count connects that were called before the given time as timed out, and close them.

        They are found by a memchr over the state bytes, without a timer each.
        """
        connections = self.connections
        descriptor = connections.state.find(CONNECTING)
        while descriptor >= 0:
            if connections.called[descriptor] < called_before:
                connections.give_up(descriptor, errno.ETIMEDOUT)
            elif connections.called[descriptor] < now - SLOW_SECONDS:
                connections.troubles.is_slow(descriptor, connections.called[descriptor])
            descriptor = connections.state.find(CONNECTING, descriptor + 1)

    # -- what is established

    def listen(self, talking: list[int], now: float) -> None:
        for descriptor, cause in self.reader.read_all(talking, now):
            self.connections.drop(descriptor, cause, now)
        if self.send_buffer.unsent:
            for descriptor in talking:
                self.serve(descriptor, WRITABLE, now)

    def serve(self, descriptor: int, what: int, now: float) -> None:
        """Read the bytes that arrived on an established connection, or send those that wait for room.

        A connection that has ended is dropped.
        """
        cause = ""
        if what & WRITABLE and self.send_buffer.unsent:
            cause = self.send_buffer.flush(descriptor)
        if what & READABLE and not cause:
            cause = self.reader.read(descriptor, what, now)
        if cause == PEER_CLOSED and self.connections.half_open:
            self.stay(descriptor, what, now)
        elif cause:
            self.connections.drop(descriptor, cause, now)

    def stay(self, descriptor: int, what: int, now: float) -> None:
        """Keep a connection whose server has closed its side, until the server resets it. A read reports only the former from
        then on.
        """
        connections = self.connections
        error = self.error_of(descriptor) if what & BROKEN else 0
        if error:
            name = errno.errorcode.get(error, str(error))
            connections.drop(descriptor, CAUSE_OF_ERRNO.get(name, name), now)
        elif connections.state[descriptor] == ESTABLISHED:
            connections.state[descriptor] = HALF_CLOSED
            connections.half_closed_after.raw.append(now - connections.called[descriptor])

    def destinations(self) -> Iterator[tuple[int, Address]]:
        """Yield the descriptor and destination of each established connection."""
        for descriptor, state in enumerate(self.connections.state):
            if state == ESTABLISHED and (destination := self.destination(descriptor)):
                yield descriptor, destination

    def destination(self, descriptor: int) -> Address | None:
        """Return the destination of an established connection. None if the connection has just ended; it is dropped then."""
        connection = socket(self.connections.family, SOCK_STREAM, 0, descriptor)
        try:
            destination: Address = connection.getpeername()[:2]
        except OSError:
            self.serve(descriptor, READABLE, time.monotonic())
            return None
        finally:
            connection.detach()
        return destination
