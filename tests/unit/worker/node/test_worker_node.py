"""A worker's control process: what it takes on and refuses, and a run of its shards from Prepare to the end."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import trio
from node_runs import watched
from nodes import run_of, sample, tally, target, target_orders, until, worker, worker_orders
from shards import server
from trio.testing import MockClock

from c1m.errors import C1mError, RefusedError, UsageError
from c1m.kernel import meminfo
from c1m.measure.phase import Close, Phase
from c1m.measure.reasons import LEAVING, ExitKind, HaltKind, HaltReason
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.orders.orders import CloseAll, Halt, Probe, Start
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import NANOSECONDS, Arrival, Stage
from c1m.traffic.slow_clients import SlowClients
from c1m.worker.node import memory_guard, target_proof
from c1m.worker.node.allow_list import AllowList, parse_allowance
from c1m.worker.node.quotas import Quotas
from c1m.worker.node.worker_node import WorkerNode, WorkerOrders, closing_order

pytestmark = pytest.mark.trio

NOWHERE = ("127.0.0.1", 9)


async def test_a_run_from_prepare_to_the_end() -> None:
    with server() as one:
        async with worker() as (node, _):
            await node.prepare(worker_orders(20, one.address, shards=2))
            assert (sample(node).phase, node.busy_with()[:5]) == (Phase.PREPARED, "run r")
            await node.start("r")
            await until(node, lambda: sample(node).phase is Phase.HOLDING)
            assert (tally(node).opened, sample(node).processes) == (20, 2)
            assert run_of(node).scheduled() == 20

            inspection = await node.inspect_run("r")
            assert inspection.established == 20
            assert inspection.reading is not None
            assert "memory of the node's processes" in inspection.unknown[-1], "its children have no process here"

            await node.stop("r", Close.FIN, 0.0)
            await run_of(node).over.wait()
            assert (sample(node).phase, tally(node).closed, node.busy_with()) == (Phase.CLOSED, 20, "")
            assert (await node.inspect_run("r")).established == 0


async def test_who_asks_again_gets_the_same_run_and_another_is_refused() -> None:
    async with worker(plays=True) as (node, it):
        wanted = worker_orders(4, NOWHERE, operator="alice")
        await node.prepare(wanted)
        await node.prepare(wanted)
        assert it.zygote.forked_names == ["shard 0"]
        assert (node.owner_of("r"), node.owner_of("other")) == ("alice", "")
        with pytest.raises(RefusedError, match="busy with run r of alice since .*; no coordinator watches it, so it ends"):
            await node.prepare(worker_orders(4, NOWHERE, run_id="other"))
        with watched(run_of(node)):
            assert "it is being watched" in node.busy_with()
        await node.stop("r", Close.RESET, 0.0)
        await run_of(node).over.wait()
        assert node.owner_of("r") == ""
        await node.prepare(worker_orders(4, NOWHERE, run_id="other"))


async def test_it_starts_once() -> None:
    async with worker(plays=True) as (node, it):
        await node.prepare(worker_orders(4, NOWHERE, shards=2))
        before = time.monotonic()
        await node.start("r")
        await node.start("r")
        start = run_of(node).start
        assert before < start < time.monotonic() + 1
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert [child.orders[1:] for child in it.script.children] == [[Start(start)]] * 2
        await node.stop("r", Close.RESET, 0.0)
        with pytest.raises(RefusedError, match="is closing; prepare another one"):
            await node.start("r")


@pytest.mark.parametrize("call", ["start", "stop_traffic", "stop_turnover", "preparation_of", "inspect_run"])
async def test_a_run_that_is_not_there_is_refused(call: str) -> None:
    async with worker(plays=True) as (node, _):
        with pytest.raises(RefusedError, match="has no run 'r': its lease ended, or the node was restarted"):
            await getattr(node, call)("r")


async def test_it_is_not_started_before_it_is_ready() -> None:
    async with worker(plays=True) as (node, it):
        it.script.obeys = False
        async with trio.open_nursery() as nursery:

            async def prepare() -> None:
                with suppress(C1mError):
                    await node.prepare(worker_orders(4, NOWHERE))

            nursery.start_soon(prepare)
            await trio.testing.wait_all_tasks_blocked(0.02)
            with pytest.raises(RefusedError, match="is still being prepared"):
                await node.start("r")
            it.script.children[0].obeys = True
            it.script.children[0].report(Phase.PREPARED)


async def test_a_run_that_cannot_be_prepared_leaves_the_node_free() -> None:
    async with worker(plays=True) as (node, it):
        it.zygote.refused = "no process left"
        with pytest.raises(RefusedError, match="no process left"):
            await node.prepare(worker_orders(4, NOWHERE))
        await run_of(node).over.wait()
        assert node.busy_with() == ""
        it.zygote.refused = ""
        await node.prepare(worker_orders(4, NOWHERE, run_id="another"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"run_id": ""}, "is no run id"),
        ({"run_id": "a\nb"}, "is no run id"),
        ({"run_id": "x" * 101}, "is no run id"),
        ({"lease_seconds": 0.05}, "a lease in seconds of 0.05"),
        ({"lease_seconds": 90_000.0}, "a lease in seconds of 90,000"),
    ],
)
async def test_what_makes_no_run_is_refused(changes: dict[str, Any], sentence: str) -> None:
    async with worker(plays=True) as (node, _):
        with pytest.raises(UsageError, match=sentence):
            await node.prepare(worker_orders(4, NOWHERE, **changes))
        assert node.node_run is None


async def test_a_source_of_another_machine_is_refused() -> None:
    async with worker(plays=True) as (node, _):
        wanted = worker_orders(1, NOWHERE)
        foreign = replace(wanted.shards[0].space, sources=AddressPool((AddressBlock(8 << 24, 1, 4),)))
        with pytest.raises(RefusedError, match=r"the source address 8\.0\.0\.0 is not this machine's"):
            await node.prepare(replace(wanted, shards=[replace(wanted.shards[0], space=foreign)]))


async def test_more_processes_than_there_are_descriptors_for_are_refused() -> None:
    async with worker(plays=True) as (node, _):
        with pytest.raises(RefusedError, match="cannot start 0 processes"):
            node.check_processes(0, 1)
        with pytest.raises(RefusedError, match="cannot start 100,000,000 processes: each uses 2 descriptors"):
            node.check_processes(100_000_000, 2)


# -- whom it loads


NONCE = b"0123456789abcdef"


def slowed(*wanted: Any, **changes: Any) -> WorkerOrders:
    """The slow clients of a run may load only who was named for them, loopback included."""
    made = worker_orders(*wanted, **changes)
    settings = replace(made.settings, slow=SlowClients(1.0))
    return replace(made, shards=[replace(shard, settings=settings) for shard in made.shards])


async def refused(node: WorkerNode, wanted: WorkerOrders, sentence: str) -> None:
    """The node refuses, and is free again."""
    with pytest.raises(RefusedError, match=sentence):
        await node.prepare(wanted)
    await run_of(node).over.wait()


async def test_a_server_that_nobody_named_is_refused_and_one_that_proves_itself_is_not() -> None:
    async with target() as (proving, _), worker(plays=True) as (node, it):
        (port,) = await proving.prepare(target_orders(nonce=NONCE))
        there = ("127.0.0.1", port)
        await refused(node, slowed(4, there), f"127.0.0.1:{port} is no c1m-target, and this worker .* --allow-slow")
        await refused(node, slowed(4, NOWHERE, nonce=NONCE), r"did not prove to be .* \(connection refused\)")
        assert it.zygote.forked_names == []
        await node.prepare(slowed(4, there, nonce=NONCE))
        assert it.zygote.forked_names == ["shard 0"]


@pytest.mark.parametrize(
    ("words", "instead"), [(b"HTTP/1.1 400\r\n", "it answered something else"), (b"", "it answered nothing")]
)
async def test_what_a_server_did_instead_of_proving_itself_is_said(
    words: bytes, instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_proof, "PATIENCE_SECONDS", 0.1)
    with server() as one:
        async with trio.open_nursery() as nursery, worker(plays=True) as (node, _):
            nursery.start_soon(one.serve, lambda connection, _: connection.send(words) if words else None)
            await refused(node, slowed(4, one.address, nonce=NONCE), instead)
            nursery.cancel_scope.cancel()


async def test_a_server_that_is_named_is_loaded_without_a_question() -> None:
    allow = AllowList((parse_allowance("10.0.0.0/8"),), ())
    async with worker(plays=True, allow=allow) as (node, _):
        assert allow.beyond([("10.1.2.3", 80), ("11.0.0.1", 80), NOWHERE], slow=False) == [("11.0.0.1", 80)]
        await node.check_allowed(worker_orders(1, ("10.1.2.3", 80)).shards if False else [], b"")


# -- quotas


@pytest.mark.parametrize(
    ("quotas", "changes", "sentence"),
    [
        (Quotas(connections=19), {}, "is to open 20 connections, and may open 19"),
        (Quotas(rate=100.0), {}, "the run opens as fast as it can"),
        (Quotas(rate=9.0), {"arrival": Arrival.CONSTANT, "stages": [(20, 2.0)]}, "is to open 10 connections a second"),
        (Quotas(rate=9.0), {"arrival": Arrival.CONSTANT}, "is to open connections at once"),
        (Quotas(bandwidth=1e6), {}, "what a run sends that opens as fast as it can"),
        (Quotas(bandwidth=1e3), {"arrival": Arrival.CONSTANT, "stages": [(20, 2.0)]}, "is to send .* at times, and may send"),
    ],
)
async def test_a_run_beyond_a_quota_is_refused(quotas: Quotas, changes: dict[str, Any], sentence: str) -> None:
    async with worker(plays=True, quotas=quotas) as (node, _):
        with pytest.raises(RefusedError, match=sentence):
            await node.prepare(worker_orders(20, NOWHERE, **changes))
        assert node.node_run is None


async def test_quotas_are_part_of_what_it_says_of_its_host() -> None:
    async with worker(plays=True, quotas=Quotas(100, 50.5, 1e6)) as (node, _):
        limits = (await node.describe([])).host.limits
        assert (limits["most_connections"], limits["most_rate"], limits["most_bandwidth"]) == (100, 50, 1_000_000)


async def test_a_bandwidth_bounds_how_fast_it_closes() -> None:
    async with worker(plays=True, quotas=Quotas(bandwidth=1e6)) as (node, _):
        rate = node.close_rate(Close.RESET, 0.0, ())
        assert 1 < rate < 1e6
        assert node.close_rate(Close.RESET, 10.0, ()) == 10.0
        assert node.close_rate(Close.RESET, 1e9, ()) == rate
        assert node.close_rate(Close.FIN, 0.0, ()) < rate, "a FIN takes more packets"
    async with worker(plays=True) as (node, _):
        assert (node.close_rate(Close.RESET, 0.0, ()), node.close_rate(Close.RESET, 7.0, ())) == (0.0, 7.0)


async def test_the_order_to_close_divides_the_rate_among_the_shards() -> None:
    assert closing_order(Close.RESET, 0.0, 4) == CloseAll(reset=True)
    assert closing_order(Close.FIN, 640.0, 2) == CloseAll(reset=False, seconds_a_chunk=0.2)
    assert closing_order(Close.FIN, 640.0, 0).seconds_a_chunk == 0.1


# -- another schedule, more shards


def paced(total: int, *destinations: Any, **changes: Any) -> Any:
    return worker_orders(total, *(destinations or [NOWHERE]), arrival=Arrival.CONSTANT, **changes)


async def test_another_schedule_is_followed() -> None:
    with server() as one:
        async with worker() as (node, _):
            await node.prepare(paced(20, one.address, shards=2, stages=[(10, 0.02)], peak=20))
            with pytest.raises(RefusedError, match="has not started; try again once it has"):
                await node.retarget("r", NANOSECONDS, [Stage(5, 0)])
            await node.start("r")
            await until(node, lambda: tally(node).opened == 10)
            with pytest.raises(RefusedError, match="was planned for 20 connections at most, and 21 are asked for"):
                await node.retarget("r", run_of(node).elapsed_ns, [Stage(21, 0)])
            assert await node.retarget("r", run_of(node).elapsed_ns, [Stage(20, 20_000_000)]) == 2
            await until(node, lambda: tally(node).open == 20)
            assert await node.retarget("r", run_of(node).elapsed_ns, [Stage(6, 20_000_000)]) == 3
            await until(node, lambda: tally(node).open == 6)
            assert sample(node).schedule_version == 3
            assert sample(node).revision is not None


async def test_a_closed_loop_is_given_another_schedule_only_when_it_holds() -> None:
    async with worker(plays=True) as (node, it):
        await node.prepare(worker_orders(4, NOWHERE))
        await node.start("r")
        with pytest.raises(RefusedError, match="is still opening, as fast as it can"):
            await node.retarget("r", NANOSECONDS, [Stage(2, 0)])
        it.script.children[0].report(Phase.HOLDING)
        await until(node, lambda: sample(node).phase is Phase.HOLDING)
        assert await node.retarget("r", NANOSECONDS, [Stage(2, 0)]) == 2
        assert run_of(node).following.arrival is Arrival.CONSTANT  # type: ignore[union-attr]


async def test_a_run_that_ends_or_was_halted_is_not_changed() -> None:
    async with worker(plays=True) as (node, _):
        await node.prepare(paced(4))
        await node.start("r")
        run_of(node).halted = HaltReason(HaltKind.MEMORY, 1, 2)
        with pytest.raises(RefusedError, match="run r "):
            await node.retarget("r", NANOSECONDS, [Stage(2, 0)])
        run_of(node).halted = None
        await node.stop_turnover("r")
        with pytest.raises(RefusedError, match="comes to its end"):
            await node.retarget("r", NANOSECONDS, [Stage(2, 0)])


def more_shards(node: WorkerNode, first: int, count: int) -> list[Any]:
    like = node.shards[0]
    return [replace(like, share=RingShare(like.share.peak, first, count), routes=(replace(like.routes[0], first=200),))]


async def test_shards_join_a_running_run_once() -> None:
    async with worker(plays=True) as (node, it):
        await node.prepare(paced(4, peak=12))
        with pytest.raises(RefusedError, match="has not started"):
            await node.add_shards("r", more_shards(node, 4, 4))
        await node.start("r")
        joining = more_shards(node, 4, 4)
        await node.add_shards("r", joining)
        await node.add_shards("r", joining)
        assert it.zygote.forked_names == ["shard 0", "shard 1"]
        assert [share.first for share in run_of(node).following.shares] == [0, 4]  # type: ignore[union-attr]
        with pytest.raises(UsageError, match="have connections in common"):
            await node.add_shards("r", more_shards(node, 6, 4))
        assert [shard.index for shard in node.shards] == [0, 1]
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert it.script.children[1].orders[1].joined


# -- shards that end


async def test_a_shard_that_ends_is_replaced_and_its_connections_are_opened_again() -> None:
    with server() as one:
        async with worker() as (node, it):
            await node.prepare(paced(20, one.address, shards=2))
            await node.start("r")
            await until(node, lambda: sample(node).phase is Phase.HOLDING)
            run_of(node).supervisor.children[1].kill(ExitKind.IDLE, 5.0)
            await until(node, lambda: tally(node).opened == 30 and sample(node).phase is Phase.HOLDING)
            assert (tally(node).open, tally(node).dropped) == (20, {"process_died": 10})
            (replacement,) = sample(node).replacements
            assert replacement.connections == 10
            assert it.zygote.forked_names == ["shard 0", "shard 1", "shard 1"]


# -- orders that wait for an answer


async def test_a_probe_is_divided_and_added_up() -> None:
    async with worker(plays=True) as (node, it):
        await node.prepare(paced(6, shards=3))
        await node.start("r")
        async with trio.open_nursery() as nursery:

            async def answers() -> None:
                await trio.testing.wait_all_tasks_blocked(0.02)
                for child, found in zip(it.script.children, [(3, 1), (2, 0), None], strict=True):
                    assert child.orders[-1] == Probe(4)
                    if found:
                        child.report(Phase.HOLDING, probed=found)
                    else:
                        child.die()

            nursery.start_soon(answers)
            assert await node.probe("r", 10) == (5, 1)


async def test_without_a_process_nothing_is_probed() -> None:
    async with worker(plays=True) as (node, it):
        await node.prepare(paced(2))
        await node.start("r")
        run_of(node).settling = True
        it.script.children[0].die()
        await until(node, lambda: not run_of(node).supervisor.alive)
        with pytest.raises(RefusedError, match="has no process left to probe from"):
            await node.probe("r", 10)


async def test_traffic_is_stopped_when_every_shard_says_so() -> None:
    async with worker(plays=True) as (node, it):
        await node.prepare(paced(4, shards=2))
        await node.start("r")
        stopped = trio.Event()

        async def stop() -> None:
            await node.stop_traffic("r")
            stopped.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop)
            await trio.testing.wait_all_tasks_blocked(0.02)
            it.script.children[0].report(Phase.HOLDING, traffic_stopped=True)
            await trio.testing.wait_all_tasks_blocked(0.02)
            assert not stopped.is_set()
            it.script.children[1].report(Phase.HOLDING, traffic_stopped=True)
        assert stopped.is_set()
        assert run_of(node).settling


async def test_traffic_that_does_not_stop_is_not_waited_for_for_ever(mock_clock: MockClock) -> None:
    async with worker(plays=True) as (node, _):
        await node.prepare(paced(4))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.stop_traffic, "r")
            await trio.testing.wait_all_tasks_blocked(0.02)
            mock_clock.jump(5.1)


# -- the memory guard


@pytest.mark.parametrize(("phase", "halts"), [(Phase.OPENING, True), (Phase.HOLDING, False)])
async def test_opening_stops_before_the_memory_is_used_up(
    phase: Phase, halts: bool, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    left = [memory_guard.FLOOR_BYTES * 1000]
    monkeypatch.setattr(meminfo, "available_bytes", lambda: left[0])
    monkeypatch.setattr(meminfo, "read_memory", lambda: meminfo.MemoryState(memory_guard.FLOOR_BYTES * 100, 0, 0))
    async with worker(plays=True) as (node, it):
        await node.prepare(paced(4, shards=2))
        await node.start("r")
        for child in it.script.children:
            child.report(phase)
        for available in (left[0], 2 * memory_guard.FLOOR_BYTES, 2 * memory_guard.FLOOR_BYTES - 1):
            assert not run_of(node).halted
            left[0] = available
            mock_clock.jump(0.3)
            await trio.testing.wait_all_tasks_blocked(0.01)
        assert bool(run_of(node).halted) is halts
        assert [Halt() in child.orders for child in it.script.children] == [halts] * 2
        if halts:
            assert "the floor is" in str(sample(node).halted)


async def test_where_memory_is_unknown_nothing_is_halted(monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock) -> None:
    monkeypatch.setattr(meminfo, "available_bytes", lambda: None)
    monkeypatch.setattr(meminfo, "read_memory", lambda: None)
    async with worker(plays=True) as (node, _):
        await node.prepare(paced(4))
        await node.start("r")
        mock_clock.jump(0.3)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert not run_of(node).halted


# -- what it says of itself


async def test_it_describes_itself_and_the_run_that_can_be_changed() -> None:
    async with worker(plays=True, sources=[AddressBlock(127 << 24 | 99, 4, 4)], ports=PortRanges(((5000, 5999),))) as (node, _):
        free = await node.describe(["127.0.0.1"])
        assert (free.sources.size, free.ports.size, free.busy_with, free.run_id, free.revision) == (4, 1000, "", "", None)
        assert free.host.cores > 0
        await node.prepare(paced(4))
        await node.start("r")
        await trio.sleep(0.06)
        busy = await node.describe(["127.0.0.1"])
        assert busy.run_id == "r"
        assert busy.elapsed_ns > 0
        assert busy.revision is not None
        await node.stop("r", Close.RESET, 0.0)
        assert (await node.describe([])).run_id == ""


async def test_without_named_sources_they_are_those_that_suit_the_destination() -> None:
    async with worker(plays=True) as (node, _):
        assert (await node.describe(["127.0.0.1"])).sources.size == 2**24 - 3
        assert (await node.describe([])).sources.size == 0
        assert (await node.describe([])).ports.size > 1000
    async with worker(plays=True, sources=[AddressBlock(127 << 24 | 99, 4, 4)]) as (node, _):
        with pytest.raises(RefusedError, match="has no IPv6 source address toward ::1"):
            await node.describe(["::1"])


async def test_leaving_closes_the_run_and_cuts_a_slow_close_short() -> None:
    async with worker(plays=True) as (node, it):
        await node.abandon()  # there is no run
        await node.prepare(paced(4))
        await node.abandon()
        assert str(run_of(node).closing_reason) == str(LEAVING)
        it.script.obeys = False
    async with worker(plays=True) as (node, it):
        await node.prepare(paced(4, run_id="slow"))
        it.script.children[0].obeys = False
        await node.stop("slow", Close.FIN, 1.0)
        assert not run_of(node).over.is_set()
        await node.abandon()
        assert run_of(node).over.is_set()


async def test_settings_are_changed_only_where_the_operator_allows_it() -> None:
    async with worker(plays=True) as (node, _):
        with pytest.raises(RefusedError, match="does not let coordinators change settings"):
            await node.tune({}, undo=False)
    async with worker(plays=True, tunable=True) as (node, _):
        with pytest.raises(UsageError, match="cannot restore settings and raise others at once"):
            await node.tune({"fs.nr_open": "1"}, undo=True)
        assert await node.tune({}, undo=False) == []
        await node.prepare(paced(4))
        with pytest.raises(RefusedError, match="changes no settings while it is busy with run r"):
            await node.tune({}, undo=False)
