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
from .state import RunState, View
from .steps import Event, Step
from .takeover import ResumedRun
from .target_storms import TargetStorms, missed
from .watch import SETTLE_SECONDS, Watch, failed_calls, reason_of_error


class Run:
    """One run, from its first step to its last. The method ``go`` is the only entry."""

    def __init__(
        self,
        outcome: Outcome,
        nodes: Nodes,
        view: View,
        journal: Journal | None = None,
        taken: ResumedRun | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Make a run from its outcome so far, the clients of its nodes, the display and the journal; None: no journal.

        ``taken``: a run that another coordinator began; None: the run begins here.
        """
        self.clock = clock
        self.taken = taken
        self.recorder = Recorder(outcome, journal, taken.record if taken else None, clock)
        self.state = RunState(outcome, nodes, self.recorder, view, Step.RESUMING if taken else Step.SURVEYING)
        self.watch = Watch(self.state)
        self.losses = LostNodes(self.state, self.watch)
        self.comparer = Comparer(self.state, self.watch, self.losses)
        self.monitor = Monitor(self.state, self.watch)
        self.storms = TargetStorms(self.state)
        self.made_at, self.made = clock.wall(), clock.now()  # the same moment on both clocks
        self.since = 0.0  # when the present hold began, in seconds after the start

    async def go(self, interrupted: asyncio.Event) -> Outcome:
        """Do the whole run, and close all nodes. Return the outcome of the run, which includes a refusal.

        Raises C1mError for any other error that comes before anything was opened.
        """
        state, outcome = self.state, self.state.outcome
        ending = Event.FAILED
        try:
            ending = await self.steps_until(interrupted)
            self.losses.check()
        except RefusedError as error:
            if state.started:
                outcome.trouble(str(error))
            else:
                outcome.refuse(error.reasons)
        except C1mError as error:
            if not state.started:
                raise
            outcome.trouble(str(error))
        finally:
            if interrupted.is_set():
                state.say("interrupted: closing what was opened")
            await self.close(ending)
            await self.losses.end()
            await self.watch.end()
        if interrupted.is_set():  # an interrupt may have come while closing
            outcome.interrupt()
        # By the monotonic clock: the wall clock may have been set meanwhile, and the run would end before it started.
        outcome.end(self.made_at + timedelta(seconds=self.clock.now() - self.made))
        self.recorder.notice(self.clock.now(), at_once=True)
        return outcome

    async def steps_until(self, interrupted: asyncio.Event) -> Event:
        """Do the steps to their end, or until the run is interrupted or a loss ends it. Return which of these it was."""
        await until(self.steps(), interrupted, self.losses.over)
        if interrupted.is_set():
            self.state.outcome.interrupt()
            return Event.INTERRUPTED
        return Event.NODE_LOST if self.losses.over.is_set() else Event.COMPARED

    async def steps(self) -> None:
        """Do all steps of the run before closing: prepare or resume, open, hold, and compare for the last time.

        Returns nothing.
        """
        if self.taken:
            await self.resume(self.taken)
        else:
            await Preparation(self.state, self.watch).prepare()
            await self.start()
        if self.state.closing:
            return
        while (step := self.state.step) is not Step.MOVING:
            await (self.follow() if step is Step.FOLLOWING else self.hold())
        await self.finish_moves()
        await self.stop_turnover()
        self.state.outcome.held(await self.comparer.compare())
        if self.spec.probe_ghosts:
            self.state.outcome.probe(await self.comparer.probe())

    @property
    def spec(self) -> RunSpec:
        return self.state.spec

    @property
    def ledger(self) -> Ledger:
        return self.state.ledger

    # -- while connections are open

    async def start(self) -> None:
        """Ask all workers at once to start. Returns nothing.

        Each worker starts its shards at one instant of its own clock.
        """
        self.state.start()
        self.monitor.begin()
        entries = self.ledger.workers
        starting = (self.state.nodes.workers[entry.name].start(self.state.run_id) for entry in entries)
        self.lose_failed(entries, await asyncio.gather(*starting, return_exceptions=True))
        self.losses.mover.ready.set()
        self.storms.begin()

    async def resume(self, taken: ResumedRun) -> None:
        """Resume a run that another coordinator began. Returns nothing.

        The outcome has all that the journal of the run has, and the nodes are being watched again.
        """
        if taken.began is None:
            self.state.outcome.trouble(taken.trouble)
            self.state.say(taken.trouble)
            self.state.advance(Event.WAS_CLOSING)
            return
        self.since = taken.standing.since
        self.state.resume(taken.standing.was, taken.began)
        schedule = self.ledger.schedule
        self.losses.take_up()
        for entry in self.ledger.entries:
            await taken.follow(entry, self.watch)
        self.losses.mover.ready.set()
        if self.state.step is Step.HOLDING and self.ledger.schedule is not schedule:
            self.state.advance(Event.RETARGETED)  # while no coordinator watched it
        takeover = self.state.outcome.takeovers[-1]
        self.state.say(takeover.sentence)
        if self.state.closing:
            return
        self.monitor.begin()
        self.state.outcome.trouble(*missed(self.spec.storm, takeover))
        self.storms.begin(takeover.silent_to)

    async def follow(self) -> None:
        """Follow the schedule to its end, and compare there if the run holds connections that stay the same."""
        await self.follow_schedule()
        if self.spec.hold and not self.spec.turnover:
            self.state.outcome.opened(await self.comparer.compare())
        self.since = self.state.elapsed
        self.state.advance(Event.SCHEDULE_ENDED)

    async def follow_schedule(self) -> None:
        """Wait until the workers have followed the schedule, or the one that replaces it, to its end. Returns nothing.

        Compares the counts of all nodes wherever the schedule stands still for long enough.
        """
        schedule: Schedule | None = None
        while schedule is not self.ledger.schedule:
            schedule = self.ledger.schedule
            if len(self.ledger.revisions) > 1:
                self.state.say(retarget_sentence(self.ledger.revisions[-1]))
            for rest in rests(schedule):
                if rest.latest > self.state.elapsed and await self.follow_until(rest.latest, schedule):
                    await self.rest(rest)
            await self.follow_until(math.inf, schedule)

    async def follow_until(self, moment: float, schedule: Schedule) -> bool:
        """Wait for a moment of the schedule, in seconds since the start.

        Returns True if the moment came; False if the schedule was completed or replaced before that.
        """

        def share() -> float:
            if self.ledger.has_stages:
                return min(self.state.elapsed / max(schedule.end_ns / NANOSECONDS, 1e-9), 1.0)
            tally = self.ledger.tally
            came = tally.open + tally.away + tally.waiting if self.spec.turnover else tally.opened
            return min((came + sum(tally.failed.values())) / max(self.ledger.planned, 1), 1.0)

        def over() -> bool:
            self.monitor.report_causes()
            there = self.ledger.all_at(Phase.HOLDING, self.ledger.workers) and not self.losses.moving
            return there or self.ledger.schedule is not schedule

        seconds = None if math.isinf(moment) else moment - self.state.elapsed
        return not await self.watch.wait(self.state.doing, over, share, seconds)

    async def rest(self, rest: Rest) -> None:
        """Compare the counts of all nodes while the schedule stands still, and record the comparison. Returns nothing.

        A comparison that is not finished by the end of that time is discarded, since counts have moved. With turnover, counts
        move all the time, so nothing is compared.
        """
        if self.spec.turnover:
            self.state.outcome.note_costs()
            return
        schedule, comparison = self.ledger.schedule, await self.comparer.compare()
        if self.state.elapsed < rest.end and self.ledger.schedule is schedule:
            self.state.outcome.rested(rest, comparison)
            self.state.outcome.note_costs()

    async def hold(self) -> None:
        """Hold the connections, until the time is over or another schedule cuts the hold short.

        Drops are shown as soon as a worker reports them. There is no hold if a node had to give up.
        """
        if not any(entry.sample.halted for entry in self.ledger.entries):
            schedule = self.ledger.schedule
            await self.hold_on(schedule)
            if self.ledger.schedule is not schedule:
                self.state.advance(Event.RETARGETED)
                return
        self.state.advance(Event.HOLD_OVER)

    async def hold_on(self, schedule: Schedule) -> None:
        """Wait for the end of the hold, or for another schedule than this one."""
        seconds, state = self.spec.hold, self.state

        def cut_short() -> bool:
            if seconds:
                self.monitor.look()
            self.monitor.report_causes()
            return all(entry.lost for entry in self.ledger.workers) or self.ledger.schedule is not schedule

        def share() -> float:
            return min((state.elapsed - self.since) / seconds, 1.0) if seconds else 1.0

        await self.watch.wait(state.doing, cut_short, share, self.since + seconds - state.elapsed)
        self.monitor.judge_at_end()

    async def finish_moves(self) -> None:
        """Wait until other workers have opened all connections that they have taken over from lost ones. Returns nothing.

        No share is moved later.
        """
        await self.watch.heard_again()

        def done() -> bool:
            return not self.losses.moving and self.ledger.all_at(Phase.HOLDING, self.ledger.workers)

        if self.ledger.losses:
            await self.watch.wait(self.state.doing, done, lambda: 1.0)
        self.state.advance(Event.MOVED)

    async def stop_turnover(self) -> None:
        """Stop replacing connections, and wait for those in flight: only counts that stand still can be compared.

        Does nothing without turnover. Returns nothing.
        """
        if self.spec.turnover:
            await self.storms.end()
            entries = [entry for entry in self.ledger.workers if not entry.lost]
            stopping = (self.state.nodes.workers[entry.name].stop_turnover(self.state.run_id) for entry in entries)
            self.lose_failed(entries, await asyncio.gather(*stopping, return_exceptions=True))

            def stopped() -> bool:
                return all(entry.lost or entry.sample.turnover_stopped for entry in entries)

            await self.watch.wait(self.state.doing, stopped, lambda: None, self.spec.connect_timeout + SETTLE_SECONDS)
        self.state.advance(Event.CALMED)

    def lose_failed(self, entries: Sequence[NodeRecord], answers: Sequence[BaseException | None]) -> None:
        """Declare lost those of the given nodes whose calls failed, by the answers to the calls. Returns nothing."""
        for entry, error in failed_calls(entries, answers):
            self.watch.lose(entry, reason_of_error(error, self.watch.pause_since(entry)))

    async def close(self, ending: Event) -> None:
        """Close all nodes of the run. Returns nothing.

        The diagnosis is finished first, because closing sockets change what hosts report.
        """
        await self.watch.heard_again()  # so that a node that has closed by itself counts as lost
        began = None
        if not self.state.closing:
            self.state.advance(ending)
        elif self.state.began is not None:  # another coordinator had begun to close
            began = self.state.began + self.since
        await self.storms.end()
        self.state.outcome.conclude_findings()
        await self.monitor.conclude()
        await Closing(self.state, self.watch).close(began)
        self.state.advance(Event.CLOSED)


def new_outcome(run_id: str, spec: RunSpec, clock: Clock = SYSTEM_CLOCK) -> Outcome:
    """Return the empty outcome of a run that begins now."""
    return Outcome(run_id, spec, clock.wall(), seed=secrets.randbits(32) if spec.seed is None else spec.seed)


async def until(steps: Coroutine[Any, Any, None], *events: asyncio.Event) -> bool:
    """Run the coroutine ``steps`` to its end, or cancel it when one of the events is set. Return True if it was cancelled.

    Raises what the coroutine raises.
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
