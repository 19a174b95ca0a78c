"""The table of accepted connections, event by event: what each state of a descriptor does with what its peer does."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from acceptors import close_with_reset, exactly, is_open, is_over

from c1m.target.acceptor.accept_queue import AcceptQueue
from c1m.target.acceptor.connections import GREETED, NOT_OURS, PROVED, QUIET, TALKING, AcceptedConnections
from c1m.target.acceptor.proof_guests import MOST, SECONDS, ProofGuests
from c1m.target.acceptor.push_sender import PushSender
from c1m.traffic.proof import answer, challenge
from c1m.traffic.push import MESSAGE, Push

NONCE = b"0123456789abcdef"
ASKED = challenge(b"r" * 16)


class Bench:
    """The table, a listener, and clients whose ends are accepted one by one."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.listener.setblocking(False)
        self.epoll = stack.enter_context(select.epoll())
        self.queue = AcceptQueue(self.listener, self.epoll, shared=False)
        self.table = AcceptedConnections(256, self.epoll, self.queue)
        self.table.nonce = NONCE

    def client(self) -> tuple[socket.socket, int]:
        """Return a client, and the descriptor of its accepted end."""
        client = self.stack.enter_context(socket.create_connection(self.listener.getsockname(), 10))
        (descriptor,) = self.queue.take(1)
        self.table.admit([descriptor])
        return client, descriptor

    def serve(self) -> None:
        """Handle the events of connections, once."""
        for descriptor, events in self.epoll.poll(10):
            assert self.table.state[descriptor]
            self.table.serve(descriptor, events)

    def prove(self, client: socket.socket) -> None:
        client.sendall(ASKED)
        self.serve()
        assert exactly(client, 32) == answer(NONCE, ASKED)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        made = Bench(stack)
        yield made
        made.table.close_all()


def test_a_connection_is_quiet_until_it_says_something(bench: Bench) -> None:
    client, descriptor = bench.client()
    assert (bench.table.state[descriptor], bench.table.opened, bench.table.open) == (QUIET, 1, 1)
    client.sendall(b"hello")
    bench.serve()
    assert exactly(client, 5) == b"hello"
    assert bench.table.state[descriptor] == TALKING
    assert (bench.table.bytes_received, bench.table.bytes_sent) == (5, 5)


@pytest.mark.parametrize("talked", [False, True])
def test_a_connection_that_ends_leaves_nothing_and_lets_others_in(bench: Bench, talked: bool) -> None:
    client, descriptor = bench.client()
    if talked:
        client.sendall(b"hello")
        bench.serve()
        exactly(client, 5)
    client.close()
    bench.serve()
    assert (bench.table.state[descriptor], bench.table.open, bench.table.dropped) == (NOT_OURS, 0, {"peer_closed": 1})
    assert bench.queue.listening


def test_what_the_peer_has_no_room_for_is_sent_when_it_has(bench: Bench) -> None:
    client, descriptor = bench.client()
    bench.table.begin_talking(descriptor)
    data = b"x" * (16 << 20)  # more than a kernel buffers
    bench.table.send(descriptor, data)
    assert 0 < bench.table.bytes_sent < len(data)
    assert len(bench.table.unsent[descriptor]) == len(data) - bench.table.bytes_sent

    client.sendall(b"not now")
    found = 0
    while bench.table.unsent:
        found += len(client.recv(1 << 20))
        for ready, events in bench.epoll.poll(0):
            assert not events & select.EPOLLIN, "nothing is read while something waits"
            bench.table.serve(ready, events)
    exactly(client, len(data) - found)
    assert bench.table.bytes_received == 0
    bench.serve()
    assert exactly(client, 7) == b"not now"


def test_a_guest_that_asked_for_a_proof_is_no_connection_of_the_run(bench: Bench) -> None:
    client, descriptor = bench.client()
    bench.prove(client)
    assert bench.table.state[descriptor] == PROVED
    assert (bench.table.opened, bench.table.open, bench.table.bytes_received, bench.table.bytes_sent) == (0, 0, 0, 0)
    close_with_reset(client)
    bench.serve()
    assert (bench.table.state[descriptor], bench.table.dropped, bench.table.open) == (NOT_OURS, {}, 0)
    assert not bench.table.proof_guests.until


