"""Rules about TCP in the kernel: queues, SYN cookies, memory, and unanswered SYNs. Pure."""

from __future__ import annotations

from typing import Final

from .conditions import AtLeast, Error, Overflowing, Rose
from .rule import ALWAYS, ANY, BOTH, FAILED, GROWTH, TARGET, WORKER, Rule

# Causes that ghosts bring about: a connection that the server never knew is reset as soon as the client sends something.
GHOSTLY: Final = ("SYN unanswered", "server closes")
UNANSWERED: Final = (
    (GROWTH, (Rose("TCPSynRetrans"), AtLeast("in_flight", 1, "{value} in flight"))),
    (FAILED, (Error("handshake ETIMEDOUT"),)),
)

TCP_RULES: Final = (
    Rule(
        "reverse path filter",
        BOTH,
        ALWAYS,
        (Rose("IPReversePathFilter"),),
        "packets arrived on an interface on which their sender is not expected, and were dropped",
        limit="rp-filter",
        instead_of=("SYN unanswered",),
    ),
    Rule(
        "SYN queue",
        TARGET,
        ALWAYS,
        (Rose("TCPReqQFullDrop"),),
        "SYNs found the SYN queue full and were dropped",
        limit="syn-queue",
        instead_of=("SYN unanswered",),
    ),
    Rule(
        "accept queue",
        TARGET,
        ALWAYS,
        (Rose("ListenOverflows"),),
        "accept queues were full; each time, a connection waited for its next SYN or became a ghost",
        limit="accept-queue",
        also=(Overflowing(),),
        instead_of=GHOSTLY,
    ),
    Rule(
        "accept queue",
        TARGET,
        ANY,
        (Overflowing(),),
        "an accept queue is full: connections wait to be accepted",
        limit="accept-queue",
        instead_of=GHOSTLY,
    ),
    Rule(
        "SYN cookies",
        TARGET,
        ALWAYS,
        (Rose("TCPReqQFullDoCookies"),),
        "handshakes found the SYN queue full and were answered with SYN cookies, which is how ghosts are made",
        limit="accept-queue",
        instead_of=GHOSTLY,
        also=(Rose("SyncookiesSent"),),
    ),
    Rule(
        "SYN cookies",
        TARGET,
        ALWAYS,
        (Rose("SyncookiesSent"),),
        "handshakes were answered with SYN cookies",
        "set net.ipv4.tcp_syncookies ({net.ipv4.tcp_syncookies}) to 1 if it is 2, which sends them always",
        limit="accept-queue",
        instead_of=GHOSTLY,
    ),
    Rule(
        "TCP memory",
        BOTH,
        ALWAYS,
        (Rose("TCPAbortOnMemory"),),
        "connections were aborted because TCP was out of memory",
        limit="tcp-mem",
        also=(Rose("TCPMemoryPressures"),),
    ),
    Rule(
        "TCP memory",
        BOTH,
        ALWAYS,
        (Rose("TCPMemoryPressures"),),
        "TCP was short of memory",
        limit="tcp-mem",
    ),
    *(
        Rule(
            "SYN unanswered",
            WORKER,
            troubles,
            signs,
            "its SYNs get no answer: the target listens and its kernel has refused none of them, so they are dropped silently "
            "on the path",
            "look for firewalls, security groups and full connection tables between them, and for a wrong route back",
            elsewhere=(AtLeast("listeners", 1, "{value} listening ports"),),
        )
        for troubles, signs in UNANSWERED
    ),
    *(
        Rule(
            "SYN unanswered",
            WORKER,
            troubles,
            signs,
            "its SYNs get no answer, and it is unknown what the server's kernel saw: they are dropped on the path, or the "
            "server's accept queue is full because the server is stopped or slow",
            "run c1m-target observe on the server's machine to tell these apart, and look for firewalls between them",
        )
        for troubles, signs in UNANSWERED
    ),
    Rule(
        "packets dropped",
        BOTH,
        ANY,
        (Rose("softnet_dropped"),),
        "the machine dropped packets before TCP saw them; they may be those of other programs",
        limit="netdev-backlog",
        last_resort=True,
    ),
)
