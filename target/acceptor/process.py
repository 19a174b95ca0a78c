"""The main function of an acceptor, and its warm-up in the zygote that forks the process."""

from __future__ import annotations

import time
from _socket import AF_INET, SOCK_STREAM, socket
from contextlib import suppress

from c1m.orders.acceptor_assignment import AcceptorAssignment
from c1m.orders.codec import from_message, to_message
from c1m.orders.orders import CloseAll, StopAccepting
from c1m.processes import link
from c1m.processes.thread_host import name_thread
from c1m.processes.warm_up import specialise
from c1m.traffic.push import Push

from .acceptor import Acceptor
from .source_filter import SourceFilter

GUESTS = 20
LOOPBACK = "127.0.0.1"


def main(control: socket, listeners: list[int]) -> None:
    """Run an acceptor in the calling thread, from its assignment to its last tally.

    ``control`` is its end of the link to the control process.
    """
    message = link.receive(control)
    if message is None:
        return
    assignment = from_message(message, (AcceptorAssignment,))
    name_thread(f"c1m-acceptor {assignment.index}")
    listener = socket(assignment.family, assignment.type, 0, listeners[0])
    listener.setblocking(False)
    acceptor = Acceptor(control, listener, assignment.descriptors, assignment.capacity, shared=assignment.shared)
    acceptor.connections.nonce = assignment.nonce
    if assignment.guests is not None:
        acceptor.queue.take_only(SourceFilter(assignment.family, assignment.guests))
    if assignment.push_rate:
        acceptor.push(Push(assignment.push_rate), time.monotonic())
    acceptor.run()
    acceptor.close_all()  # the control process is gone; nothing stays behind


def warm_up() -> None:
    """Do once in the zygote what every acceptor does: accept, echo, report, rest and close.

    Memory pages that this writes need not be copied by each acceptor: 320 kB less for each.
    """
    specialise(perform)


def perform() -> None:
    """Run a small acceptor on loopback, from accepting to closing.

    Where loopback is down, or net.core.somaxconn is small, it serves fewer connections.
    """
    ours, theirs = link.pair()
    listener = socket(AF_INET, SOCK_STREAM)
    listener.bind((LOOPBACK, 0))
    listener.listen()
    listener.setblocking(False)
    guests = [guest(listener) for _ in range(GUESTS)]
    acceptor = Acceptor(theirs, listener, descriptors=256, capacity=GUESTS, shared=False)
    for order in (StopAccepting(), CloseAll()):
        ours.send(link.encode(to_message(order)))
    ours.shutdown(1)
    acceptor.run()
    for each in (ours, theirs, *guests):
        each.close()


def guest(listener: socket) -> socket:
    """Return a client socket for the warm-up that has sent something to the listener or was refused by a full accept queue:
    waiting for a place there could take for ever.
    """
    made = socket(AF_INET, SOCK_STREAM)
    made.setblocking(False)
    made.connect_ex(listener.getsockname())
    with suppress(OSError):
        made.send(b"c1m")
    return made
