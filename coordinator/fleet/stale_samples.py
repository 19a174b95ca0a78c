"""Which samples of a node are used: those that came in time, and the newest of those that did not. Pure.

If a coordinator or a link was stopped, some samples wait: they come at once, oldest first, and only the last one shows the
present state. Counters are cumulative, so the others can be skipped. How late a sample is follows from the node's monotonic
clock and ours, which share only their pace: the fastest sample of a stream had the shortest way, and what another one took
beyond that, it waited.
"""

from __future__ import annotations

import math

from c1m.measure.phase import Phase
from c1m.measure.sample import Sample
from c1m.schedule.schedule import NANOSECONDS

LATE_SECONDS = 0.5
# After this time a late sample is used all the same: a node sends one at least once a second, so a newer one was due.
PATIENCE_SECONDS = 1.0
# For this time the fastest sample counts. Two clocks drift apart by at most 0.5 ms a second (as fast as adjtime slews).
MEMORY_SECONDS = 60.0


class StaleSampleFilter:
    """Filters the samples of one node's stream: holds back a late one while a newer one is about to come."""

    def __init__(self) -> None:
        self.since = -math.inf  # when the newest minute began
        self.quickest = self.quickest_before = (
            math.inf
        )  # seconds between the clocks by the fastest sample: newest minute, and the one before
        self.held: Sample | None = None  # a late sample, while a newer one is awaited
        self.held_since = math.inf

    def take(self, sample: Sample, now: float) -> Sample | None:
        """Return the sample to use now that the node's ``sample`` has arrived; None: use none, but wait for the next one.

        The first one is always used, since it has the reading from before the run. So is the last one: no other follows.
        """
        if self.held:
            sample = sample.superseding(self.held)
        late = self.late(sample, now) >= LATE_SECONDS and sample.phase is not Phase.CLOSED
        if late and now - min(self.held_since, now) < PATIENCE_SECONDS:
            self.held, self.held_since = sample, min(self.held_since, now)
            return None
        self.held, self.held_since = None, math.inf
        return sample

    def late(self, sample: Sample, now: float) -> float:
        """Return how late a sample arrived: the seconds that it took longer than the quickest recent one of its node.

        It is 0 if the sample does not say when the node took it.
        """
        if not sample.taken_ns:
            return 0.0
        apart = now - sample.taken_ns / NANOSECONDS
        if now - self.since > MEMORY_SECONDS:
            self.since, self.quickest, self.quickest_before = now, math.inf, self.quickest
        self.quickest = min(self.quickest, apart)
        return apart - min(self.quickest, self.quickest_before)
