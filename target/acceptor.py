"""An acceptor: one process, one listener, raw epoll, as many connections as its descriptors allow.

Some facts about accepting that shaped this loop (measured; sources in ARCHITECTURE.md):

* Waking for every SYN costs the connecting CPU about 6 us a connection, a third of ``connect()``, and is worse the
  slower they come. So after a batch the acceptor takes its listener out of the epoll for some milliseconds, in which
  nobody wakes it and the queue (its backlog) collects the next batch. Data are echoed meanwhile.
* A full descriptor table makes ``accept()`` fail with EMFILE *before* it dequeues: nothing is lost, but a
  level-triggered epoll would report the listener for ever. A full acceptor therefore takes its listener out of the epoll,
  and puts it back when a connection has gone.
* With a listener shared by several acceptors, EPOLLEXCLUSIVE wakes one of them per connection, and must be removed and
  added, never modified (EINVAL).
* Accepted descriptors are blocking (O_NONBLOCK is not inherited). Most connections of a run never carry a byte, so the
  one ioctl that makes them non-blocking waits until the first byte arrives.
* SO_LINGER is inherited from the listener: a target that dies resets its connections instead of leaving TIME_WAIT behind.

Nothing here imports trio, asyncio, selectors (nor ``socket``, which imports selectors) or gRPC; a test looks.
"""

from __future__ import annotations

import errno
import os
import time
from _socket import IPPROTO_TCP, SOCK_STREAM, TCP_INFO, socket
from contextlib import suppress
from select import EPOLLERR, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, epoll
from struct import unpack_from

from c1m import link
from c1m.choice import is_chosen
from c1m.latency import Latencies
from c1m.phase import Phase
from c1m.push import Push
from c1m.tally import PEER_CLOSED, Tally, cause_of, name_of

from .pusher import Pusher

READABLE = EPOLLIN | EPOLLRDHUP
BROKEN = EPOLLERR | EPOLLHUP

BATCH = 512  # accepts, and events, before anything else gets its turn
WORTHWHILE = 96  # connections that an acceptor stays away for; it learns how long that takes
SHORTEST_ABSENCE, LONGEST_ABSENCE = 0.001, 0.016  # seconds; the usual backlog of 4,096 then takes 256,000 SYN/s
# After a turn in which connections ended, and nothing else happened: more are ending, and nobody waits for an answer. A
# wakeup for every RST costs both ends a context switch.
REST_SECONDS = 0.002
REPORT_SECONDS = 0.5
SHORTAGE_SECONDS = 0.1  # how long accepting pauses when the host, not this process, is out of something
CHUNK = 16 * 1024  # bytes echoed at a time
LAST_DATA_RECV = 52  # where linux/tcp.h has tcpi_last_data_recv in a struct tcp_info

# What accept() says when this process or the host is out of descriptors or memory.
SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# What a connection that died in the queue leaves behind: the queue goes on.
ALREADY_GONE = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EPERM})

# The state of a descriptor, one byte each in an array indexed by descriptor.
NOT_OURS, QUIET, TALKING = 0, 1, 2


