"""An acceptor: one descriptor table, one listener, raw epoll, as many connections as its descriptors allow.

SO_LINGER is inherited from the listener: a target that dies resets its connections instead of leaving TIME_WAIT behind.

Nothing here imports trio, asyncio, selectors (nor ``socket``, which imports selectors) or gRPC; a test checks that.
"""

from __future__ import annotations

import math
import time
from _socket import socket
from contextlib import suppress
from select import EPOLLIN, epoll

from c1m.measure.phase import Phase
from c1m.measure.tally import Tally
from c1m.orders.orders import CloseAll, DropShare, StopAccepting, decode
from c1m.processes import link
from c1m.traffic.push import Push

from .accept_queue import AcceptQueue
from .connections import AcceptedConnections
from .push_sender import PushSender

BATCH = 512  # accepts, and events, before anything else gets its turn
# Seconds to sleep after a turn in which connections ended and nothing else happened: more are ending, and no peer waits. A
# wakeup for every RST costs both ends a context switch.
REST_SECONDS = 0.002
REPORT_SECONDS = 0.5


class Acceptor:
    """The loop of an acceptor: gives the accept queue and the connections their turns, obeys orders and reports until its link
    closes.
    """

    def __init__(
        self,
        control: socket,
        listener: socket,
        descriptors: int,
        capacity: int,
        *,
        shared: bool,
        report_seconds: float = REPORT_SECONDS,
    ) -> None:
        """Create an acceptor.

        ``descriptors`` is the size of its descriptor table, ``capacity`` how many of them are for connections.
        ``report_seconds`` is the shortest time between two reports.
        """
        self.control = control
        self.report_seconds = report_seconds
        self.epoll = epoll()
        self.queue = AcceptQueue(listener, self.epoll, shared=shared)
        self.connections = AcceptedConnections(descriptors, self.epoll, self.queue)
        self.capacity = capacity
        self.pusher: PushSender | None = None
        self.push_at = 0.0
        self.alive = True
        self.over = False  # the run is over, and nothing is accepted any more
        self.reported: tuple[int, ...] = ()
        self.last_opened = 0.0

    def push(self, wanted: Push, start: float) -> None:
        """Begin to send messages to every connection, at the rate of ``wanted``, from the time ``start`` on."""
        connections = self.connections
        self.pusher = PushSender(wanted, connections.state, connections.unsent, connections.send_unasked, start)

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
                next_report = now + self.report_seconds
            if self.queue.resume_at and now >= self.queue.resume_at:
                self.queue.resume_at = 0.0
                self.listen()
            if self.connections.proof_guests.next_end <= now:
                self.connections.dismiss_over(now)
            if self.pusher and now >= self.push_at:
                self.push_at = self.pusher.act(now, self.connections.open)

    def turn(self, timeout: float) -> None:
        """Wait up to ``timeout`` seconds for events of the listener, the connections or the link, and handle those that are
        ready.
        """
        connections, ordered = self.connections, False
        state, serve, open_before = connections.state, connections.serve, connections.open
        ready = self.epoll.poll(timeout, BATCH)
        for descriptor, events in ready:
            if state[descriptor]:
                serve(descriptor, events)
            elif descriptor == self.queue.listener.fileno():
                self.accept_batch()
            else:
                ordered = True
        if ordered:  # last: an order may close what else is ready
            self.obey(link.receive(self.control))
        elif ready and open_before - connections.open == len(ready):
            time.sleep(REST_SECONDS)

    def timeout(self, next_report: float) -> float:
        """Return the seconds that the acceptor may sleep: -1 for ever, unless something is still to be reported or to be tried
        again.
        """
        waits = [self.connections.proof_guests.next_end]
        if self.marker() != self.reported:
            waits.append(next_report)
        if self.queue.resume_at:
            waits.append(self.queue.resume_at)
        if self.pusher:
            waits.append(self.push_at)
        earliest = min(waits)
        return -1 if earliest == math.inf else max(earliest - time.monotonic(), 0)

    def obey(self, message: link.Message | None) -> None:
        """Do what an order says. None, the end of the link, is the order to end."""
        if message is None:
            self.alive = False
            return
        match decode(message):
            case StopAccepting():
                self.stop_accepting()
            case CloseAll():
                self.close_all()
                self.report()
            case DropShare(share):
                self.connections.drop_share(share)
                self.listen()

    def stop_accepting(self) -> None:
        """Stop accepting and wait for the next order, whatever the connections do: all clients are about to reset theirs.

        In a million of those, a wakeup, a read that fails and a close each took the two ends a third longer than to close what
        is dead already. Until somebody sleeps in the epoll, the kernel only lists there what happened.
        """
        self.queue.quiesce()
        self.queue.resume_at = 0.0
        self.report()
        self.obey(link.receive(self.control))

    # -- accepting

    def listen(self) -> None:
        if not self.over and self.connections.open < self.capacity:
            self.queue.listen()

    def accept_batch(self) -> None:
        connections, queue = self.connections, self.queue
        accepted = queue.take(min(BATCH, self.capacity - connections.open))
        if accepted:
            connections.admit(accepted)  # apart from accept(), whose way through the kernel then stays in the cache
            queue.measure_delay(accepted[0])
            self.last_opened = time.monotonic()
        if connections.open >= self.capacity:
            queue.quiesce()
        queue.stay_away(len(accepted))

    # -- closing

    def close_all(self) -> None:
        """Close the listener and all connections that are still open, because the run is over. Returns nothing."""
        self.over = True
        self.queue.close()
        self.epoll.close()  # once for all descriptors, not for each that is closed
        self.epoll = epoll()
        self.epoll.register(self.control.fileno(), EPOLLIN)
        self.connections.close_all()

    # -- telling

    def marker(self) -> tuple[int, ...]:
        """Return values of which one changes whenever there is something new to report."""
        connections = self.connections
        counts = (*connections.dropped.values(), *self.queue.errors.values())
        return connections.opened, connections.closed, connections.bytes_received, connections.bytes_sent, sum(counts)

    def report(self) -> None:
        self.reported = self.marker()
        connections = self.connections
        tally = Tally(
            attempted=connections.opened,
            opened=connections.opened,
            closed=connections.closed,
            bytes_received=connections.bytes_received,
            bytes_sent=connections.bytes_sent,
            last_opened=self.last_opened,
            dropped=connections.dropped,
            errors=self.queue.errors,
            pushes=self.pusher.counts(connections.stray_pushes) if self.pusher else {},
        )
        message = {
            "phase": int(Phase.CLOSED if self.over else Phase.HOLDING),
            "tally": tally.to_message(),
            "full": connections.open >= self.capacity,
            "cpu_seconds": time.thread_time(),
            "histograms": {"accept_delay_us": self.queue.accept_delay.news()},
        }
        with suppress(ConnectionError):  # the control process is gone: the loop reads that, too
            self.control.send(link.encode(message))
