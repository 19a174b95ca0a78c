"""The opener: starts connections from the places that the plan gives them.

Some facts about connecting that shaped this code (measured; sources in docs/internals.md):

* ``_socket.socket`` instead of ``socket.socket`` (a Python subclass with a constructor of its own), ``detach()`` at once:
  nothing that the collector must track survives an opening.
* SO_REUSEADDR and an explicit bind cost the same at any fill; letting the kernel search for a port costs 1.7 ms once half
  the range is taken. bind() then says EADDRINUSE when somebody listens on the port, and connect() EADDRNOTAVAIL
  when the 4-tuple exists already (TIME_WAIT included).
* One edge-triggered registration for IN, OUT and RDHUP serves a connection's whole life: OUT comes once, when the
  handshake is done, and costs nothing while the connection idles. No second epoll_ctl per connection.
"""

from __future__ import annotations

import errno
import itertools
import time
from _socket import (
    AF_INET6,
    IP_TOS,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_TCLASS,
    SO_REUSEADDR,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)
from collections.abc import Iterator, Sequence
from select import EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP

from c1m.measure.tally import name_of
from c1m.net.tuples import Address

from .connections import CONNECTING, ClientConnections
from .route_rotation import RouteTuples, TuplePlace
from .source_latencies import FAILED

WATCHED = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
IN_PROGRESS = errno.EINPROGRESS
STREAM = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC
ECN_BITS = 2  # below the DSCP in the traffic class; TCP writes them
IPV6_FREEBIND = 78  # linux/in6.h; an AnyIP prefix is not enough to bind in IPv6, where it is in IPv4

# A planned 4-tuple that is in use elsewhere is not a failure.
TAKEN = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL})
MOST_BUSY = 256  # of those that were ours before are tried in one opening, which takes a millisecond or two


class Opener:
    """Opens connections and adds them to the table ``connections``. The reactor finds out what becomes of them."""

    def __init__(self, connections: ClientConnections, dscp: int = 0) -> None:
        """``dscp`` is in the IP header of what the connections send, from the SYN on."""
        self.connections = connections
        self.family = connections.family
        self.options = [(SOL_SOCKET, SO_REUSEADDR, 1)]
        if self.family == AF_INET6:
            self.options.append((IPPROTO_IPV6, IPV6_FREEBIND, 1))
        if dscp:
            level, option = (IPPROTO_IPV6, IPV6_TCLASS) if self.family == AF_INET6 else (IPPROTO_IP, IP_TOS)
            self.options.append((level, option, dscp << ECN_BITS))
        self.busy: list[TuplePlace] = []  # 4-tuples that turned out to be in use elsewhere, of one opening

    def open(self, leg: RouteTuples, count: int, due: Iterator[float], errand: int = 0) -> int:
        """Start ``count`` connections on a route, fewer only if its 4-tuples run out, and return how many were started.

        It goes call by call and not connection by connection: all socket(), then all bind(), then all connect(), so that what
        each runs in the kernel stays in the processor's cache. That is worth a few percent at most: three series of 6 to 10
        rounds in turn with the other way gave +5, -6 and +7 % connections a second.
        """
        connections = self.connections
        before = connections.attempted
        while (wanted := before + count - connections.attempted) and not (leg.recycling and len(self.busy) >= MOST_BUSY):
            sources = list(itertools.islice(leg.tuples, wanted))
            if not sources:
                break
            self.start(self.bound(sources, leg, errand), leg, due, errand)
        if self.busy:
            self.skip(leg)
        return connections.attempted - before

    def bound(self, sources: Sequence[Address], leg: RouteTuples, errand: int) -> list[tuple[socket, int]]:
        """Return a list of new sockets, one bound to each source address and port that is free, each with the number of its
        address.
        """
        made: list[socket] = []
        error = None
        for _ in sources:
            try:
                made.append(socket(self.family, STREAM))
            except OSError as failure:
                error = failure.errno
        for source in sources[len(made) :]:
            self.refused("socket", error, (leg.number, source, errand))
        for connection in made:
            for option in self.options:
                connection.setsockopt(*option)
        number_of = self.connections.sources
        bound = []
        for connection, source in zip(made, sources, strict=False):
            try:
                connection.bind(source)
            except OSError as failure:
                connection.close()
                self.refused("bind", failure.errno, (leg.number, source, errand))
            else:
                bound.append((connection, number_of[source[0]]))
        return bound

    def start(self, bound: Sequence[tuple[socket, int]], leg: RouteTuples, due: Iterator[float], errand: int) -> None:
        connections = self.connections
        state, called, register, clock = connections.state, connections.called, connections.epoll.register, time.monotonic
        source_of, destination = connections.sources.of, leg.destination
        started = []
        for connection, source in bound:
            now = clock()
            outcome = connection.connect_ex(destination)
            if outcome == IN_PROGRESS or outcome == 0:
                started.append((connection.detach(), now, source))
            else:
                self.refused("connect", outcome, (leg.number, connection.getsockname()[:2], errand))
                connection.close()
        for descriptor, now, source in started:
            state[descriptor] = CONNECTING
            called[descriptor] = now
            source_of[descriptor] = source
            register(descriptor, WATCHED)
            if connections.paced:
                connections.due[descriptor] = next(due)
                connections.leg[descriptor] = leg.number
                connections.errand[descriptor] = errand
        connections.in_flight += len(started)
        connections.attempted += len(started)

    def refused(self, call: str, number: int | None, place: TuplePlace) -> None:
        """Count a call of a new connection that failed at once as a failed attempt.

        If the 4-tuple was in use by another program, count it as skipped instead: then the next one is tried.
        """
        connections = self.connections
        if number in TAKEN:
            connections.skipped_ports += 1
            connections.errors[f"{call} {name_of(number)}"] += 1
            self.busy.append(place)
            return
        connections.attempted += 1
        connections.fail(call, number)
        if place[1] and call != "socket":  # which is no fault of the address
            connections.troubles.count(place[1][0], FAILED)
        if connections.paced:
            connections.lost.append(place)

    def skip(self, leg: RouteTuples) -> None:
        for _, source, _ in self.busy:
            leg.skip(source)
        self.busy.clear()

    def unplaced(self, leg: RouteTuples, count: int) -> None:
        """Count ``count`` connections as failed because the plan had no free port left for them. Returns nothing."""
        connections = self.connections
        if connections.paced:
            connections.lost.extend([(leg.number, None, 0)] * count)
        connections.attempted += count
        connections.failed["EADDRINUSE"] += count
