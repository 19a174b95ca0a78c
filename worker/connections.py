"""The connections of one shard: bare descriptors in one epoll, their state in arrays.

Some facts about connecting that shaped this code (measured; sources in ARCHITECTURE.md):

* No task, object or timer per connection: a byte of state and two timestamps in arrays indexed by descriptor.
* One edge-triggered registration for IN, OUT and RDHUP serves a connection's whole life: OUT comes once, when the
  handshake is done, and costs nothing while the connection idles. No second epoll_ctl per connection.
* ``_socket.socket`` instead of ``socket.socket`` (a Python subclass with a constructor of its own), ``detach()`` at once:
  nothing that the collector must track survives an opening.
* SO_REUSEADDR and an explicit bind cost the same at any fill; letting the kernel search for a port costs 1.7 ms once half
  the range is taken. bind() then says EADDRINUSE when somebody listens on the port, and connect() EADDRNOTAVAIL
  when the 4-tuple exists already (TIME_WAIT included).
* A close with SO_LINGER 0 sends a RST and leaves no TIME_WAIT, so the next run can use the same 4-tuples at once.
"""

from __future__ import annotations

import errno
import itertools
import os
import time
from _socket import (
    AF_INET6,
    IPPROTO_IPV6,
    SO_ERROR,
    SO_LINGER,
    SO_REUSEADDR,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from select import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, epoll
from struct import pack

from c1m.latency import Latencies
from c1m.routes import Address
from c1m.tally import CAUSE_OF_ERRNO, PEER_CLOSED, PEER_RESET, Tally, name_of

from .behaviour import Behaviour
from .itinerary import Leg, Place
from .outbox import Outbox
from .reader import Reader

WATCHED = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
WRITABLE = EPOLLOUT  # and nothing else: what a connect that succeeded gives, on a server that does not speak first
TALKING = EPOLLIN | EPOLLOUT  # ... and what one gives that has something to say and is not ending
BROKEN = EPOLLERR | EPOLLHUP
IN_PROGRESS = errno.EINPROGRESS
READABLE = EPOLLIN | EPOLLRDHUP | BROKEN
STREAM = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC
EVENTS = 256  # taken from the kernel at a time
IPV6_FREEBIND = 78  # linux/in6.h; an AnyIP prefix is not enough to bind in IPv6, where it is in IPv4
RESET_ON_CLOSE = pack("ii", 1, 0)

NOT_OURS, CONNECTING, ESTABLISHED, HALF_CLOSED = 0, 1, 2, 3  # the last: by the server, and we stay

# A planned 4-tuple that somebody else holds: not a failure.
TAKEN = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL})
MOST_BUSY = 256  # of those that were ours before are tried in one opening, which takes a millisecond or two


