"""Checks that are made with each sample while connections are open: causes of failures, and requirements."""

from __future__ import annotations

import asyncio

from c1m.coordinator.diagnosis.live_diagnosis import LiveDiagnosis
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.results.summary import snapshot
from c1m.traffic.storm import TARGET

from .watch import Watch

JUDGE_SHARE = 0.05  # of the coordinator's time, for requirements with ``always``; with a thousand nodes a check takes long


class Monitor:
    """The monitor of one run. It writes its findings to the outcome."""

    def __init__(self, outcome: Outcome, watch: Watch) -> None:
        self.outcome = outcome
        self.watch = watch
        self.live_diagnosis: LiveDiagnosis | None = None  # None before the start
        self.judge_next = 0.0  # earliest monotonic time of the next check of requirements

    @property
    def ledger(self) -> Ledger:
        return self.watch.ledger

    def begin(self, began: float) -> None:
        """Begin to look for causes. ``began``: the start of the run, on the monotonic clock."""
        asked_to_drop = any(storm.by == TARGET for storm in self.outcome.spec.storm)
        host_of, found = self.outcome.host_of, self.outcome.diagnosis
        self.live_diagnosis = LiveDiagnosis(
            self.ledger, host_of, self.outcome.spec.effective_arrival, began, asked_to_drop=asked_to_drop, found=found
        )

    def report_causes(self) -> None:
        """Report why connections fail or are dropped, as soon as the evidence shows it."""
        if self.live_diagnosis and not self.watch.detector.unheard:
            for sentence in self.live_diagnosis.look(self.watch.clock.now()):
                self.watch.say(sentence)
            self.outcome.diagnosis = list(self.live_diagnosis.diagnosis.found.values())

    def look(self) -> None:
        """Compare the counts of samples, which may be half a second apart, and check the requirements with ``always``."""
        if (off := self.ledger.off_schedule) is not None:
            self.outcome.off_schedule = max(off, self.outcome.off_schedule or 0)
        if (target := self.ledger.accepting) and not self.ledger.losses:  # the connections of a lost worker are unknown
            gap = abs(self.ledger.established - target.sample.tally.open)
            self.outcome.widest_gap = max(gap, self.outcome.widest_gap or 0)
        if self.outcome.requirement_monitor.watching and self.watch.clock.now() >= self.judge_next:
            self.judge(self.watch.clock.now())

    def judge(self, now: float) -> None:
        """Judge requirements as if the hold ended now, the monotonic time ``now``."""
        self.outcome.requirement_monitor.look(snapshot(self.outcome, now - (self.ledger.timeline.began or now)))
        self.judge_next = now + (self.watch.clock.now() - now) / JUDGE_SHARE

    async def conclude(self) -> None:
        """Draw the last conclusions before closing begins. Samples are taken in meanwhile: a node takes 0.1 ms."""
        if self.live_diagnosis is None:
            return
        now, scene = self.watch.clock.now(), []
        for evidence in self.live_diagnosis.evidences(None, now):
            scene.append(evidence)
            await asyncio.sleep(0)
        self.outcome.diagnosis = self.live_diagnosis.conclude(now, scene, unaccepted=self.outcome.unaccepted)
