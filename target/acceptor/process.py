"""An acceptor's whole life, and its rehearsal in the zygote that forks the process which carries it."""

from __future__ import annotations

import time
from _socket import AF_INET, SOCK_STREAM, socket
from contextlib import suppress

from c1m.processes import link
from c1m.processes.thread_host import name_thread
from c1m.processes.warm_up import specialise
from c1m.traffic.push import Push

from .acceptor import Acceptor
from .source_filter import SourceFilter

GUESTS = 20
LOOPBACK = "127.0.0.1"


def main(control: socket, listeners: list[int]) -> None:
    """The whole life of an acceptor: its assignment, its loop, its last tally."""
    assignment = link.receive(control)
    if assignment is None:
        return
    name_thread(f"c1m-acceptor {assignment['index']}")
    listener = socket(assignment["family"], assignment["type"], 0, listeners[0])
    listener.setblocking(False)
    acceptor = Acceptor(control, listener, assignment["descriptors"], assignment["capacity"], shared=assignment["shared"])
    acceptor.connections.nonce = assignment["nonce"]
    if (guests := assignment["guests"]) is not None:
        acceptor.queue.take_only(SourceFilter(assignment["family"], guests))
    if rate := assignment["push_rate"]:
        acceptor.push(Push(rate), time.monotonic())
    acceptor.run()


def warm_up() -> None:
    """What every acceptor does, done by the zygote before it forks any: accept, echo, tell, rest and close.

    What is written to pages meanwhile, no acceptor has to write to a copy of its own: 320 kB less for each.
    """
    specialise(perform)


def perform() -> None:
    """Where loopback is down, or net.core.somaxconn lets fewer guests wait, fewer are served."""
    ours, theirs = link.pair()
    listener = socket(AF_INET, SOCK_STREAM)
    listener.bind((LOOPBACK, 0))
    listener.listen()
    listener.setblocking(False)
    guests = [guest(listener) for _ in range(GUESTS)]
    acceptor = Acceptor(theirs, listener, descriptors=256, capacity=GUESTS, shared=False)
    for order in ({"rest": True}, {"close": True}):
        ours.send(link.encode(order))
    ours.shutdown(1)
    acceptor.run()
    for each in guests:
        each.close()


def guest(listener: socket) -> socket:
    """A connection that has said something, or has found no place in the accept queue: to wait for one would be for ever."""
    made = socket(AF_INET, SOCK_STREAM)
    made.setblocking(False)
    made.connect_ex(listener.getsockname())
    with suppress(OSError):
        made.send(b"c1m")
    return made
