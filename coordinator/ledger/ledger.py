"""The ledger: the newest sample of every node, and what follows from them. A fold; it looks at no clock and no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from c1m.measure.latency import coarser, joined
from c1m.measure.phase import Phase
from c1m.measure.sample import Reading, Sample
from c1m.measure.tally import Tally
from c1m.schedule.node_schedule import reached_by_all
from c1m.schedule.schedule import Revision, Schedule, straight
from c1m.traffic.turnover import Wave, joined_waves

from .latency_kinds import ACCEPT, DUE, LABELS
from .node_loss import NodeLoss
from .node_record import NodeRecord, host_states, node_states
from .running_totals import RunningTotals
from .timeline import Timeline, TimelineRow

ADDED_UP = 100  # workers whose histograms are added up for each row of it: 40 ms, and of a thousand 400


class Ledger:
    """Workers, and the target if there is one."""

    def __init__(
        self,
        workers: Iterable[NodeRecord],
        target: NodeRecord | None,
        schedule: Schedule | None = None,
        *,
        accepting: bool = True,
    ) -> None:
        """``schedule``: with which the run begins. ``accepting``: the target, if there is one, counts what it accepts; an
        observer cannot."""
        self.workers = list(workers)
        self.target = target
        self.accepts = accepting
        self.peak = 0
        self.losses: dict[str, NodeLoss] = {}  # by node, in their order
        self.revisions = [Revision(schedule or straight(self.planned, 0.0))]  # of the schedule; all but the first are retargets
        self.timeline = Timeline()
        self.there, self.gone = (
            RunningTotals(),
            RunningTotals(),
        )  # what the newest samples of the workers count, and of those that are lost
        for entry in self.workers:
            self.sums_of(entry).replace(Tally(), entry.sample.tally)

    def sums_of(self, entry: NodeRecord) -> RunningTotals:
        return self.gone if entry.lost else self.there

    @property
    def entries(self) -> list[NodeRecord]:
        return [*self.workers, *([self.target] if self.target else [])]

    @property
    def accepting(self) -> NodeRecord | None:
        """The target, if it is one that counts what it accepts, and is not lost."""
        return self.target if self.target and self.accepts and not self.target.lost else None

    def take(self, entry: NodeRecord, sample: Sample) -> None:
        if entry is not self.target:
            self.sums_of(entry).replace(entry.sample.tally, sample.tally)
        entry.take(sample)
        if sample.revision and sample.revision.version > self.revisions[-1].version:
            self.revisions.append(sample.revision)
        self.peak = max(self.peak, self.established)

    def hear(self, entry: NodeRecord, sample: Sample, now: float) -> None:
        """A sample that came ``now``, on whatever clock the reader keeps to."""
        self.take(entry, sample)
        entry.trail.take(sample, now)
        self.timeline.take(now, self.moment)

    def read(self, entry: NodeRecord, reading: Reading, now: float) -> None:
        """A reading that came by itself, when it was asked for."""
        entry.history.take(reading)
        entry.trail.read(reading, now)

    def lose(self, entry: NodeRecord, reason: str, now: float) -> NodeLoss:
        """From here on it is neither heard nor counted, once and for good. ``reason``: a sentence that names it."""
        if entry.lost:
            return self.losses[entry.name]
        began = self.timeline.began
        share = None if entry is self.target else entry.planned
        loss = NodeLoss(entry.name, reason, None if began is None else now - began, share)
        if entry is not self.target:
            self.there.replace(entry.sample.tally, Tally())
            self.gone.replace(Tally(), entry.sample.tally)
        entry.lost, self.losses[entry.name] = reason, loss
        return loss

    def move(self, node: str, taken_by: Mapping[str, int], not_taken: str) -> None:
        """What of a lost worker's share others have from here on; ``not_taken``: why not all of it."""
        loss = self.losses[node]
        loss.taken_by, loss.not_taken = dict(taken_by), not_taken
        for entry in self.workers:
            if count := taken_by.get(entry.name, 0):
                entry.planned += count
                if taker := self.losses.get(entry.name):  # lost itself before this was known
                    taker.share = (taker.share or 0) + count

    def moment(self) -> TimelineRow:
        """What the newest samples say, for the time line. Nodes that are lost have no more moments."""
        tally, target = self.tally, self.accepting.sample.tally if self.accepting else None
        return TimelineRow(
            established=self.established,
            opened=tally.opened,
            failed=sum(tally.failed.values()),
            dropped=sum(tally.dropped.values()),
            away=tally.away,
            waiting=tally.waiting,
            replaced=tally.replaced,
            accepted=target.opened if target else None,
            target_open=target.open if target else None,
            nodes=node_states(self.workers, self.target),
            hosts=host_states(self.workers, self.target),
            latencies=self.latencies(),
            scheduled=self.scheduled,
        )

    def latencies(self) -> dict[str, dict[int, int]]:
        """By kind, as far as they were measured; of a large fleet none."""
        if len(self.workers) > ADDED_UP:
            return {}
        found = {kind: self.histogram(kind) for kind in (*LABELS, DUE)}
        if self.accepting:
            found[ACCEPT] = self.accepting.histograms.get(ACCEPT, {})
        return {kind: coarser(counts) for kind, counts in found.items() if counts}

    @property
    def schedule(self) -> Schedule:
        """As the newest retarget left it."""
        return self.revisions[-1].schedule

    @property
    def has_stages(self) -> bool:
        """Whether the schedule is more than a way up."""
        return len(self.revisions) > 1 or len(self.schedule.stages) > 1

    @property
    def scheduled(self) -> int | None:
        """How many should be open now, by the schedule of each node's newest sample; None where there is none yet."""
        told = [entry.sample.scheduled for entry in self.workers if not entry.lost]
        return None if None in told or not told else sum(count for count in told if count is not None)

    @property
    def off_schedule(self) -> int | None:
        """By how many connections, away ones included, the workers miss their schedules now; in flight are as many at least."""
        there = self.there.tally
        return None if self.scheduled is None else abs(there.open + there.away + there.waiting - self.scheduled)

    def entry(self, name: str) -> NodeRecord:
        """Of the node that is called so; it is one of the run."""
        return next(entry for entry in self.entries if entry.name == name)

    @property
    def wanted_at_end(self) -> int:
        """How many should be open when the schedule has ended."""
        return self.schedule.at(self.schedule.end_ns)

    @property
    def due(self) -> int:
        """Openings that the schedule asks for from its beginning to its end."""
        return self.schedule.due_by(self.schedule.end_ns)

    @property
    def planned(self) -> int:
        """Of all workers; what was taken over is counted once."""
        return sum(entry.planned for entry in self.workers) - sum(loss.taken for loss in self.losses.values())

    @property
    def established(self) -> int:
        """Connections that the workers have open; a lost worker's are not known, and so not counted."""
        return self.there.open

    @property
    def in_use(self) -> int:
        """Connections that the workers have open, wholly or on their side alone, or are opening."""
        tally = self.there.tally
        return tally.open + tally.half_closed + tally.in_flight

    @property
    def tally(self) -> Tally:
        """All that was ever told: what has happened has happened, whoever was lost since."""
        return self.there.tally + self.gone.tally

    @property
    def reached_ns(self) -> Mapping[int, int]:
        """Stage, by its place in the schedule -> when all had reached it that are there, or whose share nobody took over."""
        made_good = {loss.node for loss in self.losses.values() if loss.made_good}
        return reached_by_all(entry.sample.reached_ns for entry in self.workers if entry.name not in made_good)

    @property
    def waves(self) -> tuple[Wave, ...]:
        """What each storm did, in their order, as far as they have come."""
        return joined_waves([entry.sample.waves for entry in self.workers])

    def histogram(self, name: str) -> Mapping[int, int]:
        """Microseconds -> how many, of all workers."""
        return joined(entry.histograms.get(name, {}) for entry in self.workers)

    @property
    def ramp_seconds(self) -> float:
        """From the start to the newest opening, each worker by its own clock, the slowest of them."""
        return max((entry.ramp_ns for entry in self.workers), default=0) / 1e9

    @property
    def ramp_rate(self) -> float | None:
        """Connections a second. None: nothing was opened."""
        opened = sum(entry.ramp_opened for entry in self.workers)
        return opened / self.ramp_seconds if self.ramp_seconds else None

    @property
    def heard(self) -> str:
        """The beginning of the first that the server said; empty when it said nothing."""
        return next((entry.heard for entry in self.workers if entry.heard), "").strip()

    def all_at(self, phase: Phase, entries: Iterable[NodeRecord] | None = None) -> bool:
        """Whether every node that is not lost is at least that far."""
        chosen = self.entries if entries is None else entries
        return all(entry.lost or entry.sample.phase >= phase for entry in chosen)

    def any_of(self, told: Callable[[NodeRecord], str]) -> list[str]:
        return [f"{entry.name}: {text}" for entry in self.entries if (text := told(entry))]

    @property
    def troubles(self) -> list[str]:
        """What ended that should not have, and what was given up: a sentence each."""
        exit_reasons = [f"{entry.name}: {text}" for entry in self.entries for text in entry.unreplaced]
        lost = [loss.sentence() for loss in self.losses.values() if not loss.made_good]
        newest = self.revisions[-1].version
        astray = [entry.name for entry in self.workers if not entry.lost and entry.sample.schedule_version < newest]
        if astray:
            exit_reasons.append(f"{', '.join(astray)} did not get the schedule that the others follow; retarget all of them")
        return lost + exit_reasons + self.any_of(lambda entry: entry.sample.halted)
