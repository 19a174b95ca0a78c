"""An acceptor accepts whom it may, echoes, counts, and obeys."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from acceptors import (
    acceptor,
    close_order,
    close_with_reset,
    exactly,
    is_open,
    is_over,
    stop_accepting_order,
    storm_order,
)

from c1m.measure.phase import Phase
from c1m.target.acceptor.acceptor import Acceptor
from c1m.target.acceptor.source_filter import SourceFilter
from c1m.traffic.proof import answer, challenge
from c1m.traffic.push import MESSAGE, Push

NONCE = b"0123456789abcdef"


@pytest.mark.parametrize("shared", [False, True])
def test_everybody_is_accepted_and_counted(shared: bool) -> None:
    with acceptor(shared=shared) as it:
        began = time.monotonic()
        it.connect(30)
        it.until_accepted(30)

        assert (it.tally.attempted, it.tally.opened, it.tally.open) == (30, 30, 30)
        assert began < it.tally.last_opened <= time.monotonic()
        assert (it.child.phase, it.child.full) == (Phase.HOLDING, False)
        assert it.child.cpu_seconds > 0
        assert it.delays, "how long the first one of a batch waited"


def test_what_is_sent_comes_back() -> None:
    with acceptor() as it:
        for index, client in enumerate(it.connect(5)):
            for words in (b"%d" % index, b"x" * 1000):
                client.sendall(words)
                assert exactly(client, len(words)) == words
        it.until(lambda: it.tally.bytes_received == it.tally.bytes_sent == 5 * 1001)


def test_a_full_acceptor_leaves_others_in_the_queue_until_somebody_goes() -> None:
    with acceptor(capacity=3) as it:
        first, *_ = it.connect(5)
        it.until_accepted(3)
        it.until(lambda: it.child.full)
        close_with_reset(first)
        it.until_accepted(4)
        assert it.tally.dropped == {"peer_reset": 1}
        it.clients[1].close()
        it.until_accepted(5)
        assert (it.tally.open, it.tally.dropped) == (3, {"peer_reset": 1, "peer_closed": 1})


@pytest.mark.parametrize("talked", [False, True])
@pytest.mark.parametrize(("close", "cause"), [(close_with_reset, "peer_reset"), (socket.socket.close, "peer_closed")])
def test_why_a_connection_ended_is_counted(close: Callable[[socket.socket], None], cause: str, talked: bool) -> None:
    with acceptor() as it:
        for client in it.connect(4):
            if talked:
                client.sendall(b"hello")
                assert client.recv(5) == b"hello"
        it.until_accepted(4)
        for client in it.clients:
            close(client)
        it.until(lambda: it.tally.open == 0)
        assert it.tally.dropped == {cause: 4}


def as_much_as_goes(client: socket.socket) -> bytes:
    """Send until neither the kernels nor the acceptor take more; return what was sent."""
    client.settimeout(0.02)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    block, sent = bytes(range(256)) * 256, bytearray()
    with suppress(TimeoutError):
        while True:
            sent += block[: client.send(block)]
    return bytes(sent)


def test_what_a_peer_does_not_read_waits_and_arrives_whole() -> None:
    """Beyond what both kernels buffer, the acceptor keeps the rest of a chunk, and reads nothing more until it is taken."""
    with acceptor() as it:
        (client,) = it.connect()
        sent = as_much_as_goes(client)
        client.settimeout(10)
        assert exactly(client, len(sent)) == sent
        it.until(lambda: it.tally.bytes_sent == it.tally.bytes_received == len(sent))


def test_a_peer_that_goes_with_unread_bytes_is_dropped() -> None:
    with acceptor() as it:
        (client,) = it.connect()
        as_much_as_goes(client)
        close_with_reset(client)
        it.until(lambda: it.tally.dropped == {"peer_reset": 1})
        assert not it.acceptor.connections.unsent


# -- orders


def test_a_storm_drops_a_share_and_others_are_accepted_on() -> None:
    with acceptor(capacity=20) as it:
        it.connect(20)
        it.until_accepted(20)
        it.order(storm_order(0.5))
        it.until(lambda: it.tally.closed)
        it.connect(1)
        it.until_accepted(21)
        assert (it.tally.closed, it.tally.open, it.tally.dropped) == (10, 11, {})
        assert sum(map(is_open, it.clients)) == 11


def test_after_the_order_to_stop_accepting_only_the_order_to_close_counts() -> None:
    with acceptor() as it:
        it.connect(5)
        it.until_accepted(5)
        it.wait(lambda: it.acceptor.queue.listening)
        it.order(stop_accepting_order())
        it.wait(lambda: not it.acceptor.queue.listening)
        it.connect(2)  # the kernel's queue takes them
        it.clients[0].sendall(b"hello")
        it.order(close_order())
        it.until(lambda: it.child.phase is Phase.CLOSED)

        assert (it.tally.opened, it.tally.closed, it.tally.open, it.tally.bytes_received) == (5, 5, 0, 0)
        assert all(map(is_over, it.clients))


def test_the_order_to_close_closes_everything_and_the_port() -> None:
    with acceptor() as it:
        it.connect(5)
        it.until_accepted(5)
        it.order(close_order())
        it.until(lambda: it.child.phase is Phase.CLOSED)

        assert (it.tally.closed, it.tally.open) == (5, 0)
        assert all(map(is_over, it.clients))
        with pytest.raises(ConnectionRefusedError):
            it.connect()


def test_it_ends_when_its_link_closes() -> None:
    with acceptor() as it:
        it.connect(2)
        it.until_accepted(2)
        it.leave()
        assert not it.thread.is_alive()


# -- what does not belong to the run


def test_strangers_are_closed_and_counted() -> None:
    def only(made: Acceptor) -> None:
        made.queue.take_only(SourceFilter(socket.AF_INET, [(127 << 24 | 5, 2)]))

    with acceptor(prepare=only) as it:
        strangers = [*it.connect(3), *it.connect(2, "127.0.0.4"), *it.connect(1, "127.0.0.7")]
        guests = [*it.connect(2, "127.0.0.5"), *it.connect(1, "127.0.0.6")]
        it.until_accepted(3)
        it.until(lambda: it.tally.errors == {"accept from elsewhere": 6})
        assert all(map(is_over, strangers))
        assert all(map(is_open, guests))


def knows(nonce: bytes) -> Callable[[Acceptor], None]:
    def prepare(made: Acceptor) -> None:
        made.connections.nonce = nonce

    return prepare


def test_it_proves_that_it_is_on_the_run_and_does_not_count_who_asked() -> None:
    asked = challenge(b"r" * 16)
    with acceptor(prepare=knows(NONCE)) as it:
        other, guest = it.connect(2)
        guest.sendall(asked)
        assert guest.recv(100) == answer(NONCE, asked)
        other.sendall(b"hello")
        assert other.recv(100) == b"hello"
        it.until(lambda: it.tally.bytes_received == 5)
        assert (it.tally.attempted, it.tally.opened, it.tally.open) == (1, 1, 1)

        guest.sendall(b"more")
        assert is_over(guest), "an honest worker asks once"
        again, *_ = it.connect(1)
        again.sendall(asked)
        assert again.recv(100) == answer(NONCE, asked)
        again.close()
        it.connect(1)
        it.until_accepted(2)
        assert (it.tally.dropped, it.tally.bytes_received) == ({}, 5)


def test_without_a_nonce_a_challenge_is_echoed_like_anything_else() -> None:
    asked = challenge(b"r" * 16)
    with acceptor() as it:
        (client,) = it.connect()
        client.sendall(asked)
        assert client.recv(100) == asked


def test_whoever_stays_after_a_proof_is_closed_when_there_are_too_many() -> None:
    asked = challenge(b"r" * 16)
    with acceptor(prepare=knows(NONCE)) as it:
        guests = it.connect(34)
        for guest in guests:
            guest.sendall(asked)
            assert guest.recv(100)
        assert is_over(guests[0])
        assert is_over(guests[1])
        assert all(map(is_open, guests[2:]))
        (client,) = it.connect(1)
        client.sendall(b"x")
        assert exactly(client, 1) == b"x"
        it.order(storm_order(1.0))
        it.until(lambda: it.tally.closed == 1)
        assert all(map(is_open, guests[2:])), "a storm is no business of theirs"


# -- pushes


def test_it_pushes_to_everybody_and_counts() -> None:
    with acceptor(prepare=lambda made: made.push(Push(20.0), time.monotonic())) as it:
        clients = it.connect(3)
        for client in clients:
            assert exactly(client, 64) == MESSAGE
        clients[0].sendall(b"hello")
        heard = b""
        while b"hello" not in heard:
            heard += clients[0].recv(1000)
        assert heard.replace(b"hello", b"").replace(MESSAGE, b"") == b""
        it.until(lambda: it.tally.pushes.get("sent", 0) >= 6)
        assert it.tally.bytes_sent == 64 * it.tally.pushes["sent"] + 5
        assert it.tally.pushes["held_back"] == 0


def test_a_push_to_a_peer_that_is_gone_is_a_drop() -> None:
    with acceptor(prepare=lambda made: made.push(Push(50.0), time.monotonic())) as it:
        (client,) = it.connect()
        assert client.recv(64)
        close_with_reset(client)
        it.until(lambda: it.tally.dropped == {"peer_reset": 1})


def test_what_is_pushed_to_those_who_only_ask_is_not_counted() -> None:
    asked = challenge(b"r" * 16)

    def prepare(made: Acceptor) -> None:
        knows(NONCE)(made)
        made.push(Push(50.0), time.monotonic())

    with acceptor(prepare=prepare) as it:
        guest, other = it.connect(2)
        assert exactly(guest, 64) == MESSAGE
        guest.sendall(asked)
        assert exactly(guest, 32) == answer(NONCE, asked)
        assert exactly(other, 640) == MESSAGE * 10
        it.until(lambda: it.tally.pushes.get("sent", 0) >= 10 and it.tally.opened == 1)
        assert it.tally.bytes_sent == 64 * it.tally.pushes["sent"]


# -- errors of accept


def failing(number: int, times: int) -> Callable[[Acceptor], None]:
    """As a kernel whose accept() fails so many times with this errno."""

    def prepare(made: Acceptor) -> None:
        real, left = made.queue.accept, [number] * times

        def accept() -> tuple[int, object]:
            if left:
                raise OSError(left.pop(), "as it happens")
            accepted: tuple[int, object] = real()
            return accepted

        made.queue.accept = accept

    return prepare


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO, errno.EPERM])
def test_a_connection_that_died_in_the_queue_is_counted_and_the_others_are_accepted(number: int) -> None:
    with acceptor(prepare=failing(number, 2)) as it:
        it.connect(3)
        it.until_accepted(3)
        assert it.tally.errors == {f"accept {errno.errorcode[number]}": 2}


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_a_shortage_is_counted_and_waited_for(number: int) -> None:
    with acceptor(prepare=failing(number, 1)) as it:
        began = time.monotonic()
        it.connect(3)
        it.until_accepted(3)
        assert it.tally.errors == {f"accept {errno.errorcode[number]}": 1}
        assert time.monotonic() - began >= 0.1
