"""The connections of one acceptor: echoes what they send, and counts what happens to them.

Accepted descriptors are blocking (O_NONBLOCK is not inherited). Most connections of a run never carry a byte, so the ioctl
that makes them non-blocking waits until the first byte arrives.
"""

from __future__ import annotations

import itertools
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
PROVED = 4  # asked for a proof, and does not belong to the run


class AcceptedConnections:
    """The table of an acceptor's open connections and the counts of those that ended.

    Nothing that a peer can do raises here.
    """

    def __init__(self, descriptors: int, epoll: epoll, queue: AcceptQueue) -> None:
        """Create an empty table of connections.

        ``descriptors`` is the size of the process's table; when a connection is lost, ``queue`` has room again.
        """
        self.epoll = epoll
        self.queue = queue
        self.state = bytearray(descriptors)
        self.unsent: dict[int, bytes] = {}  # descriptor -> bytes read that the peer has no room for yet
        self.opened = self.closed = self.open = self.bytes_received = self.bytes_sent = 0
        self.dropped: dict[str, int] = {}
        self.nonce = b""  # the nonce with which to prove that we are on a run; empty: no proofs are asked for
        self.proof_guests = ProofGuests()
        self.stray_pushes = 0  # messages pushed to connections that turned out to be proof guests

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
        """Read what arrived on a connection and send it back.

        ``blocks`` is whether a read with nothing to read would block; one that is closed on both ends returns at once.
        """
        if blocks and self.state[descriptor] == QUIET:
            self.begin_talking(descriptor)
        data = os.read(descriptor, CHUNK)
        if not data:
            self.drop(descriptor, PEER_CLOSED)
            return
        if (
            self.state[descriptor] == PROVED
        ):  # a worker asks once and leaves; other bytes are not counted, and the connection is closed
            self.dismiss(descriptor)
            return
        if len(data) == CHALLENGE_BYTES and self.nonce and data.startswith(HELLO):
            self.prove(descriptor, data)
            return
        self.bytes_received += len(data)
        self.send(descriptor, data)

    def prove(self, descriptor: int, challenge: bytes) -> None:
        """Answer the challenge of a worker that asked whether this target is on its run.

        The connection does not belong to the run, and is not counted.
        """
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
        """Send bytes over a connection.

        What the peer has no room for is kept, and nothing more is read from the peer until it has taken that.
        """
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
        """Close a connection that was opened for a proof and does not belong to the run. Returns nothing."""
        os.close(descriptor)
        self.state[descriptor] = NOT_OURS
        self.proof_guests.remove(descriptor)

    def dismiss_over(self, now: float) -> None:
        """Close connections that were opened for a proof and stayed too long.

        Do not call it amid events, since some may concern them.
        """
        for descriptor in self.proof_guests.over(now):
            self.dismiss(descriptor)

    def forget(self, descriptor: int) -> None:
        os.close(descriptor)  # which also takes it out of the epoll
        self.state[descriptor] = NOT_OURS
        self.unsent.pop(descriptor, None)
        self.open -= 1

    def drop_share(self, share: float) -> None:
        """Close a share of the connections at one moment and go on listening, like a server that is deployed anew."""
        seen = 0
        for descriptor, state in enumerate(self.state):
            if state and state != PROVED:
                if is_chosen(seen, share):
                    self.forget(descriptor)
                    self.closed += 1
                seen += 1

    def close_all(self) -> None:
        """Close all connections at the end of the run. Their epoll has been closed already, once for all of them."""
        for descriptor in itertools.compress(range(len(self.state)), self.state):
            os.close(descriptor)
            self.state[descriptor] = NOT_OURS
        self.closed += self.open
        self.open = 0
        self.unsent.clear()
        self.proof_guests = ProofGuests()
