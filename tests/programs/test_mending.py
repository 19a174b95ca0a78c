"""What becomes of a run when a part of it is gone: more shards join it, others take the places of processes that end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import PATIENCE_SECONDS, children_of, coordinator, node, running, until_it_says

from c1m.coordinator.fleet.clients import TargetClient, WorkerClient
from c1m.coordinator.planning.plan import PlannedRoute, ShardPlan, WorkerPlan
from c1m.errors import C1mError, RefusedError
from c1m.measure.phase import Close, CloseOrder, Phase
from c1m.measure.sample import Sample
from c1m.measure.tally import PROCESS_DIED
from c1m.net.endpoints import HostPort
from c1m.net.tuples import Address, TupleSpace
from c1m.node.node_run import MOST_REPLACED
from c1m.orders.shard_settings import ShardSettings
from c1m.processes.child import STUCK_SECONDS
from c1m.schedule.node_schedule import NodeSchedule
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import NANOSECONDS, Arrival, Revision, Schedule, Stage
from c1m.worker.node.quotas import Quotas
from c1m.worker.shard.pacer import OpenLoop, steady

# Ports of this file's own, so that nothing else's sockets are counted.
WORKER, TARGET = ("127.0.0.1", 25_310), ("127.0.0.1", 25_320)
DATA = ("--bind", "127.0.0.1", "--ports", "25300-25302", "--listen", "127.0.0.1:25320")
FLEET = ("127.0.0.1:25310", "127.0.0.1:25320")
PEAK, FIRST = 300, 200  # connections of the run, and of the shards that it begins with
UP = Schedule((Stage(PEAK, 0, named=True),))
TURNED = (Stage(30, 0, named=True),)


@pytest.fixture(scope="module")
def pids() -> Iterator[tuple[int, int]]:
    """Of a worker and a target."""
    with node("worker", "--listen", "127.0.0.1:25310") as worker, node("target", *DATA) as target:
        yield worker.pid, target.pid


def settings(arrival: Arrival = Arrival.CLOSED_LOOP, schedule: Schedule = UP, **others: Any) -> ShardSettings:
    return ShardSettings(
        schedule=schedule,
        arrival=arrival,
        peak=PEAK,
        close=Close.RESET,
        close_order=CloseOrder.OLDEST,
        seed=1,
        most_in_flight=50,
        connect_timeout=5.0,
        lease=10.0,
        **others,
    )


class Played:
    """A run on a worker and a target, as a coordinator would drive it; the worker begins with the first part of the ring."""

    def __init__(self, wanted: ShardSettings, worker_pid: int) -> None:
        self.wanted = wanted
        self.worker_pid = worker_pid
        self.worker, self.target = WorkerClient(HostPort(*WORKER)), TargetClient(HostPort(*TARGET))
        self.sample = Sample(Phase.PREPARED)
        self.accepted = Sample(Phase.PREPARED)
        self.from_due: Mapping[int, int] = {}  # microseconds -> connections
        self.news = asyncio.Event()
        self.destinations: list[Address] = []

    async def prepare(self) -> None:
        described = await self.worker.describe(["127.0.0.1"])
        ports = await self.target.prepare("r", 2, self.wanted, [described.sources])
        self.destinations = [("127.0.0.1", port) for port in ports]
        shards = (shard(0, 0, FIRST // 2), shard(0, FIRST // 2, FIRST // 2))
        plan = WorkerPlan("w", TupleSpace(described.sources, described.ports), shards)
        await self.worker.prepare("r", plan, self.destinations, self.wanted, 0)

    async def add_shards(self, plan: ShardPlan, first_point: int = FIRST) -> None:
        await self.worker.add_shards("r", [(first_point, plan)], self.destinations)

    async def watch(self) -> None:
        async for self.sample, _ in self.worker.watch("r"):
            self.from_due = self.sample.histograms.get("connect_latency_from_due_us", self.from_due)
            self.news.set()

    async def watch_target(self) -> None:
        async for self.accepted, _ in self.target.watch("r"):
            self.news.set()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not done():
                self.news.clear()
                await self.news.wait()

    def pid_of(self, name: str) -> int:
        """Of a process of the worker, which is there."""
        return next(pid for pid, called in children_of(self.worker_pid).items() if called == name and running(pid))

    async def holding(self, count: int) -> None:
        await self.until(lambda: self.sample.phase is Phase.HOLDING and self.sample.tally.open == count)


def shard(destination: int, first: int, count: int) -> ShardPlan:
    """``first``: of the tuples, of which it gets as many as it has connections, and some besides."""
    return ShardPlan((PlannedRoute(destination, 2 * first, 2 * count, count),))


LAST = shard(1, FIRST, PEAK - FIRST)  # the part of the ring that the worker does not begin with


@asynccontextmanager
async def played(wanted: ShardSettings, worker_pid: int) -> AsyncIterator[Played]:
    run, streams = Played(wanted, worker_pid), list[asyncio.Task[None]]()
    try:
        await run.prepare()
        streams = [asyncio.create_task(run.watch()), asyncio.create_task(run.watch_target())]
        yield run
        await run.worker.stop("r", Close.RESET, 0.0)
        await run.target.stop("r")
        await asyncio.gather(*streams)
        assert (run.sample.phase, run.sample.tally.open, run.accepted.tally.open) == (Phase.CLOSED, 0, 0)
    finally:
        for stream in streams:
            stream.cancel()
        await run.worker.close()
        await run.target.close()


def play(steps: Callable[[Played], Coroutine[Any, Any, None]], wanted: ShardSettings, worker_pid: int) -> None:
    async def go() -> None:
        async with played(wanted, worker_pid) as run:
            await steps(run)

    asyncio.run(go())


# -- joining a run


@pytest.mark.parametrize("arrival", [Arrival.CLOSED_LOOP, Arrival.CONSTANT])
def test_shards_that_join_a_run_do_as_if_they_had_been_there(arrival: Arrival, pids: tuple[int, int]) -> None:
    async def steps(run: Played) -> None:
        await run.worker.start("r")
        await run.holding(FIRST)
        reached = run.sample.reached_ns
        await run.add_shards(LAST)
        await run.holding(PEAK)

        assert (run.sample.scheduled, run.sample.processes, run.sample.reached_ns) == (PEAK, 3, reached)
        assert (await run.worker.inspect("r")).established == PEAK
        await run.until(lambda: sum(run.from_due.values()) == PEAK)

        await run.worker.retarget("r", int(run.sample.elapsed_ns), TURNED)
        await run.holding(30)
        assert run.sample.scheduled == 30

    play(steps, settings(arrival), pids[0])


def test_what_is_asked_twice_is_done_once(pids: tuple[int, int]) -> None:
    """By whoever did not hear the first answer."""

    async def steps(run: Played) -> None:
        ports = run.destinations
        await run.prepare()
        assert run.destinations == ports
        for _ in range(2):
            await run.worker.start("r")
        await run.holding(FIRST)
        for _ in range(2):
            await run.add_shards(LAST)
        await run.holding(PEAK)
        assert (run.sample.tally.attempted, run.sample.processes, run.accepted.processes) == (PEAK, 3, 2)
        for _ in range(2):
            await run.worker.stop_turnover("r")
            await run.worker.stop_traffic("r")
            await run.target.stop_accepting("r")
        for _ in range(2):
            await run.worker.stop("r", Close.RESET, 0.0)
        assert [await run.target.stop("r"), await run.target.stop("r")] == [0, None]

    play(steps, settings(), pids[0])


def test_who_joins_follows_what_the_schedule_has_become_and_is_measured_from_then(pids: tuple[int, int]) -> None:
    """Up at once, down after half a second, and a person says otherwise: what came and went before is nobody's."""
    wanted = settings(Arrival.CONSTANT, Schedule((Stage(PEAK, 0), Stage(PEAK, NANOSECONDS // 2), Stage(60, NANOSECONDS // 10))))

    async def steps(run: Played) -> None:
        await run.worker.start("r")
        low, high = (RingShare(PEAK, 0, FIRST).count(number) for number in (60, 150))
        await run.holding(low)
        await run.worker.retarget("r", run.sample.elapsed_ns, (Stage(150, NANOSECONDS // 10),))
        await run.holding(high)
        waited_from = run.sample.elapsed_ns
        await run.add_shards(LAST)
        await run.holding(150)

        assert run.sample.scheduled == 150
        opened = FIRST + high - low + 150 - high
        assert run.sample.tally.opened == opened, "what joined opened its part of 150, and nothing that was closed again"
        await run.until(lambda: sum(run.from_due.values()) == opened)
        late, joined_for = max(run.from_due) * 1000, run.sample.elapsed_ns - waited_from
        assert late < max(waited_from, joined_for), "not from when the schedule first had them, before the worker was told"

    play(steps, wanted, pids[0])


def test_what_makes_no_sense_or_is_not_allowed_does_not_join(pids: tuple[int, int]) -> None:
    refusals: list[tuple[ShardPlan, int, str]] = [
        (LAST, 150, "have connections in common"),
        (shard(1, FIRST, 150), FIRST, "does not lie on the ring"),
        (ShardPlan((PlannedRoute(1, 2**62, 10, 10),)), FIRST, "does not lie within"),
    ]

    async def steps(run: Played) -> None:
        async def refused(sentence: str, plan: ShardPlan = LAST, first_point: int = FIRST) -> None:
            with pytest.raises(C1mError, match=sentence):
                await run.add_shards(plan, first_point)

        await refused("has not started")
        await run.worker.start("r")
        await run.holding(FIRST)
        for plan, first_point, sentence in refusals:
            await refused(sentence, plan, first_point)
        with pytest.raises(C1mError, match="has no run 'another'"):
            await run.worker.add_shards("another", [(FIRST, LAST)], run.destinations)
        await run.worker.stop_traffic("r")
        await refused("comes to its end")
        assert (run.sample.tally.open, run.sample.processes) == (FIRST, 2)

    play(steps, settings(), pids[0])


def test_what_joins_counts_for_the_ceiling() -> None:
    following = NodeSchedule((RingShare(PEAK, 0, FIRST),), Revision(UP), Arrival.CONSTANT)
    joined = following.joined_by([RingShare(PEAK, FIRST, PEAK - FIRST)])

    Quotas(connections=250).check(following, None, 0.0)
    with pytest.raises(RefusedError, match="is to open 300 connections, and may open 250"):
        Quotas(connections=250).check(joined, None, 0.0)


@given(
    st.lists(st.builds(Stage, st.integers(0, 60), st.integers(0, 40)), min_size=1, max_size=6),
    st.integers(0, 260),
    st.data(),
)
def test_whoever_joins_has_what_it_would_have_had(stages: list[Stage], joined: int, data: st.DataObject) -> None:
    schedule = Schedule(tuple(stages))
    peak = max(schedule.peak, 1)
    first = data.draw(st.integers(0, peak - 1))
    share = RingShare(peak, first, data.draw(st.integers(1, peak - first)))
    course = OpenLoop(iter(())).turn(steady(share, schedule, joined), share.count(schedule.at(joined)), joined)

    for moment in range(joined, schedule.end_ns + 2):
        course.advance(moment)
        assert course.scheduled == share.count(schedule.at(moment))
    assert all(due >= joined for due in course.due)


# -- the end of a process


def run_and_kill(pids: Iterable[int], name: str, fleet: tuple[str, str], told: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and summary of a run that held when a process of that name, below one of those, was killed.

    ``fleet``: a worker and a target.
    """
    nodes = ("--worker", fleet[0], "--target", fleet[1])
    with coordinator(*nodes, "--total", "2000", "--json", str(told), *words) as coord:
        assert coord.stderr is not None
        until_it_says(coord, "holding")
        below = {pid: called for node_pid in pids for pid, called in children_of(node_pid).items()}
        os.kill(next(pid for pid, called in below.items() if called == name), signal.SIGKILL)
        assert "killed by SIGKILL" in coord.stderr.read()  # at once, and not only in the summary
        return coord.wait(60), json.loads(told.read_text())


@pytest.mark.parametrize(
    "words", [("--hold", "6s"), ("--hold", "7s", "--lifetime", "exp:2s", "--heartbeat", "2s", "--keepalive", "1s")]
)
def test_a_killed_shard_is_replaced_and_what_it_held_is_opened_again(
    words: tuple[str, ...], pids: tuple[int, int], tmp_path: Path
) -> None:
    code, summary = run_and_kill(pids, "c1m-shard 0", FLEET, tmp_path / "summary.json", *words)

    assert len(summary["workers"][0]["replacements"]) == 1, summary["reasons"]
    (replacement,) = summary["workers"][0]["replacements"]
    assert (code, summary["verdict"], summary["established_at_hold_end"]) == (0, "passed", 2000)
    assert "shard 0 (pid" in replacement["ended"]
    assert "was killed by SIGKILL" in replacement["ended"]
    assert any(replacement["ended"] in reason for reason in summary["reasons"])
    assert summary["workers"][0]["dropped"] == {"process_died": replacement["connections"]}
    assert (set(summary["failed"]) - {"process_died"}, summary["reconciliation"]["unexplained"]) == (set(), 0)


def test_all_whom_a_killed_process_carried_are_replaced(pids: tuple[int, int], tmp_path: Path) -> None:
    """Shards of a few hundred descriptors each are threads of as many processes as there are processors."""
    assert pids
    few, told = ("prlimit", "--nofile=400"), tmp_path / "summary.json"
    with node("worker", "--listen", "127.0.0.1:25311", inside=few) as worker:
        code, summary = run_and_kill([worker.pid], "c1m-shard 0", ("127.0.0.1:25311", FLEET[1]), told, "--hold", "7s")

    assert len(summary["workers"][0]["replacements"]) == 1, summary["reasons"]
    (replacement,) = summary["workers"][0]["replacements"]
    assert (code, summary["established_at_hold_end"]) == (0, 2000)
    assert re.match(r"shard 0 and \d+ more \(pid \d+\) were killed by SIGKILL", replacement["ended"])
    assert summary["dropped"] == {"process_died": replacement["connections"]}
    assert replacement["connections"] > 400


@pytest.mark.parametrize("ports", [("25303-25306",), ("25303", "--single-port")])
def test_a_killed_acceptor_is_replaced_on_its_port_and_clients_come_back_when_asked_to(
    ports: tuple[str, ...], pids: tuple[int, int], tmp_path: Path
) -> None:
    assert pids
    with node("target", "--bind", "127.0.0.1", "--listen", "127.0.0.1:25321", "--ports", *ports) as target:
        told, words = tmp_path / "summary.json", ("--hold", "6s", "--reopen")
        code, summary = run_and_kill([target.pid], "c1m-acceptor 0", (FLEET[0], "127.0.0.1:25321"), told, *words)

    assert len(summary["target"]["replacements"]) == 1, summary["reasons"]
    (replacement,) = summary["target"]["replacements"]
    assert (code, summary["verdict"], summary["established_at_hold_end"]) == (0, "passed", 2000)
    assert "acceptor 0 (pid" in replacement["ended"]
    assert summary["target"]["open_at_hold_end"] == 2000
    assert set(summary["dropped"]) == {"peer_reset"}


def test_what_follows_a_schedule_is_followed_by_whoever_comes_in_its_place(pids: tuple[int, int]) -> None:
    """Killed while the schedule rises; then a person asks for less."""
    wanted = settings(Arrival.POISSON, Schedule((Stage(PEAK, NANOSECONDS),)))

    async def steps(run: Played) -> None:
        await run.worker.start("r")
        await run.until(lambda: run.sample.tally.open > 20)
        os.kill(run.pid_of("c1m-shard 1"), signal.SIGKILL)
        await run.holding(FIRST)
        (replacement,) = run.sample.replacements
        assert replacement.ended_ns is not None
        assert 0 < replacement.ended_ns < replacement.ended_ns + replacement.after_ns < run.sample.elapsed_ns
        assert set(run.sample.reached_ns) == {0}
        await run.worker.retarget("r", run.sample.elapsed_ns, TURNED)
        await run.holding(RingShare(PEAK, 0, FIRST).count(30))

    play(steps, wanted, pids[0])


def test_a_share_whose_processes_end_again_and_again_is_given_up(pids: tuple[int, int]) -> None:
    async def steps(run: Played) -> None:
        await run.worker.start("r")
        await run.holding(FIRST)
        for ended in range(1, MOST_REPLACED + 1):
            os.kill(run.pid_of("c1m-shard 1"), signal.SIGKILL)
            await run.until(lambda: len(run.sample.replacements) == ended)  # noqa: B023
            await run.holding(FIRST)
        os.kill(run.pid_of("c1m-shard 1"), signal.SIGKILL)
        await run.holding(FIRST // 2)
        await run.until(lambda: "its share is given up" in str(run.sample.exit_reasons[-1]))
        assert (len(run.sample.replacements), run.sample.processes) == (MOST_REPLACED, 1)
        assert run.sample.tally.dropped == {PROCESS_DIED: (MOST_REPLACED + 1) * FIRST // 2}

    play(steps, settings(), pids[0])


def test_a_process_that_was_stopped_holds_up_no_end(pids: tuple[int, int]) -> None:
    """Neither a shard that closes nothing, nor a zygote that does not say who has ended."""

    async def steps(run: Played) -> None:
        await run.worker.start("r")
        await run.holding(FIRST)
        os.kill(run.pid_of("c1m-shard 1"), signal.SIGSTOP)
        os.kill(zygote_of(run.worker_pid), signal.SIGSTOP)
        await run.worker.stop("r", Close.RESET, 0.0)
        await run.until(lambda: run.sample.phase is Phase.CLOSED)
        os.kill(zygote_of(run.worker_pid), signal.SIGCONT)
        assert [str(exit_reason).partition(") ")[2] for exit_reason in run.sample.exit_reasons] == [
            f"was idle for {STUCK_SECONDS:.0f} s instead of closing, and was killed"
        ]

    play(steps, settings(), pids[0])


def zygote_of(pid: int) -> int:
    """The one child of a control process; shards are the zygote's."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
