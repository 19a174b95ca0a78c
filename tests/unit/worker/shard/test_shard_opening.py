"""A shard opens what its schedule wants, on the clock or as fast as it can, and counts what fails."""

from __future__ import annotations

import resource
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from shards import assignment, close_order, nobody, running, server, stages, start_order, taken

from c1m.measure.phase import Phase
from c1m.traffic.turnover import Turnover

pytestmark = pytest.mark.trio


async def test_it_opens_as_fast_as_it_can_and_holds() -> None:
    with server() as one, server() as other:
        wanted = assignment(40, one.address, other.address)
        async with running(wanted) as it:
            assert it.phase is Phase.PREPARED
            await it.start()
            await it.holds()

            planned = set(wanted.space.walk(0, 40))
            peers = [[connection.getpeername() for connection in each.accept()] for each in (one, other)]
            assert list(map(len, peers)) == [20, 20]
            assert set(peers[0]) | set(peers[1]) == planned
            assert (it.tally.attempted, it.tally.opened, it.tally.in_flight, it.tally.closed) == (40, 40, 0, 0)
            assert it.tally.last_opened <= time.monotonic()
            assert it.latencies("connect_latency_us") == it.latencies("connect_latency_from_due_us")
            assert sum(it.latencies("connect_latency_us").values()) == 40
            assert it.child.reached_ns.keys() == {0}


async def test_no_more_are_in_flight_than_allowed() -> None:
    """The queue takes nobody, so what is in flight stays there."""
    with server(backlog=0) as full:
        full.fill()
        async with running(assignment(40, full.address, most_in_flight=7)) as it:
            await it.start()
            await it.until(lambda: it.tally.attempted)
            assert (it.tally.attempted, it.tally.opened, it.tally.in_flight) == (7, 0, 7)
            await it.close()
            assert it.tally.failed == {"ECANCELED": 7}


async def test_it_opens_on_the_clock() -> None:
    with server() as one:
        async with running(assignment(20, one.address, rushes=False, schedule=stages((20, 0.1)))) as it:
            began = time.monotonic()
            await it.start(began)
            await it.until(lambda: it.tally.opened)
            assert it.tally.opened < 20
            await it.holds()
            assert it.tally.opened == 20
            assert 0.09 < it.tally.last_opened - began < 1


async def test_what_is_opened_late_is_measured_from_when_it_was_due() -> None:
    """A shard that begins half a second late opens at once what the schedule has due until now."""
    with server() as one:
        async with running(assignment(20, one.address, rushes=False, schedule=stages((20, 0.1)))) as it:
            await it.start(time.monotonic() - 0.5)
            await it.holds()

            assert sum(it.latencies("connect_latency_from_due_us").values()) == 20
            assert min(it.latencies("connect_latency_from_due_us")) > 390_000
            assert max(it.latencies("connect_latency_us")) < 300_000


async def test_in_a_closed_loop_nothing_is_due_before_it_is_called() -> None:
    with server() as one:
        async with running(assignment(20, one.address, turnover=Turnover())) as it:
            await it.start(time.monotonic() - 0.5)
            await it.holds()

            assert sum(it.latencies("connect_latency_from_due_us").values()) == 20
            assert max(it.latencies("connect_latency_from_due_us")) < 300_000


async def test_poisson_arrivals_are_all_there_at_the_end() -> None:
    with server() as one:
        async with running(assignment(30, one.address, rushes=False, scattered=True, schedule=stages((30, 0.1)))) as it:
            await it.start()
            await it.holds()
            assert it.tally.opened == 30


async def test_where_nobody_listens_every_connect_is_refused() -> None:
    wanted = assignment(10, nobody())
    async with running(wanted) as it:
        await it.start()
        await it.holds()

        assert it.tally.failed == {"ECONNREFUSED": 10}
        assert it.tally.errors == {"handshake ECONNREFUSED": 10}
        assert it.tally.sources == Counter(f"{host} failed" for host, _ in wanted.space.walk(0, 10))
        assert (it.tally.attempted, it.tally.opened, it.tally.in_flight) == (10, 0, 0)
        assert not it.child.reached_ns


async def test_a_connect_that_takes_too_long_is_given_up() -> None:
    with server(backlog=0) as full:
        full.fill()
        async with running(assignment(5, full.address, connect_timeout=0.05)) as it:
            await it.start()
            await it.holds()
            assert it.tally.failed == {"ETIMEDOUT": 5}


async def test_a_port_that_is_in_use_is_skipped() -> None:
    with server() as one:
        wanted = assignment(10, one.address, spare=5)
        with taken(wanted.space.walk(0, 3)):
            async with running(wanted) as it:
                await it.start()
                await it.holds()
                assert (it.tally.opened, it.tally.skipped_ports, dict(it.tally.failed)) == (10, 3, {})
                assert it.tally.errors == {"bind EADDRINUSE": 3}


@pytest.mark.parametrize("rushes", [True, False])
async def test_connections_without_a_free_port_are_counted(rushes: bool) -> None:
    with server() as one:
        wanted = assignment(10, one.address, spare=1, rushes=rushes)
        with taken(wanted.space.walk(0, 3)):
            async with running(wanted) as it:
                await it.start()
                await it.holds()
                assert (it.tally.attempted, it.tally.opened, dict(it.tally.failed)) == (10, 8, {"EADDRINUSE": 2})


@contextmanager
def room_for(count: int) -> Iterator[None]:
    """Only ``count`` more descriptors fit into this process's table."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [socket.socket() for _ in range(count + 1)]
    last = free[-1].fileno()
    for each in free:
        each.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (last, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_a_full_table_is_counted_and_does_not_end_the_shard() -> None:
    with server() as one:
        async with running(assignment(10, one.address)) as it:
            with room_for(6):
                await it.start()
                await it.holds()
            assert (it.tally.opened, dict(it.tally.failed)) == (6, {"EMFILE": 4})
            assert it.tally.errors == {"socket EMFILE": 4}
            assert it.tally.sources == {}, "which is no fault of the addresses"


async def test_a_shard_that_joins_late_opens_what_the_schedule_has_now() -> None:
    with server() as one:
        wanted = assignment(20, one.address, rushes=False, schedule=stages((20, 1), (8, 1), (8, 60)))
        async with running(wanted) as it:
            now = time.monotonic()
            await it.order(start_order(now - 30, joined=now, reached={0: 10**9, 1: 2 * 10**9}))
            await it.until(lambda: it.tally.opened == 8)
            assert {0: 10**9, 1: 2 * 10**9}.items() <= it.child.reached_ns.items()
            await it.until(lambda: it.latencies("connect_latency_from_due_us"))
            assert max(it.latencies("connect_latency_from_due_us")) < 5_000_000, "nothing was due before it joined"


async def test_a_shard_that_is_closed_before_it_starts_is_closed() -> None:
    async with running(assignment(3, nobody())) as it:
        await it.order(close_order())
        await it.until(lambda: it.phase is Phase.CLOSED)
        assert it.tally.attempted == 0