class Acceptor:
    """Accepts, echoes and counts until its link closes."""

    def __init__(self, control: socket, listener: socket, descriptors: int, capacity: int, *, shared: bool) -> None:
        """``descriptors`` is the size of the process's table, ``capacity`` how many of them are for connections."""
        self.control = control
        self.listener = listener
        self.interest = EPOLLIN | EPOLLEXCLUSIVE if shared else EPOLLIN
        self.epoll = epoll()
        self.state = bytearray(descriptors)
        self.capacity = capacity
        self.unsent: dict[int, bytes] = {}  # descriptor -> bytes read that the peer has no room for yet
        self.opened = self.closed = self.open = self.bytes_received = self.bytes_sent = 0
        self.dropped: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self.accept_delay = Latencies()
        self.pusher: Pusher | None = None
        self.push_at = 0.0
        self.listening = False
        self.alive = True
        self.over = False  # the run is, and nothing is accepted any more
        self.absence = SHORTEST_ABSENCE
        self.resume_at = 0.0  # when accepting goes on, after a batch or a shortage; 0 when nothing stands in its way
        self.reported = -1
        self.last_opened = 0.0

    def push(self, wanted: Push, start: float) -> None:
        """From ``start`` on, send to every connection without being asked."""
        self.pusher = Pusher(wanted, self.state, self.unsent, self.send_unasked, start)

    # -- the loop

    def run(self) -> None:
        self.epoll.register(self.control.fileno(), EPOLLIN)
        self.listen()
        self.report()
        next_report = 0.0
        while self.alive:
            self.turn(self.timeout(next_report))
            now = time.monotonic()
            if now >= next_report and self.marker() != self.reported:
                self.report()
                next_report = now + REPORT_SECONDS
            if self.resume_at and now >= self.resume_at:
                self.resume_at = 0.0
                self.listen()
            if self.pusher and now >= self.push_at:
                self.push_at = self.pusher.act(now, self.open)

    def turn(self, timeout: float) -> None:
        """Serve what is ready."""
        state, open_before, ordered = self.state, self.open, False
        ready = self.epoll.poll(timeout, BATCH)
        for descriptor, events in ready:
            if state[descriptor]:
                self.serve(descriptor, events)
            elif descriptor == self.listener.fileno():
                self.stay_away(self.accept_batch())
            else:
                ordered = True
        if ordered:  # last: an order may close what else is ready
            self.obey(link.receive(self.control))
        elif ready and open_before - self.open == len(ready):
            time.sleep(REST_SECONDS)

    def timeout(self, next_report: float) -> float:
        """Seconds to sleep: for ever, unless something is still to be told or to be tried again."""
        waits = []
        if self.marker() != self.reported:
            waits.append(next_report)
        if self.resume_at:
            waits.append(self.resume_at)
        if self.pusher:
            waits.append(self.push_at)
        return max(min(waits) - time.monotonic(), 0) if waits else -1

    def obey(self, order: link.Message | None) -> None:
        if order is None:
            self.alive = False
        elif "rest" in order:
            self.rest()
        elif "close" in order:
            self.close_all()
            self.report()
        elif "storm" in order:
            self.drop_share(order["storm"])

    def rest(self) -> None:
        """Sleep until the next order, whatever the connections do: all clients are about to reset theirs.

        In a million of those, a wakeup, a read that fails and a close each took the two ends a third longer than to close
        what is dead already. Until somebody sleeps in the epoll, the kernel only lists there what happened.
        """
        self.quiesce()
        self.resume_at = 0.0
        self.report()
        self.obey(link.receive(self.control))

    # -- accepting

    def listen(self) -> None:
        if not self.listening and not self.over and self.open < self.capacity:
            self.epoll.register(self.listener.fileno(), self.interest)
            self.listening = True

    def quiesce(self) -> None:
        if self.listening:
            self.epoll.unregister(self.listener.fileno())
            self.listening = False

    def stay_away(self, accepted: int) -> None:
        """Until a worthwhile batch has come, as far as the last one tells."""
        if accepted and self.listening:
            factor = 2.0 if accepted < WORTHWHILE else 0.5
            self.absence = min(max(self.absence * factor, SHORTEST_ABSENCE), LONGEST_ABSENCE)
            self.resume_at = time.monotonic() + self.absence
            self.quiesce()

    def accept_batch(self) -> int:
        # typeshed does not know _socket's own accept, which makes no object of the descriptor
        accept, register, state = self.listener._accept, self.epoll.register, self.state  # type: ignore[attr-defined]
        room = min(BATCH, self.capacity - self.open)
        accepted: list[int] = []
        try:
            while len(accepted) < room:
                descriptor, _ = accept()
                accepted.append(descriptor)
        except BlockingIOError:
            pass
        except OSError as failure:
            self.accept_failed(failure)
        for descriptor in accepted:  # apart from accept(), whose way through the kernel then stays in the cache
            state[descriptor] = QUIET
            register(descriptor, READABLE)
        if accepted:
            self.measure_delay(accepted[0])
            self.opened += len(accepted)
            self.open += len(accepted)
            self.last_opened = time.monotonic()
        if self.open >= self.capacity:
            self.quiesce()
        return len(accepted)

    def measure_delay(self, descriptor: int) -> None:
        """How long the first of a batch, which has waited the longest of it, was established before it was accepted.

        By TCP_INFO's time since data came, which begins with the handshake: in whole ticks of the kernel, 4 ms at HZ=250.
        Too short only where the client has sent something already. 1 us for each batch.
        """
        connection = socket(self.listener.family, SOCK_STREAM, 0, descriptor)
        info = connection.getsockopt(IPPROTO_TCP, TCP_INFO, LAST_DATA_RECV + 4)
        connection.detach()
        (milliseconds,) = unpack_from("=I", info, LAST_DATA_RECV)
        self.accept_delay.raw.append(milliseconds / 1000)

    def accept_failed(self, failure: OSError) -> None:
        name = f"accept {name_of(failure.errno)}"
        self.errors[name] = self.errors.get(name, 0) + 1
        if failure.errno in SHORTAGES:
            self.quiesce()
            self.resume_at = time.monotonic() + SHORTAGE_SECONDS
        elif failure.errno not in ALREADY_GONE:
            raise failure

    # -- serving

    def serve(self, descriptor: int, events: int) -> None:
        try:
            if events & EPOLLOUT:
                self.flush(descriptor)
            elif events & (READABLE | BROKEN):
                self.echo(descriptor, blocks=not events & EPOLLHUP)
        except BlockingIOError:
            pass
        except OSError as failure:
            self.drop(descriptor, cause_of(failure))

    def echo(self, descriptor: int, *, blocks: bool) -> None:
        """``blocks``: whether a read with nothing to read would. One that is closed on both ends answers at once."""
        if blocks and self.state[descriptor] == QUIET:
            self.begin_talking(descriptor)
        data = os.read(descriptor, CHUNK)
        if not data:
            self.drop(descriptor, PEER_CLOSED)
            return
        self.bytes_received += len(data)
        self.send(descriptor, data)

    def begin_talking(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.state[descriptor] = TALKING

    def send_unasked(self, descriptor: int, data: bytes) -> None:
        try:
            if self.state[descriptor] == QUIET:
                self.begin_talking(descriptor)
            self.send(descriptor, data)
        except OSError as failure:
            self.drop(descriptor, cause_of(failure))

    def send(self, descriptor: int, data: bytes) -> None:
        """What the peer has no room for is kept, and nothing more is read from it until it has taken that."""
        try:
            sent = os.write(descriptor, data)
        except BlockingIOError:
            sent = 0
        self.bytes_sent += sent
        if sent < len(data):
            self.unsent[descriptor] = data[sent:]
            self.epoll.modify(descriptor, EPOLLOUT)

    def flush(self, descriptor: int) -> None:
        self.send(descriptor, self.unsent.pop(descriptor))
        if descriptor not in self.unsent:
            self.epoll.modify(descriptor, READABLE)

    # -- closing

    def drop(self, descriptor: int, cause: str) -> None:
        self.forget(descriptor)
        self.dropped[cause] = self.dropped.get(cause, 0) + 1
        self.listen()

    def forget(self, descriptor: int) -> None:
        os.close(descriptor)  # which also takes it out of the epoll
        self.state[descriptor] = NOT_OURS
        self.unsent.pop(descriptor, None)
        self.open -= 1

    def drop_share(self, share: float) -> None:
        """As a server that is deployed anew does: close at one moment, and go on listening."""
        seen = 0
        for descriptor, state in enumerate(self.state):
            if state:
                if is_chosen(seen, share):
                    self.forget(descriptor)
                    self.closed += 1
                seen += 1
        self.listen()

    def close_all(self) -> None:
        """Close what is still open and accept no more: the run is over."""
        self.over = True
        self.quiesce()
        self.listener.close()
        self.epoll.close()  # once for all descriptors, not for each that is closed
        self.epoll = epoll()
        self.epoll.register(self.control.fileno(), EPOLLIN)
        close = os.close
        for descriptor, state in enumerate(self.state):
            if state:
                close(descriptor)
                self.state[descriptor] = NOT_OURS
        self.closed += self.open
        self.open = 0
        self.unsent.clear()

    # -- telling

    def marker(self) -> int:
        """Changes whenever there is something new to tell."""
        counts = (*self.dropped.values(), *self.errors.values())
        return self.opened + self.closed + self.bytes_received + self.bytes_sent + sum(counts)

    def report(self) -> None:
        self.reported = self.marker()
        tally = Tally(
            attempted=self.opened,
            opened=self.opened,
            closed=self.closed,
            bytes_received=self.bytes_received,
            bytes_sent=self.bytes_sent,
            last_opened=self.last_opened,
            dropped=self.dropped,
            errors=self.errors,
            pushes=self.pusher.counts() if self.pusher else {},
        )
        message = {
            "phase": int(Phase.CLOSED if self.over else Phase.HOLDING),
            "tally": tally.to_message(),
            "full": self.open >= self.capacity,
            "cpu_seconds": time.process_time(),
            "histograms": {"accept_delay_us": self.accept_delay.news()},
        }
        with suppress(ConnectionError):  # the control process is gone: the loop reads that, too
            self.control.send(link.encode(message))