class Connections:
    """Opens, watches and closes; counts everything, raises for nothing that a network can do.

    Times are seconds on the monotonic clock, as floats: the interpreter subtracts them without making integers.
    """

    def __init__(self, family: int, most: int, *, paced: bool) -> None:
        """``most`` is the size of the descriptor table; in a paced shard connections are due, and have successors."""
        self.family = family
        self.paced = paced
        self.options = [(SOL_SOCKET, SO_REUSEADDR, 1)]
        if family == AF_INET6:
            self.options.append((IPPROTO_IPV6, IPV6_FREEBIND, 1))
        self.epoll = epoll()
        self.state = bytearray(most)
        self.called = array("d", (0.0,)) * most
        self.due = array("d", (0.0,)) * (most if paced else 0)
        self.connect_latency = Latencies()
        self.connect_latency_from_due = Latencies() if paced else self.connect_latency
        self.alive_after = Latencies()  # how old connections were that were dropped
        self.leg = array("H", (0,)) * (most if paced else 0)
        self.errand = bytearray(most if paced else 0)  # of whoever opened it
        self.lost: deque[Place] = deque()  # where those were that failed or were dropped, of a paced shard
        self.busy: list[Place] = []  # 4-tuples that turned out to be somebody else's, of one opening
        self.half_open = False  # whether to stay when the server has closed its side
        self.half_closed_after = Latencies()  # how old connections were when it did
        self.behaviours: tuple[Behaviour, ...] = ()
        self.reader = Reader(self.called)
        self.outbox = Outbox()
        self.attempted = self.opened = self.closed = self.skipped_ports = 0
        self.in_flight = 0
        self.last_opened = 0.0
        self.failed: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    # -- opening

    @property
    def established(self) -> int:
        return self.opened - self.closed - self.dropped.total() - self.half_closed

    def open(self, leg: Leg, count: int, due: Iterator[float], errand: int = 0) -> int:
        """Start ``count`` connections; fewer only when the tuples run out. How many were.

        Call by call, not connection by connection: so many socket(), then so many bind(), then so many connect(), so that
        what each runs in the kernel stays in the processor's cache. Worth a few percent at most: three series of 6 to 10
        rounds in turn with the other way gave +5, -6 and +7 % connections a second.
        """
        before = self.attempted
        while (wanted := before + count - self.attempted) and not (leg.recycling and len(self.busy) >= MOST_BUSY):
            sources = list(itertools.islice(leg.tuples, wanted))
            if not sources:
                break
            self.start(self.bound(sources, leg, errand), leg, due, errand)
        if self.busy:
            self.skip(leg)
        return self.attempted - before

    def bound(self, sources: Sequence[Address], leg: Leg, errand: int) -> list[socket]:
        """A socket at each source that is free."""
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
        bound = []
        for connection, source in zip(made, sources, strict=False):
            try:
                connection.bind(source)
            except OSError as failure:
                self.refused("bind", failure.errno, (leg.number, source, errand))
            else:
                bound.append(connection)
        return bound

    def start(self, bound: Sequence[socket], leg: Leg, due: Iterator[float], errand: int) -> None:
        state, called, register, clock = self.state, self.called, self.epoll.register, time.monotonic
        destination = leg.destination
        started = []
        for connection in bound:
            now = clock()
            outcome = connection.connect_ex(destination)
            if outcome == IN_PROGRESS or outcome == 0:
                started.append((connection.detach(), now))
            else:
                self.refused("connect", outcome, (leg.number, connection.getsockname()[:2], errand))
        for descriptor, now in started:
            state[descriptor] = CONNECTING
            called[descriptor] = now
            register(descriptor, WATCHED)
            if self.paced:
                self.due[descriptor] = next(due)
                self.leg[descriptor] = leg.number
                self.errand[descriptor] = errand
        self.in_flight += len(started)
        self.attempted += len(started)

    def refused(self, call: str, number: int | None, place: Place) -> None:
        """A call failed at once. An attempt, unless the 4-tuple was somebody else's: then the next one is tried."""
        if number in TAKEN:
            self.skipped_ports += 1
            self.errors[f"{call} {name_of(number)}"] += 1
            self.busy.append(place)
            return
        self.attempted += 1
        self.fail(call, number)
        if self.paced:
            self.lost.append(place)

    def skip(self, leg: Leg) -> None:
        for _, source, _ in self.busy:
            leg.skip(source)
        self.busy.clear()

    def unplaced(self, leg: Leg, count: int) -> None:
        """Connections for which no free port was left in the plan."""
        if self.paced:
            self.lost.extend([(leg.number, None, 0)] * count)
        self.attempted += count
        self.failed["EADDRINUSE"] += count

    def fail(self, call: str, number: int | None) -> None:
        name = name_of(number)
        self.failed[name] += 1
        self.errors[f"{call} {name}"] += 1

    # -- watching

    def drain(self, seconds: float = 0.0) -> None:
        """Take what the kernel has to say about any of the connections; wait so long for the first of it."""
        state, called, took = self.state, self.called, self.connect_latency.raw.append
        behaviours = self.behaviours
        events = self.epoll.poll(seconds, EVENTS)
        while events:
            now = time.monotonic()
            established, talking = 0, []
            for descriptor, what in events:
                if what == WRITABLE and state[descriptor] == CONNECTING:
                    state[descriptor] = ESTABLISHED
                    took(now - called[descriptor])
                    if self.paced:
                        self.connect_latency_from_due.raw.append(now - self.due[descriptor])
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
                self.opened += established
                self.in_flight -= established
                self.last_opened = now
            events = self.epoll.poll(0, EVENTS) if len(events) == EVENTS else []

    def listen(self, talking: list[int], now: float) -> None:
        for descriptor, cause in self.reader.read_all(talking, now):
            self.drop(descriptor, cause, now)
        if self.outbox.unsent:
            for descriptor in talking:
                self.serve(descriptor, WRITABLE, now)

    def attend(self, until: float) -> None:
        """Drain until then."""
        while (left := until - time.monotonic()) > 0:
            self.drain(left)

    def look(self, descriptor: int, what: int, now: float) -> int:
        """A connect that did not simply succeed. How many were established: 0 or 1."""
        error = self.error_of(descriptor) if what & BROKEN else 0
        if error not in (0, errno.ECONNRESET):
            self.give_up(descriptor, error)
            return 0
        # Established, and possibly more since: a reset during the handshake would have been ECONNREFUSED.
        self.state[descriptor] = ESTABLISHED
        self.connect_latency.raw.append(now - self.called[descriptor])
        if self.paced:
            self.connect_latency_from_due.raw.append(now - self.due[descriptor])
        if self.behaviours:
            self.met(descriptor, now)
        if error:
            self.drop(descriptor, PEER_RESET, now)
        elif what & READABLE:
            self.serve(descriptor, what, now)
        return 1

    def met(self, descriptor: int, now: float) -> None:
        for behaviour in self.behaviours:
            behaviour.opened(descriptor, now)

    def error_of(self, descriptor: int) -> int:
        """Reading SO_ERROR also clears it."""
        connection = socket(self.family, SOCK_STREAM, 0, descriptor)
        error = connection.getsockopt(SOL_SOCKET, SO_ERROR)
        connection.detach()
        return error

    def give_up(self, descriptor: int, error: int) -> None:
        if self.paced:
            self.lost.append(self.place(descriptor))
        os.close(descriptor)
        self.state[descriptor] = NOT_OURS
        self.in_flight -= 1
        self.fail("handshake", error)

    def serve(self, descriptor: int, what: int, now: float) -> None:
        """Something came over an established connection, or there is room again for what waits to be sent."""
        cause = ""
        if what & WRITABLE and self.outbox.unsent:
            cause = self.outbox.flush(descriptor)
        if what & READABLE and not cause:
            cause = self.reader.read(descriptor, what, now)
        if cause == PEER_CLOSED and self.half_open:
            self.stay(descriptor, what, now)
        elif cause:
            self.drop(descriptor, cause, now)

    def stay(self, descriptor: int, what: int, now: float) -> None:
        """The server has closed its side; until it resets what we keep open. A read says only the former, ever after."""
        error = self.error_of(descriptor) if what & BROKEN else 0
        if error:
            name = errno.errorcode.get(error, str(error))
            self.drop(descriptor, CAUSE_OF_ERRNO.get(name, name), now)
        elif self.state[descriptor] == ESTABLISHED:
            self.state[descriptor] = HALF_CLOSED
            self.half_closed_after.raw.append(now - self.called[descriptor])

    def send(self, descriptor: int, data: bytes, now: float) -> None:
        """Over an established connection, which may turn out to be none any more."""
        if cause := self.outbox.send(descriptor, data):
            self.drop(descriptor, cause, now)

    def drop(self, descriptor: int, cause: str, now: float) -> None:
        self.forget(descriptor, now)
        if self.paced:
            self.lost.append(self.place(descriptor))
        os.close(descriptor)
        self.state[descriptor] = NOT_OURS
        self.dropped[cause] += 1
        self.alive_after.raw.append(now - self.called[descriptor])

    def forget(self, descriptor: int, now: float) -> None:
        """One that is closed, by us or not."""
        self.reader.forget(descriptor)
        self.outbox.forget(descriptor)
        for behaviour in self.behaviours:
            behaviour.gone(descriptor, now)

    def expire(self, called_before: float) -> None:
        """Give up on connects called before then. Finding them is a memchr over the state bytes, not a timer each."""
        descriptor = self.state.find(CONNECTING)
        while descriptor >= 0:
            if self.called[descriptor] < called_before:
                self.give_up(descriptor, errno.ETIMEDOUT)
            descriptor = self.state.find(CONNECTING, descriptor + 1)

    # -- places

    def place(self, descriptor: int) -> Place:
        """What another connection may use when this one is gone. The kernel knows the source until it is closed."""
        connection = socket(self.family, SOCK_STREAM, 0, descriptor)
        source = connection.getsockname()[:2]
        connection.detach()
        return self.leg[descriptor], source, self.errand[descriptor]

    def begin_to_pace(self, legs: Mapping[Address, int]) -> list[int]:
        """From here on connections are due; none may be in flight. The legs of those that are established.

        ``legs``: by destination. Those that are established were due when they were called.
        """
        self.due = array("d", self.called)
        self.connect_latency_from_due = self.connect_latency.copy()
        self.leg = array("H", (0,)) * len(self.state)
        self.errand = bytearray(len(self.state))
        in_use = []
        for descriptor, state in enumerate(self.state):
            if state == ESTABLISHED and (destination := self.destination(descriptor)):
                self.leg[descriptor] = legs[destination]
                in_use.append(legs[destination])
        self.paced = True
        return in_use

    def destination(self, descriptor: int) -> Address | None:
        """Of one that is established, or was until now: then it is dropped."""
        connection = socket(self.family, SOCK_STREAM, 0, descriptor)
        try:
            destination: Address = connection.getpeername()[:2]
        except OSError:
            self.serve(descriptor, READABLE, time.monotonic())
            return None
        finally:
            connection.detach()
        return destination

    # -- closing

    def close(self, descriptors: Iterable[int], *, reset: bool) -> list[Place]:
        """Established ones of a paced shard; where they were."""
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
        """Close up to ``count`` connections at or above descriptor ``first``; where to go on, or -1 when none is left."""
        state, family = self.state, self.family
        silent = not (self.behaviours or self.reader.bytes_received or self.outbox.bytes_sent)  # nothing else to forget
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
        """Changes whenever there is something new to tell."""
        return (
            self.attempted,
            self.opened,
            self.closed,
            self.reader.bytes_received,
            self.outbox.bytes_sent,
            self.failed.total(),
            self.dropped.total(),
            self.errors.total(),
            self.half_closed,
        )

    @property
    def half_closed(self) -> int:
        return self.state.count(HALF_CLOSED) if self.half_open else 0

    def behave(self, behaviours: tuple[Behaviour, ...]) -> None:
        """From here on; once, before anything is opened."""
        self.behaviours = behaviours
        self.reader.hand_to(behaviours)

    def histograms(self) -> dict[str, dict[int, int]]:
        """Name -> bucket -> how many: what has changed since the last call."""
        latency = self.connect_latency.news()
        from_due = self.connect_latency_from_due.news() if self.paced else latency
        half_closed = {"half_closed_after_us": self.half_closed_after.news()} if self.half_open else {}
        return half_closed | {
            "connect_latency_us": latency,
            "connect_latency_from_due_us": from_due,
            "first_byte_us": self.reader.first_byte.news(),
            "alive_after_us": self.alive_after.news(),
        }

    def tally(self) -> Tally:
        return Tally(
            attempted=self.attempted,
            opened=self.opened,
            closed=self.closed,
            skipped_ports=self.skipped_ports,
            bytes_received=self.reader.bytes_received,
            bytes_sent=self.outbox.bytes_sent,
            last_opened=self.last_opened,
            half_closed=self.half_closed,
            failed=self.failed,
            dropped=self.dropped,
            errors=self.errors,
        )
