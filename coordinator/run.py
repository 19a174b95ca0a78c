"""A run over nodes that are there, step by step: describe, plan, prepare, start, ramp, hold, compare, close.

Whatever happens in between (^C, a lost node, one that gives up), what was opened is closed.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from c1m.errors import C1mError, RefusedError, UsageError
from c1m.node import Phase, Sample
from c1m.ports import PortRanges
from c1m.routes import Address

from .comparison import Comparison, compare
from .facts import endpoint_facts, target_facts, worker_facts
from .findings import find
from .fleet import ShardSettings, Target, TargetDescription, Worker, resolve
from .ledger import Entry, Ledger
from .outcome import Outcome, Probed
from .plan import Plan, make_plan
from .spec import RunSpec

SETTLE_SECONDS = 3.0  # without news, until what a node counts is taken for its last word
CLOSE_SECONDS = 180.0  # for a fleet to close what it opened: ten times what two million on one host took
SHOW_SECONDS = 0.25
PROBE_SAMPLE = 2000  # connections of the fleet: few enough for a queue of packets, enough to find 1 ghost in 500
WILDCARDS = frozenset({"0.0.0.0", "::"})


class View(Protocol):
    """Where a person looks while the run goes on."""

    def say(self, sentence: str) -> None:
        """Something happened."""

    def show(self, ledger: Ledger, doing: str, progress: float) -> None:
        """The state now, called often. ``progress`` of what is being done is 0 to 1."""


class Run:
    """One run. ``go`` is the only way in."""

    def __init__(self, spec: RunSpec, workers: Sequence[Worker], target: Target | None, view: View) -> None:
        self.spec = spec
        self.workers = {worker.name: worker for worker in workers}
        self.target = target
        self.view = view
        self.run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        self.outcome = Outcome(self.run_id, spec, datetime.now(UTC))
        self.ledger = Ledger((), None)
        self.news = asyncio.Event()
        self.streams: dict[str, asyncio.Task[None]] = {}
        self.engaged: list[str] = []  # nodes that were asked to prepare
        self.started = False
        self.data_host = ""

    async def go(self, interrupted: asyncio.Event) -> Outcome:
        """Raises C1mError for what went wrong before anything was opened."""
        outcome = self.outcome
        try:
            outcome.interrupted = await until(interrupted, self.steps())
        except C1mError as error:
            if not self.started:
                raise
            outcome.troubles.append(str(error))
        finally:
            if outcome.interrupted:
                self.view.say("interrupted: closing what was opened")
            await self.close()
            for stream in self.streams.values():
                stream.cancel()
            await asyncio.gather(*self.streams.values(), return_exceptions=True)
        outcome.ended_at = datetime.now(UTC)
        return outcome

    async def steps(self) -> None:
        target = await self.describe()
        plan = self.plan(target)
        await self.prepare(plan)
        await self.start()
        await self.ramp()
        if self.spec.hold:
            self.outcome.ramp_end = await self.compare()
        await self.hold()
        self.outcome.hold_end = await self.compare()
        if self.spec.probe_ghosts:
            self.outcome.probed = await self.probe()

    # -- before anything is opened

    async def describe(self) -> TargetDescription | None:
        """Ask every node what it is and can do. Raises C1mError when one cannot be asked, or is busy."""
        target = await self.target.describe() if self.target else None
        if self.target and target:
            check_role(self.target.name, self.spec, target)
        self.data_host = await self.where(target)
        described = await asyncio.gather(*(worker.describe([self.data_host]) for worker in self.workers.values()))
        self.outcome.workers = dict(zip(self.workers, described, strict=True))
        self.outcome.target = target
        busy = {name: description.busy_with for name, description in self.outcome.workers.items()}
        if self.target and target:
            busy[self.target.name] = target.busy_with
        for name, run in busy.items():
            if run:
                raise RefusedError(f"{name} is busy with {run}")
        return target

    async def where(self, target: TargetDescription | None) -> str:
        """The address that workers connect to."""
        if self.spec.endpoint:
            return await resolve(self.spec.endpoint.host)
        if self.spec.data_host:
            return await resolve(self.spec.data_host)
        assert self.target is not None
        assert target is not None
        if target.bind not in WILDCARDS:
            return target.bind
        host = await resolve(self.target.address.host)
        if (":" in host) != (":" in target.bind):
            raise UsageError(
                f"{self.target.name} listens on {target.bind}, and its control address {host} is of the other family; "
                f"say with --data-host where workers are to connect"
            )
        return host

    def plan(self, target: TargetDescription | None) -> Plan:
        """Raises RefusedError when the total cannot fit."""
        if self.spec.endpoint:
            listening, goal = PortRanges(()), endpoint_facts(self.spec.endpoint)
        else:
            assert self.target is not None
            assert target is not None
            listening, goal = target.ports, target_facts(self.target.name, target)
        facts = [worker_facts(name, described, listening) for name, described in self.outcome.workers.items()]
        plan = make_plan(self.spec.total, facts, goal)
        self.outcome.plan = plan
        entry = Entry(self.target.name, self.spec.total) if self.target else None
        self.ledger = Ledger((Entry(worker.name, worker.planned) for worker in plan.workers), entry)
        self.outcome.ledger = self.ledger
        return plan

    async def prepare(self, plan: Plan) -> None:
        """First the target, whose ports are known once it listens, then all workers at once; a barrier for all.

        Raises C1mError when a node cannot.
        """
        destinations = await self.prepare_target(plan)
        rate = self.spec.effective_rate / self.spec.total
        settings = ShardSettings(rate, self.spec.in_flight, self.spec.connect_timeout, self.spec.lease)
        self.engaged += [worker.name for worker in plan.workers]
        await asyncio.gather(
            *(
                self.workers[worker.name].prepare(self.run_id, worker, destinations, settings, index / len(plan.workers))
                for index, worker in enumerate(plan.workers)
            )
        )
        for entry in self.ledger.workers:
            self.watch(entry)

    async def prepare_target(self, plan: Plan) -> list[Address]:
        """The address of each destination of the plan."""
        listening: Sequence[int] = ()
        if self.target and self.ledger.target:
            self.engaged.append(self.target.name)
            listening = await self.target.prepare(self.run_id, plan.acceptors, self.spec.close, self.spec.lease)
            self.watch(self.ledger.target)
        if endpoint := self.spec.endpoint:
            listening = [endpoint.ports.at(index) for index in range(endpoint.ports.size)]
        return [(self.data_host, port) for port in dict.fromkeys(listening)]

    # -- the nodes' samples

    def watch(self, entry: Entry) -> None:
        """Take in a node's samples, for as long as they come."""
        if entry.name not in self.streams:
            self.streams[entry.name] = asyncio.create_task(self.follow(entry))

    async def follow(self, entry: Entry) -> None:
        try:
            async for sample in self.stream(entry):
                self.ledger.take(entry, sample)
                self.news.set()
        except C1mError as error:
            self.lose(entry, str(error))
        else:
            if entry.sample.phase is not Phase.CLOSED:
                self.lose(entry, f"{entry.name} ended its samples before the run was over")

    def lose(self, entry: Entry, reason: str) -> None:
        entry.lost = reason
        self.view.say(f"lost: {reason}")
        self.news.set()

    def stream(self, entry: Entry) -> AsyncIterator[Sample]:
        if self.target and entry is self.ledger.target:
            return self.target.watch(self.run_id)
        return self.workers[entry.name].watch(self.run_id)

    async def wait(
        self,
        doing: str,
        done: Callable[[], bool],
        progress: Callable[[], float],
        seconds: float | None = None,
    ) -> bool:
        """Until ``done``, looking at every sample; False when the time was over first."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not done():
            self.view.show(self.ledger, doing, progress())
            left = SHOW_SECONDS if deadline is None else min(SHOW_SECONDS, deadline - time.monotonic())
            if left <= 0:
                return False
            await event_within(self.news, left)
        self.view.show(self.ledger, doing, progress())
        return True

    # -- while connections are open

    async def start(self) -> None:
        """All workers at once; each then starts its shards at one instant of its own clock."""
        self.started = True
        await asyncio.gather(*(self.workers[entry.name].start(self.run_id) for entry in self.ledger.workers))

    async def ramp(self) -> None:
        def share() -> float:
            tally = self.ledger.tally
            return (tally.opened + sum(tally.failed.values())) / max(self.ledger.planned, 1)

        await self.wait("opening", lambda: self.ledger.all_at(Phase.HOLDING, self.ledger.workers), share)

    async def hold(self) -> None:
        """Nothing but looking; a drop is told as soon as a worker tells it. Not where a node had to give up."""
        if any(entry.sample.halted for entry in self.ledger.entries):
            return
        began = time.monotonic()
        seconds = self.spec.hold

        def nobody_left() -> bool:
            self.look()
            return all(entry.lost for entry in self.ledger.workers)

        await self.wait(
            "holding",
            nobody_left,
            lambda: min((time.monotonic() - began) / seconds, 1.0) if seconds else 1.0,
            seconds,
        )

    def look(self) -> None:
        """The cheap comparison, of what samples say; they may be half a second apart."""
        if target := self.accepting:
            gap = abs(self.ledger.established - target.sample.tally.open)
            self.outcome.widest_gap = max(gap, self.outcome.widest_gap or 0)

    async def compare(self) -> Comparison:
        if accepting := self.accepting:
            await self.settle("comparing", lambda: accepting.sample.tally.open, lambda: self.ledger.established)
        nodes: dict[str, Worker | Target] = {**self.workers, **({self.target.name: self.target} if self.target else {})}
        return await compare(self.run_id, self.ledger, nodes, self.accepting)

    async def probe(self) -> Probed:
        names = [entry.name for entry in self.ledger.workers if not entry.lost]
        most = -(-PROBE_SAMPLE // max(len(names), 1))
        answers = await asyncio.gather(*(self.workers[name].probe(self.run_id, most) for name in names))
        return Probed(sum(probed for probed, _ in answers), sum(ghosts for _, ghosts in answers))

    @property
    def accepting(self) -> Entry | None:
        """The target, if it is one that counts what it accepts, and is not lost."""
        target = self.ledger.target
        return target if target and not target.lost and not self.spec.endpoint else None

    async def settle(self, doing: str, count: Callable[[], int], goal: Callable[[], int]) -> None:
        """Until a count has reached its goal, or stopped moving."""
        while count() != goal():
            seen = count()
            moved = await self.wait(doing, lambda: count() != seen, lambda: 0.0, SETTLE_SECONDS)  # noqa: B023
            if not moved:
                return

    # -- the end

    async def close(self) -> None:
        """First the clients, so that no close is in the way of another; then the target closes what is left."""
        self.find()
        began = time.monotonic()
        workers = [entry for entry in self.ledger.workers if entry.name in self.engaged and not entry.lost]
        rate = self.spec.close_rate / max(len(workers), 1)
        await self.end(workers, lambda entry: self.workers[entry.name].stop(self.run_id, self.spec.close, rate))
        target = self.ledger.target
        if self.target and target and target.name in self.engaged and not target.lost:
            if self.started and self.accepting:
                await self.settle("closing", lambda: target.sample.tally.open, lambda: 0)
                self.outcome.left_open = target.sample.tally.open
            await self.end([target], lambda _: self.stop_target())
        if self.started:
            self.outcome.teardown_seconds = time.monotonic() - began

    def find(self) -> None:
        """What the hosts have told up to here. From here on their sockets go, and prove nothing more."""
        for entry in self.ledger.entries:
            host = self.outcome.host_of(entry.name)
            connections = self.ledger.established if entry is self.ledger.target else entry.sample.tally.open
            if host:
                self.outcome.findings[entry.name] = find(entry, connections, host)

    async def stop_target(self) -> None:
        assert self.target is not None
        await self.target.stop(self.run_id)

    async def end(self, entries: Sequence[Entry], stop: Callable[[Entry], Coroutine[Any, Any, None]]) -> None:
        """Tell nodes to close, and wait until they have. What they do not do, their lease does."""
        answers = await asyncio.gather(*(stop(entry) for entry in entries), return_exceptions=True)
        for entry, answer in zip(entries, answers, strict=True):
            if isinstance(answer, C1mError):
                self.outcome.troubles.append(f"could not be told to close: {answer}")
                self.lose(entry, str(answer))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                self.watch(entry)
        opened = max(sum(entry.sample.tally.open for entry in entries), 1)

        def share() -> float:
            return 1 - sum(entry.sample.tally.open for entry in entries) / opened

        if not await self.wait("closing", lambda: self.ledger.all_at(Phase.CLOSED, entries), share, CLOSE_SECONDS):
            slow = ", ".join(late(entries))
            self.outcome.troubles.append(f"{slow} did not close within {CLOSE_SECONDS:.0f} s; the lease ends it")


def check_role(name: str, spec: RunSpec, target: TargetDescription) -> None:
    """Raises UsageError for a target that serves beside an endpoint, or one that only observes without."""
    if spec.endpoint and not target.observes:
        raise UsageError(
            f"{name} serves connections of its own, and the run goes to {spec.endpoint}; leave --target out, or start "
            f"c1m-target observe --port {spec.endpoint.ports} there"
        )
    if target.observes and not spec.endpoint:
        raise UsageError(
            f"{name} only observes a server on port {target.ports}; say where that is with --endpoint HOST:{target.ports}"
        )


def late(entries: Iterable[Entry]) -> list[str]:
    return [entry.name for entry in entries if not entry.lost and entry.sample.phase is not Phase.CLOSED]


async def event_within(event: asyncio.Event, seconds: float) -> None:
    """Until the event, which is then unset again, or the time is over."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
    event.clear()


async def until(interrupted: asyncio.Event, steps: Coroutine[Any, Any, None]) -> bool:
    """Run the steps to their end, or cancel them when interrupted; whether they were. Raises what they raise."""
    work = asyncio.create_task(steps)
    watch = asyncio.create_task(interrupted.wait())
    await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
    watch.cancel()
    if work.done():
        work.result()
        return False
    work.cancel()
    await asyncio.wait({work})
    return True
