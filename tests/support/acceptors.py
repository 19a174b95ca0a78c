"""Acceptors in this process: one in a thread, with the side of its link that a node has, and clients on loopback."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from struct import pack

import pytest

from c1m.measure.tally import Tally
from c1m.orders.codec import to_message
from c1m.orders.orders import CloseAll, DropShare, Order, StopAccepting
from c1m.processes import link
from c1m.processes.child import Child
from c1m.target.acceptor.acceptor import Acceptor

TABLE = 1024  # descriptors of an acceptor
PROMPTLY = 0.005  # seconds between two reports
LONG_SECONDS = 10.0  # after which a test fails that waits
RESET = pack("ii", 1, 0)


def stop_accepting_order() -> Order:
    return StopAccepting()


def close_order() -> Order:
    return CloseAll()


def storm_order(share: float) -> Order:
    return DropShare(share)


class AcceptorThread:
    """An acceptor, and what its node knows of it."""

    def __init__(self, capacity: int, *, shared: bool, host: str = "127.0.0.1") -> None:
        self.listener = socket.create_server((host, 0), backlog=512)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # inherited, so that little is buffered
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()
        self.ours, theirs = link.pair()
        self.ours.settimeout(LONG_SECONDS)
        self.child = Child("acceptor 0", 0, self.ours)
        self.acceptor = Acceptor(
            theirs,
            self.listener,
            TABLE,
            capacity,
            shared=shared,
            report_seconds=PROMPTLY,
        )
        self.theirs = theirs
        self.thread = threading.Thread(target=self.acceptor.run)
        self.clients: list[socket.socket] = []
        self.delays: dict[int, int] = {}

    def connect(self, count: int = 1, source: str = "127.0.0.1") -> list[socket.socket]:
        """Open connections whose calls end after a while."""
        made = [socket.create_connection(self.address, LONG_SECONDS, (source, 0)) for _ in range(count)]
        self.clients += made
        return made

    def order(self, order: Order) -> None:
        self.ours.send(link.encode(to_message(order)))

    def until(self, condition: Callable[[], object]) -> None:
        """Read reports until the condition holds."""
        while not condition():
            message = link.receive(self.ours)
            assert message, "the acceptor ended"
            self.child.take(message)
            self.delays.update(message["histograms"]["accept_delay_us"])

    def wait(self, condition: Callable[[], object]) -> None:
        """Look at the acceptor itself until a condition holds that it does not report."""
        end = time.monotonic() + LONG_SECONDS
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.001)

    def until_accepted(self, count: int) -> None:
        self.until(lambda: self.tally.opened == count)

    @property
    def tally(self) -> Tally:
        return self.child.tally

    def leave(self) -> None:
        """Close the link, and wait for the end."""
        with suppress(OSError):
            self.ours.shutdown(socket.SHUT_WR)
        if self.thread.ident:
            self.thread.join(LONG_SECONDS)
            assert not self.thread.is_alive()

    def close(self) -> None:
        self.leave()
        self.acceptor.close_all()
        for each in (self.ours, self.theirs, self.listener, *self.clients):
            each.close()


@contextmanager
def acceptor(
    capacity: int = 100, *, shared: bool = False, prepare: Callable[[Acceptor], object] | None = None
) -> Iterator[AcceptorThread]:
    """An acceptor that runs. ``prepare`` is called before."""
    made = AcceptorThread(capacity, shared=shared)
    try:
        if prepare:
            prepare(made.acceptor)
        made.thread.start()
        yield made
    finally:
        made.close()


def close_with_reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def exactly(connection: socket.socket, count: int) -> bytes:
    """Read so many bytes."""
    connection.settimeout(LONG_SECONDS)
    found = bytearray()
    while len(found) < count:
        found += connection.recv(count - len(found)) or pytest.fail(f"the connection ended after {len(found)} bytes")
    return bytes(found)


def is_over(connection: socket.socket) -> bool:
    """Wait for what the peer does, and return whether it ended the connection."""
    try:
        return not connection.recv(65_536)
    except ConnectionResetError:
        return True


def is_open(connection: socket.socket) -> bool:
    """Return whether nothing has come."""
    return not select.select([connection], [], [], 0)[0]
