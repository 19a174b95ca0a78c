"""The connections of one acceptor: what they say is sent back, and whatever happens to them is counted.

Accepted descriptors are blocking (O_NONBLOCK is not inherited). Most connections of a run never carry a byte, so the one
ioctl that makes them non-blocking waits until the first byte arrives.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, epoll

from c1m.measure.tally import PEER_CLOSED, cause_of
from c1m.traffic.proof import CHALLENGE_BYTES, HELLO, answer
from c1m.traffic.push import MESSAGE
from c1m.traffic.storm import is_chosen

from .accept_queue import AcceptQueue
from .proof_guests import ProofGuests

READABLE = EPOLLIN | EPOLLRDHUP
BROKEN = EPOLLERR | EPOLLHUP
CHUNK = 16 * 1024  # bytes echoed at a time

# The state of a descriptor, one byte each in an array indexed by descriptor.
NOT_OURS, QUIET, TALKING = 0, 1, 2
GREETED = 3  # was pushed a message before it said anything
PROVED = 4  # asked whether we are on its run, and is none of the run's


class AcceptedConnections:
    """The table of those that are open, and the counts of what became of the others; raises nothing that a peer can do."""

    def __init__(self, descriptors: int, epoll: epoll, queue: AcceptQueue) -> None:
        """``descriptors`` is the size of the process's table; when one is lost, ``queue`` has room again."""
        self.epoll = epoll
        self.queue = queue
        self.state = bytearray(descriptors)
        self.unsent: dict[int, bytes] = {}  # descriptor -> bytes read that the peer has no room for yet
        self.opened = self.closed = self.open = self.bytes_received = self.bytes_sent = 0
        self.dropped: dict[str, int] = {}
        self.nonce = b""  # to prove that we are on a run; empty: nobody asks
        self.proof_guests = ProofGuests()
        self.stray_pushes = 0  # messages that were pushed to those who only asked

    def admit(self, accepted: Sequence[int]) -> None:
        state, register = self.state, self.epoll.register
        for descriptor in accepted:
            state[descriptor] = QUIET
            register(descriptor, READABLE)
        self.opened += len(accepted)
        self.open += len(accepted)

    # -- talking

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
        if self.state[descriptor] == PROVED:  # a worker asks once and leaves; of anybody else nothing counts, nor stays
            self.dismiss(descriptor)
            return
        if len(data) == CHALLENGE_BYTES and self.nonce and data.startswith(HELLO):
            self.prove(descriptor, data)
            return
        self.bytes_received += len(data)
        self.send(descriptor, data)

    def prove(self, descriptor: int, challenge: bytes) -> None:
        """To a worker that asked whether we are on its run. It is none of the run's connections, and nothing of it counts."""
        if self.state[descriptor] == GREETED:
            self.stray_pushes += 1
            self.bytes_sent -= len(MESSAGE)
        self.state[descriptor] = PROVED
        self.opened -= 1
        self.open -= 1
        os.write(descriptor, answer(self.nonce, challenge))
        self.proof_guests.add(descriptor, time.monotonic())

    def begin_talking(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.state[descriptor] = TALKING

    def send_unasked(self, descriptor: int, data: bytes) -> None:
        if self.state[descriptor] == PROVED:
            self.stray_pushes += 1
            return
        try:
            if self.state[descriptor] == QUIET:
                self.begin_talking(descriptor)
                self.state[descriptor] = GREETED
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
        if self.state[descriptor] == PROVED:
            self.dismiss(descriptor)
            return
        self.forget(descriptor)
        self.dropped[cause] = self.dropped.get(cause, 0) + 1
        self.queue.listen()

    def dismiss(self, descriptor: int) -> None:
        """One that is none of the run's."""
        os.close(descriptor)
        self.state[descriptor] = NOT_OURS
        self.proof_guests.remove(descriptor)

    def dismiss_over(self, now: float) -> None:
        """Those that asked and stay. Not amid events, of which there may be some for them."""
        for descriptor in self.proof_guests.over(now):
            self.dismiss(descriptor)

    def forget(self, descriptor: int) -> None:
        os.close(descriptor)  # which also takes it out of the epoll
        self.state[descriptor] = NOT_OURS
        self.unsent.pop(descriptor, None)
        self.open -= 1

    def drop_share(self, share: float) -> None:
        """As a server that is deployed anew does: close at one moment, and go on listening."""
        seen = 0
        for descriptor, state in enumerate(self.state):
            if state and state != PROVED:
                if is_chosen(seen, share):
                    self.forget(descriptor)
                    self.closed += 1
                seen += 1

    def close_all(self) -> None:
        """At the end of the run; their epoll is closed already, once for all of them."""
        close = os.close
        for descriptor, state in enumerate(self.state):
            if state:
                close(descriptor)
                self.state[descriptor] = NOT_OURS
        self.closed += self.open
        self.open = 0
        self.unsent.clear()
        self.proof_guests = ProofGuests()
