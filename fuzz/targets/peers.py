"""What strangers say to an acceptor, what servers say to a shard, and what a worker is answered that asks for a proof.

An input is what one peer says, piece by piece: of each its length in a byte, and its bytes. Sockets are real; those of ``port``
and ``server`` are pairs without a network.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from random import Random
from select import EPOLLIN, EPOLLOUT, EPOLLRDHUP, epoll

import trio

from c1m.target.acceptor.accept_queue import AcceptQueue
from c1m.target.acceptor.connections import NOT_OURS, AcceptedConnections
from c1m.traffic.heartbeat import Expect, Heartbeat, under_way
from c1m.traffic.proof import CHALLENGE_BYTES, HELLO, answer, challenge
from c1m.traffic.push import MESSAGE
from c1m.worker.behaviours.heartbeat_sender import KIND, Heartbeats
from c1m.worker.behaviours.push_check import PushCheck
from c1m.worker.node.target_proof import MOST_HEARD, what_instead
from c1m.worker.sockets.behaviour import Behaviour
from c1m.worker.sockets.connections import ESTABLISHED
from c1m.worker.sockets.connections import ClientConnections as Clients
from fuzzed import Target

NONCE = b"n" * 32
DESCRIPTORS = 512
PROVES = b"what proves it"  # stands for that in what a worker is answered
PIECES = (
    HELLO,
    challenge(b"0" * 16),
    MESSAGE,
    KIND,
    answer(NONCE, challenge(b"0" * 16)),
    b"PING\r\n",
    b"+PONG\r\n",
    PROVES,
    b"\0",
)


def say(chance: Random) -> bytes:
    said = [b"".join(chance.choice(PIECES) for _ in range(chance.randrange(3))) for _ in range(chance.randint(1, 6))]
    return b"".join(bytes([min(len(each), 255)]) + each for each in said)


def pieces(data: bytes) -> Iterator[bytes]:
    while data:
        yield data[1 : 1 + data[0]]
        data = data[1 + data[0] :]


def stranger(data: bytes) -> str:
    """Every second piece an acceptor pushes a message as well; whatever is said is sent back, or counted for what it is."""
    theirs, ours = socket.socketpair()
    with closing(theirs), epoll() as events, closing(AcceptQueue(socket.socket(), events, shared=False)) as queue:
        connections = AcceptedConnections(DESCRIPTORS, events, queue)
        connections.nonce = NONCE if len(data) % 2 else b""
        descriptor = ours.detach()
        connections.admit([descriptor])
        for number, piece in enumerate(pieces(data)):
            if connections.state[descriptor] == NOT_OURS:
                break
            if number % 2:
                connections.send_unasked(descriptor, MESSAGE)
            theirs.send(piece)
            connections.serve(descriptor, EPOLLIN)
            with suppress(BlockingIOError, ConnectionResetError):
                theirs.recv(65_536, socket.MSG_DONTWAIT)
        theirs.shutdown(socket.SHUT_WR)
        while connections.state[descriptor] != NOT_OURS:
            connections.serve(descriptor, EPOLLOUT if descriptor in connections.unsent else EPOLLIN | EPOLLRDHUP)
        assert connections.open == connections.opened - connections.closed - sum(connections.dropped.values()) == 0
        assert connections.bytes_sent >= 0
        assert not connections.unsent
        assert not connections.proof_guests.until
    return f"{connections.opened} {connections.dropped} {bool(connections.bytes_received)} {connections.stray_pushes}"


BEATS = [
    Heartbeat(1.0),
    Heartbeat(1.0, 16),
    Heartbeat(1.0, send=b"PING\r\n", expect=Expect.PREFIX, prefix=b"+PONG"),
    Heartbeat(1.0, send=b"PING\r\n", expect=Expect.ANY),
    Heartbeat(1.0, expect=Expect.NONE),
    Heartbeat(1.0, send=b"PING\r\n"),
]


def server(data: bytes) -> str:
    """It hears a heartbeat before each piece that it says; whatever that is, every beat is accounted for."""
    theirs, ours = socket.socketpair()
    ours.setblocking(False)
    clients = Clients(socket.AF_UNIX, DESCRIPTORS, paced=False)
    with closing(theirs), clients.epoll:
        descriptor = ours.detach()
        beats = Heartbeats(BEATS[len(data) % len(BEATS)], clients, 3, 0.0)
        pushes = PushCheck(beats if len(data) % 3 else None)
        behaviours: tuple[Behaviour, ...] = ((beats,), (pushes,))[len(data) % 2]
        clients.behave(behaviours)
        clients.state[descriptor], clients.opened = ESTABLISHED, 1
        now = 0.0
        for piece in pieces(data):
            now += 0.3
            for behaviour in behaviours:
                behaviour.act(now)
            heard = b""
            with suppress(BlockingIOError):
                heard = theirs.recv(65_536, socket.MSG_DONTWAIT)
            theirs.send(heard + piece if len(piece) % 2 else piece)
            hear(clients, descriptor, now)
        theirs.close()
        hear(clients, descriptor, now)
        assert (clients.established, clients.dropped.total()) == (0, 1)
        assert under_way(beats.counts()) in (0, beats.sent if beats.wanted.expect is Expect.NONE else 0)
        assert not beats.partial
        assert not pushes.partial
    return " ".join(str(min(count, 2)) for count in (*beats.counts().values(), *pushes.counts().values()))


def hear(clients: Clients, descriptor: int, now: float) -> None:
    for gone, cause in clients.reader.read_all([descriptor] if clients.state[descriptor] else [], now):
        clients.drop(gone, cause, now)


def proof(data: bytes) -> str:
    """Whatever is answered that does not hold the proof proves nothing, and is told as something else."""
    return trio.run(asked_for, list(pieces(data)))


async def asked_for(said: list[bytes]) -> str:
    with trio.socket.socket() as listener:
        await listener.bind(("127.0.0.1", 0))
        listener.listen()
        proving: list[bool] = []

        async def serve() -> None:
            asker, _ = await listener.accept()
            with asker:
                asked = await asker.recv(CHALLENGE_BYTES)
                answers = [answer(NONCE, asked) if piece == PROVES else piece for piece in said]
                proving.append(answer(NONCE, asked) in b"".join(answers)[:MOST_HEARD])
                with suppress(ConnectionResetError, BrokenPipeError):  # it has heard enough
                    for each in answers:
                        await asker.send(each)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            instead = await what_instead(listener.getsockname(), "127.0.0.1", NONCE)
    assert not instead or not proving[0]
    return instead or "proved"


TARGETS = (
    Target("port", tuple(say(Random(seed)) for seed in range(9)), say, stranger),
    Target("server", tuple(say(Random(seed)) for seed in range(9)), say, server),
    Target("proof", (bytes([len(PROVES)]) + PROVES, b"\0", b"\5other"), say, proof),
)
