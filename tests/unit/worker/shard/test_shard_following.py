"""A shard follows its schedule down and up again, another schedule while it runs, and the orders to halt and to close."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import trio
from shards import (
    Server,
    Shards,
    assignment,
    close_order,
    ending,
    halt_order,
    nobody,
    retarget_order,
    running,
    server,
    stages,
    start_order,
    stop_traffic_order,
    stop_turnover_order,
)

from c1m.measure.phase import Phase
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import Schedule

pytestmark = pytest.mark.trio


def endings(one: Server) -> list[str]:
    return [ending(connection) for connection in one.accept()]


@pytest.mark.parametrize(("reset", "how"), [(True, "rst"), (False, "fin")])
async def test_the_oldest_leave_first_when_the_schedule_falls(reset: bool, how: str) -> None:
    with server() as one:
        wanted = stages((20, 0.04), (20, 0.03), (8, 0.04))
        async with running(assignment(20, one.address, rushes=False, schedule=wanted, reset=reset)) as it:
            await it.start()
            await it.holds()
            assert (it.tally.opened, it.tally.closed, it.tally.open) == (20, 12, 8)
            assert endings(one) == [how] * 12 + ["open"] * 8
            assert list(it.child.reached_ns) == [0, 1, 2]


async def test_any_of_them_leave_when_the_order_is_random() -> None:
    with server() as one:
        wanted = stages((20, 0), (20, 0.05), (8, 0.02))
        async with running(assignment(20, one.address, rushes=False, schedule=wanted, oldest_first=False)) as it:
            await it.start()
            await it.holds()
            found = endings(one)
            assert found.count("rst") == 12
            assert found != ["rst"] * 12 + ["open"] * 8


async def test_a_place_that_was_left_is_used_again() -> None:
    with server() as one:
        wanted = assignment(10, one.address, rushes=False, schedule=stages((10, 0), (10, 0.02), (2, 0.02), (10, 0.02)))
        async with running(wanted) as it:
            await it.start()
            await it.holds()
            await one.accepts(18)
            assert (it.tally.opened, it.tally.closed, dict(it.tally.failed)) == (18, 8, {})
            peers = [connection.getpeername() for connection in one.accepted if ending(connection) == "open"]
            assert set(peers) == set(wanted.space.walk(0, 10))


async def retarget(it: Shards, schedule: Schedule, kept: int, total: int) -> None:
    await it.order(retarget_order(schedule, kept))
    await it.until(lambda: it.tally.open == total and it.phase is Phase.HOLDING)


@pytest.mark.parametrize("rushes", [True, False])
async def test_another_schedule_is_followed_down_and_up(rushes: bool) -> None:
    with server() as one, server() as other:
        wanted = assignment(20, one.address, other.address, rushes=rushes, schedule=stages((20, 0)))
        async with running(wanted) as it:
            began = time.monotonic()
            await it.start(began)
            await it.holds()
            opened_ns = it.child.reached_ns[0]

            turned = wanted.settings.schedule.cut(50_000_000, stages((6, 0.05)).stages)
            await retarget(it, turned, 1, 6)
            assert it.tally.closed == 14
            assert it.child.reached_ns[0] == opened_ns, "what was reached of the stages that stay is kept"
            again = turned.cut(turned.end_ns, stages((20, 0.05)).stages)
            await retarget(it, again, len(turned.stages), 20)

            assert it.tally.opened == 34
            assert [len([each for each in found.accept() if ending(each) == "open"]) for found in (one, other)] == [10, 10]
            assert sum(it.latencies("connect_latency_us").values()) == 34
            assert sum(it.latencies("connect_latency_from_due_us").values()) == 34


async def test_a_shard_that_rushed_finds_out_where_each_connection_leads() -> None:
    """And counts what was reset meanwhile as dropped."""
    with server() as one:
        async with running(assignment(6, one.address)) as it:
            await it.start()
            await it.holds()
            one.accept()
            one.hang_up(2)
            await it.order(retarget_order(stages((6, 0), (3, 0.01)), 1))
            await it.until(lambda: it.tally.closed and it.phase is Phase.HOLDING)
            assert (it.tally.opened, dict(it.tally.dropped), it.tally.open) == (6, {"peer_reset": 2}, 3)


async def test_a_halted_shard_opens_nothing_more_and_holds() -> None:
    with server() as one:
        async with running(assignment(20, one.address, rushes=False, schedule=stages((20, 20)))) as it:
            await it.start(time.monotonic() - 2)
            await it.until(lambda: it.tally.opened >= 2)
            await it.order(halt_order())
            await it.holds()
            assert it.tally.opened == 2


@pytest.mark.parametrize(("how", "seen"), [("rst", "rst"), ("fin", "fin")])
async def test_it_closes_as_it_is_asked_to(how: str, seen: str) -> None:
    with server() as one:
        async with running(assignment(10, one.address)) as it:
            await it.start()
            await it.holds()
            await it.close(how)
            assert (it.tally.opened, it.tally.closed, it.tally.open) == (10, 10, 0)
            assert endings(one) == [seen] * 10


async def test_it_closes_chunk_by_chunk_and_what_is_in_flight_as_well() -> None:
    with server() as one, server(backlog=0) as full:
        full.fill()
        async with running(assignment(150, one.address, full.address)) as it:
            await it.start()
            await it.until(lambda: it.tally.opened == 75 and it.tally.in_flight == 75)
            began = trio.current_time()
            await it.order(close_order(seconds_a_chunk=0.02))
            await it.until(lambda: it.phase is Phase.CLOSING and it.tally.closed + it.tally.failed.get("ECANCELED", 0) == 64)
            await it.until(lambda: it.phase is Phase.CLOSED)
            assert trio.current_time() - began >= 0.06, "three chunks of 64"
            assert (it.tally.closed, dict(it.tally.failed)) == (75, {"ECANCELED": 75})


async def test_it_closes_everything_when_its_link_closes() -> None:
    with server() as one:
        async with running(assignment(10, one.address, reset=False)) as it:
            await it.start()
            await it.holds()
        assert endings(one) == ["rst"] * 10


async def test_a_slow_close_ends_with_the_link() -> None:
    with server() as one:
        async with running(assignment(70, one.address)) as it:
            await it.start()
            await it.holds()
            await it.order(close_order(seconds_a_chunk=3600.0))
            await it.until(lambda: it.tally.closed == 64)
        assert endings(one) == ["rst"] * 70


async def test_shards_of_a_run_add_up_to_its_schedule() -> None:
    with server() as one:
        wanted = assignment(20, one.address, rushes=False, schedule=stages((40, 0.05), (20, 0.05)))
        both = [replace(wanted, index=index, share=RingShare(40, 20 * index, 20)) for index in range(2)]
        both[1] = replace(both[1], routes=assignment(20, one.address).routes, space=assignment(1, one.address).space)
        async with running(*both) as it:
            await it.order(start_order())
            await it.holds()
            assert (it.tally.opened, it.tally.closed, it.tally.open) == (40, 20, 20)
            assert [child.tally.opened for child in it.supervisor.children] == [20, 20]


async def test_orders_to_a_shard_without_turnover_or_traffic_change_nothing() -> None:
    async with running(assignment(1, nobody())) as it:
        await it.start()
        await it.holds()
        await it.order(stop_turnover_order())
        await it.order(stop_traffic_order())
        await it.until(lambda: it.child.traffic_stopped)
        assert it.child.turnover_stopped is False
