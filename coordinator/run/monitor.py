"""Checks that are made with each sample while connections are open: causes of failures, and requirements."""

from __future__ import annotations

import asyncio

from c1m.coordinator.diagnosis.live_diagnosis import LiveDiagnosis
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.results.summary import snapshot
from c1m.traffic.storm import TARGET

from .state import RunState
from .watch import Watch

JUDGE_SHARE = 0.05  # of the coordinator's time, for requirements with ``always``; with a thousand nodes a check takes long


class Monitor:
    """Looks for causes of trouble and checks requirements while one run goes on. The results go into the outcome."""

    def __init__(self, state: RunState, watch: Watch) -> None:
        self.state = state
        self.watch = watch
        self.live_diagnosis: LiveDiagnosis | None = None  # None before the start
        self.judge_next = 0.0  # earliest monotonic time of the next check of requirements

    @property
    def ledger(self) -> Ledger:
        return self.state.ledger

    def begin(self) -> None:
        """Begin to look for causes. The run has started."""
        assert self.state.began is not None
        asked_to_drop = any(storm.by == TARGET for storm in self.state.spec.storm)
        host_of, found = self.state.outcome.host_of, self.state.outcome.diagnosis
        arrival, began = self.state.spec.effective_arrival, self.state.began
        self.live_diagnosis = LiveDiagnosis(self.ledger, host_of, arrival, began, asked_to_drop=asked_to_drop, found=found)

    def report_causes(self) -> None:
        """Show the user why connections fail or are dropped, as soon as the evidence shows it. Returns nothing.

        The causes also go into the outcome.
        """
        if self.live_diagnosis and not self.watch.detector.unheard:
            for sentence in self.live_diagnosis.look(self.state.clock.now()):
                self.state.say(sentence)
            self.state.outcome.diagnose(self.live_diagnosis.diagnosis.found.values())

    def look(self) -> None:
        """Record how far the clients' counts are from the schedule and from the target's; check requirements with ``always``.

        The outcome keeps the largest differences. The samples may be half a second apart. Returns nothing.
        """
        target = None if self.ledger.losses else self.ledger.accepting  # the connections of a lost worker are unknown
        gap = abs(self.ledger.established - target.sample.tally.open) if target else None
        self.state.outcome.note_gaps(self.ledger.off_schedule, gap)
        if self.state.outcome.requirement_monitor.watching and self.state.clock.now() >= self.judge_next:
            self.judge(self.state.clock.now())

    def judge(self, now: float) -> None:
        """Check the requirements with ``always`` as if the hold ended at the monotonic time ``now``. Returns nothing."""
        outcome = self.state.outcome
        outcome.requirement_monitor.look(snapshot(outcome, now - (self.ledger.timeline.began or now)))
        self.judge_next = now + (self.state.clock.now() - now) / JUDGE_SHARE

    def judge_at_end(self) -> None:
        """Judge requirements with ``always`` once more, at the end of the hold."""
        if self.state.outcome.requirement_monitor.watching:
            self.judge(self.state.clock.now())

    async def conclude(self) -> None:
        """Draw the last conclusions before closing begins. Samples are taken in meanwhile: a node takes 0.1 ms."""
        if self.live_diagnosis is None:
            return
        now, scene = self.state.clock.now(), []
        for evidence in self.live_diagnosis.evidences(None, now):
            scene.append(evidence)
            await asyncio.sleep(0)
        outcome = self.state.outcome
        outcome.diagnose(self.live_diagnosis.conclude(now, scene, unaccepted=outcome.unaccepted))
