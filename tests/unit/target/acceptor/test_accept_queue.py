"""The accept queue: when the listener is looked at, how long it is left alone, and what accept() says."""

from __future__ import annotations

import errno
import resource
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from c1m.target.acceptor.accept_queue import (
    CROWD,
    LONGEST_ABSENCE,
    SHORTAGE_SECONDS,
    SHORTEST_ABSENCE,
    WORTHWHILE,
    AcceptQueue,
)
from c1m.target.acceptor.source_filter import SourceFilter


class Bench:
    """A queue without its acceptor, and clients that wait in it."""

    def __init__(self, stack: ExitStack, *, shared: bool = False) -> None:
        self.stack = stack
        self.listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048))
        self.listener.setblocking(False)
        self.epoll = stack.enter_context(select.epoll())
        self.queue = AcceptQueue(self.listener, self.epoll, shared=shared)

    def clients(self, count: int) -> None:
        for _ in range(count):
            self.stack.enter_context(socket.create_connection(self.listener.getsockname(), 10))

    def take(self, room: int) -> int:
        """Take so many at most, and return how many came."""
        found = self.queue.take(room)
        for descriptor in found:
            self.stack.enter_context(socket.socket(fileno=descriptor))
        return len(found)

    @property
    def woken(self) -> bool:
        """Whether somebody who waits wakes the acceptor."""
        return bool(self.epoll.poll(0))


@pytest.fixture(params=[False, True], ids=["alone", "shared"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(stack, shared=request.param)


def test_it_wakes_nobody_before_it_listens_and_while_it_is_quiet(bench: Bench) -> None:
    bench.clients(1)
    assert not bench.woken
    for _ in range(2):  # a second call has no effect
        bench.queue.listen()
    assert bench.woken
    for _ in range(2):
        bench.queue.quiesce()
    assert not bench.woken
    bench.queue.listen()
    assert bench.woken


def test_it_takes_as_many_as_there_is_room_for(bench: Bench) -> None:
    bench.clients(5)
    assert bench.take(0) == 0
    assert bench.take(3) == 3
    assert bench.take(3) == 2
    assert bench.take(3) == 0
    assert bench.queue.errors == {}


def test_it_learns_how_long_a_worthwhile_batch_takes(bench: Bench) -> None:
    queue = bench.queue
    absences = []
    for accepted in [1, 1, 1, 1, 1, 1, WORTHWHILE - 1, WORTHWHILE, WORTHWHILE, *[WORTHWHILE * 2] * 5]:
        queue.listen()
        began = time.monotonic()
        queue.stay_away(accepted)
        assert began + queue.absence <= queue.resume_at <= time.monotonic() + queue.absence
        assert not queue.listening
        absences.append(queue.absence)

    assert absences[:5] == [0.002, 0.004, 0.008, 0.016, LONGEST_ABSENCE]
    assert absences[6] == LONGEST_ABSENCE
    assert absences[7:9] == [0.008, 0.004]
    assert absences[-1] == SHORTEST_ABSENCE


def test_it_is_not_left_alone_when_nobody_came_or_when_it_is_quiet_already(bench: Bench) -> None:
    bench.queue.listen()
    bench.queue.stay_away(0)
    assert (bench.queue.listening, bench.queue.resume_at) == (True, 0.0)
    bench.queue.quiesce()
    bench.queue.stay_away(10)
    assert (bench.queue.absence, bench.queue.resume_at) == (SHORTEST_ABSENCE, 0.0)


def test_a_full_table_takes_nobody_out_of_the_queue(bench: Bench) -> None:
    bench.clients(4)
    bench.queue.listen()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = bench.stack.enter_context(socket.socket())
    began = time.monotonic()
    resource.setrlimit(resource.RLIMIT_NOFILE, (free.fileno() + 1, hard))
    try:
        assert bench.take(10) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert bench.queue.errors == {"accept EMFILE": 1}
    assert not bench.woken
    assert began + SHORTAGE_SECONDS <= bench.queue.resume_at <= time.monotonic() + SHORTAGE_SECONDS
    bench.queue.listen()
    assert bench.woken
    assert bench.take(10) == 4


def test_errors_of_connections_that_are_gone_are_added_up(bench: Bench) -> None:
    bench.queue.listen()
    for number in (errno.ECONNABORTED, errno.EPROTO, errno.ECONNABORTED):
        bench.queue.accept_failed(OSError(number, ""))

    assert bench.queue.errors == {"accept ECONNABORTED": 2, "accept EPROTO": 1}
    assert (bench.queue.listening, bench.queue.resume_at) == (True, 0.0)


def test_an_error_of_another_kind_ends_the_acceptor(bench: Bench) -> None:
    with pytest.raises(OSError, match="Invalid"):
        bench.queue.accept_failed(OSError(errno.EINVAL, "Invalid"))
    assert bench.queue.errors == {"accept EINVAL": 1}


def test_after_a_crowd_of_strangers_other_work_gets_its_turn(bench: Bench) -> None:
    bench.queue.take_only(SourceFilter(socket.AF_INET, [(10 << 24, 1)]))
    waiting = [(socket.socket().detach(), ("127.0.0.1", 1)) for _ in range(CROWD + 3)]

    class Crowded:
        family = socket.AF_INET

        def _accept(self) -> tuple[int, object]:
            if not waiting:
                raise BlockingIOError
            return waiting.pop()

    bench.queue.listener = Crowded()  # type: ignore[assignment]
    assert bench.take(10) == 0
    assert (len(waiting), bench.queue.errors) == (3, {"accept from elsewhere": CROWD})
    assert bench.take(10) == 0
    assert bench.queue.errors == {"accept from elsewhere": CROWD + 3}


def test_how_long_somebody_waited_is_measured(bench: Bench) -> None:
    bench.clients(1)
    time.sleep(0.03)  # what is measured
    (descriptor,) = bench.queue.take(1)
    with socket.socket(fileno=descriptor):
        bench.queue.measure_delay(descriptor)
    assert 0.015 < bench.queue.accept_delay.raw[0] < 5


def test_a_closed_queue_refuses() -> None:
    with ExitStack() as stack:
        bench = Bench(stack)
        bench.queue.listen()
        address = bench.listener.getsockname()
        bench.queue.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        assert not bench.queue.listening


@pytest.mark.parametrize(
    ("family", "blocks", "inside", "outside"),
    [
        (
            socket.AF_INET,
            [(10 << 24 | 16, 4), (10 << 24, 2)],
            ["10.0.0.0", "10.0.0.1", "10.0.0.16", "10.0.0.19"],
            ["9.255.255.255", "10.0.0.2", "10.0.0.15", "10.0.0.20", "255.255.255.255"],
        ),
        (socket.AF_INET6, [(0xFD << 120, 2**64)], ["fd00::", "fd00::ffff:ffff:ffff:ffff"], ["::1", "fd00:0:0:1::"]),
        (socket.AF_INET, [], [], ["10.0.0.1"]),
    ],
)
def test_a_filter_knows_its_blocks(family: int, blocks: list[tuple[int, int]], inside: list[str], outside: list[str]) -> None:
    known = SourceFilter(family, blocks)
    assert [each for each in inside + outside if each in known] == inside