def test_a_guest_that_was_pushed_to_takes_the_push_back(bench: Bench) -> None:
    client, descriptor = bench.client()
    bench.table.send_unasked(descriptor, MESSAGE)
    assert (bench.table.state[descriptor], bench.table.bytes_sent) == (GREETED, 64)
    assert exactly(client, 64) == MESSAGE
    bench.prove(client)
    bench.table.send_unasked(descriptor, MESSAGE)
    assert (bench.table.stray_pushes, bench.table.bytes_sent) == (2, 0)
    assert is_open(client), "nothing more is sent to it"


def test_a_guest_that_stays_too_long_is_closed(bench: Bench) -> None:
    client, descriptor = bench.client()
    before = time.monotonic()
    bench.prove(client)
    end = bench.table.proof_guests.next_end
    assert before + SECONDS <= end <= time.monotonic() + SECONDS
    bench.table.dismiss_over(end - 0.01)
    assert bench.table.state[descriptor] == PROVED
    bench.table.dismiss_over(end)
    assert bench.table.state[descriptor] == NOT_OURS
    assert is_over(client)
    assert bench.table.dropped == {}


def test_a_storm_takes_every_other_one_and_no_guest(bench: Bench) -> None:
    guest, _ = bench.client()
    bench.prove(guest)
    clients = [bench.client()[0] for _ in range(6)]
    bench.table.drop_share(0.5)
    assert list(map(is_open, clients)) == [True, False] * 3
    assert is_open(guest)
    assert (bench.table.closed, bench.table.open) == (3, 3)


def test_a_push_to_a_connection_that_was_reset_drops_it(bench: Bench) -> None:
    client, descriptor = bench.client()
    close_with_reset(client)
    bench.table.send_unasked(descriptor, MESSAGE)
    assert (bench.table.dropped, bench.table.open) == ({"peer_reset": 1}, 0)


def test_at_the_end_all_are_closed(bench: Bench) -> None:
    clients = [bench.client()[0] for _ in range(3)]
    bench.prove(clients[0])
    bench.table.close_all()
    assert all(map(is_over, clients))
    assert (bench.table.closed, bench.table.open, any(bench.table.state)) == (2, 0, False)


# -- proof guests and pushes, without sockets


def test_the_oldest_guests_leave_when_there_are_too_many() -> None:
    guests = ProofGuests()
    assert guests.next_end == float("inf")
    for descriptor in range(MOST):
        guests.add(descriptor, float(descriptor))
    assert guests.next_end == SECONDS
    assert guests.over(SECONDS - 0.1) == []
    assert guests.over(SECONDS + 1) == [0, 1]
    guests.add(MOST, 100.0)
    guests.add(MOST + 1, 100.0)
    assert guests.next_end == 0.0
    assert guests.over(0.0) == [0, 1]
    guests.remove(0)
    guests.remove(1)
    assert guests.next_end == SECONDS + 2


def test_every_connection_gets_its_pushes_and_those_who_do_not_read_are_spared() -> None:
    state, unsent = bytearray(8), {5: b"rest"}
    for descriptor in (3, 5, 6):
        state[descriptor] = QUIET
    sent: list[tuple[int, bytes]] = []
    sender = PushSender(Push(2.0), state, unsent, lambda descriptor, data: sent.append((descriptor, data)), 100.0)

    now = 100.0
    while now < 102.0:  # four intervals
        following = sender.act(now, 3)
        assert now < following <= now + 0.1 or following == now
        now = following if following > now else now + 1e-6

    while sender.act(102.0, 3) == 102.0:
        pass

    assert sorted(sent) == sorted([(3, MESSAGE), (6, MESSAGE)] * 4)
    assert sender.counts(stray=1) == {"sent": 7, "held_back": 4}
