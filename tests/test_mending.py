"""What becomes of the rest of a run when a part of it is gone: more shards join it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import node

from c1m.coordinator.fleet import ShardSettings, Target, Worker
from c1m.coordinator.plan import PlannedRoute, ShardPlan, WorkerPlan
from c1m.dealing import Share
from c1m.endpoints import HostPort
from c1m.errors import C1mError
from c1m.node import Sample
from c1m.phase import Close, CloseOrder, Phase
from c1m.routes import Address, TupleSpace
from c1m.schedule import NANOSECONDS, Arrival, Schedule, Stage
from c1m.worker.course import Course, steady

# Ports of this file's own, so that nothing else's sockets are counted.
WORKER, TARGET = ("127.0.0.1", 25_310), ("127.0.0.1", 25_320)
DATA = ("--bind", "127.0.0.1", "--ports", "25300-25303", "--listen", "127.0.0.1:25320")
PEAK, FIRST = 300, 200  # connections of the run, and of the shards that it begins with
UP = Schedule((Stage(PEAK, 0, named=True),))
TURNED = (Stage(30, 0, named=True),)


@contextmanager
def fleet(*worker: str) -> Iterator[None]:
    with node("worker", "--listen", "127.0.0.1:25310", *worker), node("target", *DATA):
        yield


def settings(arrival: Arrival = Arrival.RUSH, schedule: Schedule = UP, **others: Any) -> ShardSettings:
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

    def __init__(self, wanted: ShardSettings) -> None:
        self.wanted = wanted
        self.worker, self.target = Worker(HostPort(*WORKER)), Target(HostPort(*TARGET))
        self.sample = Sample(Phase.PREPARED)
        self.accepted = Sample(Phase.PREPARED)
        self.from_due: Mapping[int, int] = {}  # microseconds -> connections
        self.news = asyncio.Event()
        self.destinations: list[Address] = []

    async def prepare(self) -> None:
        described = await self.worker.describe(["127.0.0.1"])
        ports = await self.target.prepare("r", 2, self.wanted, 0.0, [described.sources])
        self.destinations = [("127.0.0.1", port) for port in ports]
        shards = (shard(0, 0, FIRST // 2), shard(0, FIRST // 2, FIRST // 2))
        plan = WorkerPlan("w", TupleSpace(described.sources, described.ports), shards)
        await self.worker.prepare("r", plan, self.destinations, self.wanted, 0)

    async def reinforce(self, plan: ShardPlan, first_point: int = FIRST) -> None:
        await self.worker.reinforce("r", [(first_point, plan)], self.destinations)

    async def watch(self) -> None:
        async for self.sample, _ in self.worker.watch("r"):
            self.from_due = self.sample.histograms.get("connect_latency_from_due_us", self.from_due)
            self.news.set()

    async def watch_target(self) -> None:
        async for self.accepted, _ in self.target.watch("r"):
            self.news.set()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not done():
                self.news.clear()
                await self.news.wait()

    async def holding(self, count: int) -> None:
        await self.until(lambda: self.sample.phase is Phase.HOLDING and self.sample.tally.open == count)


def shard(destination: int, first: int, count: int) -> ShardPlan:
    """``first``: of the tuples, of which it gets as many as it has connections, and some besides."""
    return ShardPlan((PlannedRoute(destination, 2 * first, 2 * count, count),))


LAST = shard(1, FIRST, PEAK - FIRST)  # the part of the ring that the worker does not begin with


@asynccontextmanager
async def played(wanted: ShardSettings) -> AsyncIterator[Played]:
    run = Played(wanted)
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


def play(steps: Callable[[Played], Coroutine[Any, Any, None]], wanted: ShardSettings, *worker: str) -> None:
    async def go() -> None:
        async with played(wanted) as run:
            await steps(run)

    with fleet(*worker):
        asyncio.run(go())


# -- joining a run


@pytest.mark.parametrize("arrival", [Arrival.RUSH, Arrival.CONSTANT])
def test_shards_that_join_a_run_do_as_if_they_had_been_there(arrival: Arrival) -> None:
    async def steps(run: Played) -> None:
        await run.worker.start("r")
        await run.holding(FIRST)
        reached = run.sample.reached_ns
        await run.reinforce(LAST)
        await run.holding(PEAK)

        assert (run.sample.scheduled, run.sample.processes, run.sample.reached_ns) == (PEAK, 3, reached)
        assert (await run.worker.inspect("r")).established == PEAK
        await run.until(lambda: sum(run.from_due.values()) == PEAK)

        await run.worker.retarget("r", int(run.sample.elapsed_ns), TURNED)
        await run.holding(30)
        assert run.sample.scheduled == 30

    play(steps, settings(arrival))


def test_who_joins_follows_what_the_schedule_has_become_and_is_measured_from_then() -> None:
    """Up at once, down after half a second, and a person says otherwise: what came and went before is nobody's."""
    wanted = settings(Arrival.CONSTANT, Schedule((Stage(PEAK, 0), Stage(PEAK, NANOSECONDS // 2), Stage(60, NANOSECONDS // 10))))

    async def steps(run: Played) -> None:
        await run.worker.start("r")
        low, high = (Share(PEAK, 0, FIRST).count(number) for number in (60, 150))
        await run.holding(low)
        await run.worker.retarget("r", run.sample.elapsed_ns, (Stage(150, NANOSECONDS // 10),))
        await run.holding(high)
        waited_from = run.sample.elapsed_ns
        await run.reinforce(LAST)
        await run.holding(150)

        assert run.sample.scheduled == 150
        opened = FIRST + high - low + 150 - high
        assert run.sample.tally.opened == opened, "what joined opened its part of 150, and nothing that was closed again"
        await run.until(lambda: sum(run.from_due.values()) == opened)
        late = max(run.from_due) * 1000
        assert late < waited_from, "not from when the schedule first had them, before the worker was told"

    play(steps, wanted)


def test_what_makes_no_sense_or_is_not_allowed_does_not_join() -> None:
    refusals: list[tuple[ShardPlan, int, str]] = [
        (LAST, 150, "have connections in common"),
        (shard(1, FIRST, 150), FIRST, "does not lie on the ring"),
        (ShardPlan((PlannedRoute(1, 2**62, 10, 10),)), FIRST, "does not lie within"),
        (ShardPlan(()), FIRST, "may open 250 connections"),
    ]

    async def steps(run: Played) -> None:
        async def refused(sentence: str, plan: ShardPlan = LAST, first_point: int = FIRST) -> None:
            with pytest.raises(C1mError, match=sentence):
                await run.reinforce(plan, first_point)

        await refused("has not started")
        await run.worker.start("r")
        await run.holding(FIRST)
        for plan, first_point, sentence in refusals[:3]:
            await refused(sentence, plan, first_point)
        await refused("is to open 300 connections, and may open 250")
        with pytest.raises(C1mError, match="knows no run 'another'"):
            await run.worker.reinforce("another", [(FIRST, LAST)], run.destinations)
        await run.worker.quiet("r")
        await refused("comes to its end")
        assert (run.sample.tally.open, run.sample.processes) == (FIRST, 2)

    play(steps, settings(), "--most-connections", "250")


@given(
    st.lists(st.builds(Stage, st.integers(0, 60), st.integers(0, 40)), min_size=1, max_size=6),
    st.integers(0, 260),
    st.data(),
)
def test_whoever_joins_has_what_it_would_have_had(stages: list[Stage], joined: int, data: st.DataObject) -> None:
    schedule = Schedule(tuple(stages))
    peak = max(schedule.peak, 1)
    first = data.draw(st.integers(0, peak - 1))
    share = Share(peak, first, data.draw(st.integers(1, peak - first)))
    course = Course(iter(())).turn(steady(share, schedule, joined), share.count(schedule.at(joined)), joined)

    for moment in range(joined, schedule.end_ns + 2):
        course.advance(moment)
        assert course.scheduled == share.count(schedule.at(moment))
    assert all(due >= joined for due in course.due)
