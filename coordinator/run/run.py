"""A run over nodes that are started, step by step: describe, plan, prepare, start, ramp, hold, compare, close.

Whatever happens in between (^C, a lost node, a node that gives up), the run closes what it has opened.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any

from c1m.coordinator.fleet.clock import SYSTEM_CLOCK, Clock
from c1m.coordinator.fleet.nodes import Nodes
from c1m.coordinator.journal.journal import Journal
from c1m.coordinator.journal.recorder import Recorder
from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.ledger.schedule_stages import Rest, rests, retarget_sentence
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.spec.spec import RunSpec
from c1m.errors import C1mError, RefusedError
from c1m.measure.phase import Phase
from c1m.schedule.schedule import NANOSECONDS, Schedule

from .closing import Closing
from .comparing import Comparer
from .lost_nodes import LostNodes
from .monitor import Monitor
from .preparation import Preparation
from .steps import Step, StepSince
from .takeover import ResumedRun
from .target_storms import TargetStorms, missed
from .watch import SETTLE_SECONDS, View, Watch, failed_calls, reason_of_error


class Run:
    """One run. ``go`` is the only entry."""

    def __init__(
        self,
        outcome: Outcome,
        nodes: Nodes,
        view: View,
        journal: Journal | None = None,
        taken: ResumedRun | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``taken``: a run that another coordinator began; None: the run begins here."""
        self.spec = outcome.spec
        self.clock = clock
        self.nodes = nodes
        self.outcome = outcome
        self.taken = taken
        self.recorder = Recorder(outcome, journal, taken.record if taken else None, clock)
        self.watch = Watch(view, self.recorder)
        self.losses = LostNodes(self.nodes, self.watch, self.outcome)
        self.comparer = Comparer(self.spec, self.nodes, self.watch, self.losses)
        self.monitor = Monitor(outcome, self.watch)
        self.made_at, self.made = clock.wall(), clock.now()  # the same moment on both clocks
        self.started = False
        self.began = 0.0  # when the workers were asked to start
        self.standing = StepSince(Step.FOLLOW, 0.0)  # where it goes on
        self.storms = TargetStorms(clock)

    async def go(self, interrupted: asyncio.Event) -> Outcome:
        """Do the whole run, and close. Return its outcome; a refusal is in it. Raises C1mError for any other error before
        anything was opened.
        """
        outcome = self.outcome
        try:
            await until(self.steps(), interrupted, self.losses.over)
            outcome.interrupted |= interrupted.is_set()
            self.losses.check()
        except RefusedError as error:
            if self.started:
                outcome.troubles.append(str(error))
            else:
                outcome.refusals = error.reasons
        except C1mError as error:
            if not self.started:
                raise
            outcome.troubles.append(str(error))
        finally:
            if interrupted.is_set():
                self.watch.say("interrupted: closing what was opened")
            await self.close()
            await self.losses.end()
            await self.watch.end()
        outcome.interrupted |= interrupted.is_set()  # an interrupt may have come while closing
        # By the monotonic clock: the wall clock may have been set meanwhile, and the run would end before it started.
        outcome.ended_at = self.made_at + timedelta(seconds=self.clock.now() - self.made)
        self.recorder.notice(self.clock.now(), at_once=True)
        return outcome

    async def steps(self) -> None:
        """Prepare or resume, open, hold, and compare for the last time."""
        if self.taken:
            await self.resume(self.taken)
        else:
            await Preparation(self.nodes, self.outcome, self.watch).prepare()
            await self.start()
        step, since = self.standing
        if step is Step.CLOSE:
            return
        while step is not Step.COMPARE:
            if step is Step.FOLLOW:
                await self.follow_schedule()
                if self.spec.hold and not self.spec.turnover:
                    self.outcome.ramp_end = await self.comparer.compare()
                since = self.elapsed
            step = Step.FOLLOW if await self.hold(since) else Step.COMPARE
        await self.finish_moves()
        await self.stop_turnover()
        self.outcome.hold_end = await self.comparer.compare()
        if self.spec.probe_ghosts:
            self.outcome.probed = await self.comparer.probe()

    @property
    def ledger(self) -> Ledger:
        return self.watch.ledger

    # -- while connections are open

    async def start(self) -> None:
        """Start all workers at once; each starts its shards at one instant of its own clock."""
        self.started = True
        self.began = self.clock.now()
        self.recorder.began(self.began)
        self.ledger.timeline.begin(self.began, self.ledger.moment)
        self.monitor.begin(self.began)
        entries = self.ledger.workers
        starting = (self.nodes.workers[entry.name].start(self.nodes.run_id) for entry in entries)
        self.lose_failed(entries, await asyncio.gather(*starting, return_exceptions=True))
        self.losses.mover.ready.set()
        self.storms.begin(self.spec.storm, self.nodes.target, self.nodes.run_id, self.began)

    async def resume(self, taken: ResumedRun) -> None:
        """Resume a run that another coordinator began. The outcome has all that its journal has, and the nodes are being
        watched again.
        """
        self.watch.ledger, self.watch.limit_usages = self.outcome.ledger or self.watch.ledger, self.outcome.limit_usages
        if taken.began is None:
            self.outcome.troubles.append(taken.trouble)
            self.watch.say(taken.trouble)
            self.standing = StepSince(Step.CLOSE, 0.0)
            return
        self.started, self.began, self.standing = True, taken.began, taken.standing
        self.nodes.engaged = [entry.name for entry in self.ledger.entries]
        revisions = len(self.ledger.revisions)
        self.watch.closing = self.standing.step is Step.CLOSE
        self.losses.take_up()
        for entry in self.ledger.entries:
            await taken.follow(entry, self.watch)
        self.losses.mover.ready.set()
        if len(self.ledger.revisions) > revisions and self.standing.step is Step.HOLD:
            self.standing = StepSince(Step.FOLLOW, 0.0)  # it was retargeted while no coordinator watched it
        takeover = self.outcome.takeovers[-1]
        self.watch.say(takeover.sentence)
        if self.standing.step is Step.CLOSE:
            return
        self.monitor.begin(self.began)
        self.outcome.troubles += missed(self.spec.storm, takeover)
        self.storms.begin(self.spec.storm, self.nodes.target, self.nodes.run_id, self.began, takeover.silent_to)

    @property
    def doing(self) -> Doing:
        """What the run is doing while it follows the schedule."""
        return Doing.FOLLOWING if self.ledger.has_stages else Doing.OPENING

    @property
    def elapsed(self) -> float:
        """Return the seconds since the schedule began, which include the time that the start took to reach the nodes."""
        return self.clock.now() - self.began

    async def follow_schedule(self) -> None:
        """Follow the schedule, or the one that replaces it, to its end. Compare wherever it stands still for long enough."""
        schedule: Schedule | None = None
        while schedule is not self.ledger.schedule:
            schedule = self.ledger.schedule
            if len(self.ledger.revisions) > 1:
                self.watch.say(retarget_sentence(self.ledger.revisions[-1]))
            for rest in rests(schedule):
                if rest.latest > self.elapsed and await self.follow_until(rest.latest, schedule):
                    await self.rest(rest)
            await self.follow_until(math.inf, schedule)

    async def follow_until(self, moment: float, schedule: Schedule) -> bool:
        """Wait for a moment of the schedule, in seconds since its start. Return whether it came before the schedule's end
        and before another schedule.
        """

        def share() -> float:
            if self.ledger.has_stages:
                return min(self.elapsed / max(schedule.end_ns / NANOSECONDS, 1e-9), 1.0)
            tally = self.ledger.tally
            came = tally.open + tally.away + tally.waiting if self.spec.turnover else tally.opened
            return min((came + sum(tally.failed.values())) / max(self.ledger.planned, 1), 1.0)

        def over() -> bool:
            self.monitor.report_causes()
            there = self.ledger.all_at(Phase.HOLDING, self.ledger.workers) and not self.losses.moving
            return there or self.ledger.schedule is not schedule

        seconds = None if math.isinf(moment) else moment - self.elapsed
        return not await self.watch.wait(self.doing, over, share, seconds)

    async def rest(self, rest: Rest) -> None:
        """Compare while the schedule stands still. A comparison that is not finished by the end of that time is discarded,
        since counts have moved.

        With turnover, counts move all the time, so nothing is compared.
        """
        if self.spec.turnover:
            self.outcome.note_costs()
            return
        schedule, comparison = self.ledger.schedule, await self.comparer.compare()
        if self.elapsed < rest.end and self.ledger.schedule is schedule:
            self.outcome.rests.append((rest, comparison))
            self.outcome.note_costs()

    async def hold(self, since: float) -> bool:
        """Hold the connections. Return whether another schedule cut the hold short, which is followed next.

        ``since``: when the hold began, in seconds from the start. Drops are shown as soon as a worker reports them. There is
        no hold if a node had to give up.
        """
        if any(entry.sample.halted for entry in self.ledger.entries):
            return False
        seconds, schedule = self.spec.hold, self.ledger.schedule

        def cut_short() -> bool:
            if seconds:
                self.monitor.look()
            self.monitor.report_causes()
            return all(entry.lost for entry in self.ledger.workers) or self.ledger.schedule is not schedule

        await self.watch.wait(
            Doing.HOLDING,
            cut_short,
            lambda: min((self.elapsed - since) / seconds, 1.0) if seconds else 1.0,
            since + seconds - self.elapsed,
        )
        if self.outcome.requirement_monitor.watching:
            self.monitor.judge(self.clock.now())
        return self.ledger.schedule is not schedule

    async def finish_moves(self) -> None:
        """Wait until all connections are open that other workers have taken over from lost ones. No share is moved later."""
        await self.watch.heard_again()

        def done() -> bool:
            return not self.losses.moving and self.ledger.all_at(Phase.HOLDING, self.ledger.workers)

        if self.ledger.losses:
            await self.watch.wait(Doing.HOLDING, done, lambda: 1.0)
        self.losses.settled = True

    async def stop_turnover(self) -> None:
        """Stop replacing connections, and wait for those in flight: only counts that stand still can be compared."""
        if not self.spec.turnover:
            return
        self.outcome.troubles += await self.storms.end()
        entries = [entry for entry in self.ledger.workers if not entry.lost]
        stopping = (self.nodes.workers[entry.name].stop_turnover(self.nodes.run_id) for entry in entries)
        self.lose_failed(entries, await asyncio.gather(*stopping, return_exceptions=True))
        patience = self.spec.connect_timeout + SETTLE_SECONDS
        await self.watch.wait(
            Doing.CALMING,
            lambda: all(entry.lost or entry.sample.turnover_stopped for entry in entries),
            lambda: None,
            patience,
        )

    def lose_failed(self, entries: Sequence[NodeRecord], answers: Sequence[BaseException | None]) -> None:
        """Declare those nodes lost whose calls failed."""
        for entry, error in failed_calls(entries, answers):
            self.watch.lose(entry, reason_of_error(error, self.watch.pause_since(entry)))

    async def close(self) -> None:
        """Close all nodes. The diagnosis is finished first, because closing sockets change what hosts report."""
        await self.watch.heard_again()  # so that a node that has closed by itself counts as lost
        self.watch.closing = True
        self.outcome.troubles += await self.storms.end()
        self.outcome.findings = self.outcome.findings or self.outcome.found()
        await self.monitor.conclude()
        step, since = self.standing
        began = self.began + since if step is Step.CLOSE else None
        await Closing(self.nodes, self.watch, self.outcome).close(started=self.started, began=began)


def new_outcome(run_id: str, spec: RunSpec, clock: Clock = SYSTEM_CLOCK) -> Outcome:
    """Return the outcome of a run that begins now."""
    return Outcome(run_id, spec, clock.wall(), seed=secrets.randbits(32) if spec.seed is None else spec.seed)


async def until(steps: Coroutine[Any, Any, None], *events: asyncio.Event) -> bool:
    """Run the steps to their end, or cancel them when an event is set. Return whether they were cancelled. Raises what the
    steps raise.
    """
    work = asyncio.create_task(steps)
    watches = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait({work, *watches}, return_when=asyncio.FIRST_COMPLETED)
    for watch in watches:
        watch.cancel()
    if work.done():
        work.result()
        return False
    work.cancel()
    await asyncio.wait({work})
    return True
