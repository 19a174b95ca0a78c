"""Rules of TCP in the kernel: its queues, its cookies, its memory, and SYNs that nobody answers. Pure."""

from __future__ import annotations

from typing import Final

from .conditions import AtLeast, Error, Overflowing, Rose
from .rule import ALWAYS, ANY, BOTH, FAILED, GROWTH, TARGET, WORKER, Rule

# A connection that the server never knew is reset as soon as it says something.
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
        "packets came from where their sender is not expected, and were dropped",
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
        "accept queues were full, and each time a connection waited for its next SYN or became a ghost",
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
        "handshakes found the SYN queue full and were answered with cookies, which are how ghosts are made",
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
        "connections were aborted for want of TCP memory",
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
            "its SYNs get no answer: the target listens and its kernel has refused none of them, so that they are dropped on "
            "the way, without a word",
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
            "its SYNs get no answer, and nobody tells what the server's kernel saw of them: they are dropped on the way, or "
            "its accept queue is full because the server is stopped or slow",
            "run c1m-target observe on the server's machine to tell these apart, and look for firewalls between them",
        )
        for troubles, signs in UNANSWERED
    ),
    Rule(
        "packets dropped",
        BOTH,
        ANY,
        (Rose("softnet_dropped"),),
        "packets were dropped before TCP saw them, by whatever the machine does besides",
        limit="netdev-backlog",
        last_resort=True,
    ),
)
