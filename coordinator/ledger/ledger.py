"""The ledger: the newest sample of every node, and sums over them. A fold without clock or network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from c1m.measure.phase import Phase
from c1m.measure.sample import Reading, Sample
from c1m.measure.tally import Tally
from c1m.schedule.node_schedule import reached_by_all
from c1m.schedule.schedule import Revision, Schedule, straight
from c1m.traffic.turnover import Wave, joined_waves

from .latency_kinds import ACCEPT, DUE, LABELS
from .loss_reason import LossReason
from .node_loss import NodeLoss
from .node_record import NodeRecord, host_states, node_states
from .running_totals import HistogramTotals, RunningTotals
from .timeline import Timeline, TimelineRow


class Ledger:
    """The newest sample of every worker and of the target of a run, with the sums over them, the timeline and the losses."""

    def __init__(
        self,
        workers: Iterable[NodeRecord],
        target: NodeRecord | None,
        schedule: Schedule | None = None,
        *,
        accepting: bool = True,
    ) -> None:
        """Make the ledger of a run from the records of its nodes; ``target`` is None for a server without an observer.

        ``schedule`` is the one at the start of the run. ``accepting``: whether the target counts what it accepts. An observer
        of another server cannot.
        """
        self.workers = list(workers)
        self.target = target
        self.accepts = accepting
        self.peak = 0
        self.losses: dict[str, NodeLoss] = {}  # by node, in the order of the losses
        self.revisions = [Revision(schedule or straight(self.planned, 0.0))]  # all but the first are retargets
        self.timeline = Timeline()
        self.there, self.gone = RunningTotals(), RunningTotals()  # sums over workers that are there, and that are lost
        self.latency_totals, self.accept_totals = HistogramTotals(), HistogramTotals()  # of all workers, and of the target
        for entry in self.workers:
            self.sums_of(entry).replace(Tally(), entry.sample.tally)
            self.latency_totals.replace({}, entry.histograms)

    def sums_of(self, entry: NodeRecord) -> RunningTotals:
        """Return the running totals that include a worker: those of present workers, or those of lost ones."""
        return self.gone if entry.lost else self.there

    @property
    def entries(self) -> list[NodeRecord]:
        """The records of all nodes: the workers, then the target if there is one."""
        return [*self.workers, *([self.target] if self.target else [])]

    @property
    def accepting(self) -> NodeRecord | None:
        """The record of the target if it counts the connections that it accepts and is not lost; else None."""
        return self.target if self.target and self.accepts and not self.target.lost else None

    def take(self, entry: NodeRecord, sample: Sample) -> None:
        """Replace a node's sample by a newer one, and update the sums over all workers. Returns nothing."""
        if entry is not self.target:
            self.sums_of(entry).replace(entry.sample.tally, sample.tally)
        before = entry.histograms
        entry.take(sample)
        if entry.histograms is not before:
            totals = self.accept_totals if entry is self.target else self.latency_totals
            totals.replace(before, entry.histograms)
        if sample.revision and sample.revision.version > self.revisions[-1].version:
            self.revisions.append(sample.revision)
        self.peak = max(self.peak, self.established)

    def hear(self, entry: NodeRecord, sample: Sample, now: float) -> None:
        """Process a sample that a node sent: update the sums, the node's evidence and the timeline. Returns nothing.

        ``now`` is when the sample was received, in seconds on the caller's clock.
        """
        self.take(entry, sample)
        entry.trail.take(sample, now)
        self.timeline.take(now, self.moment)

    def read(self, entry: NodeRecord, reading: Reading, now: float) -> None:
        """Add a host reading that a node sent without a sample, as the answer to a request, to the node's record."""
        entry.history.take(reading)
        entry.trail.read(reading, now)

    def lose(self, entry: NodeRecord, reason: LossReason, now: float) -> NodeLoss:
        """Mark a node as lost for the rest of the run, so that its samples no longer count; return the record of the loss.

        A node that is lost already keeps its first reason.
        """
        if entry.lost:
            return self.losses[entry.name]
        began = self.timeline.began
        share = None if entry is self.target else entry.planned
        loss = NodeLoss(entry.name, reason, None if began is None else now - began, share)
        if entry is not self.target:
            self.there.replace(entry.sample.tally, Tally())
            self.gone.replace(Tally(), entry.sample.tally)
        entry.lose(reason)
        self.losses[entry.name] = loss
        return loss

    def move(self, node: str, taken_by: Mapping[str, int], not_taken: str) -> None:
        """Record how many connections each worker took over of the lost worker ``node``, and raise their planned counts.

        ``not_taken``: why the others did not take over the whole share; empty if they did.
        """
        self.losses[node].move(taken_by, not_taken)
        for entry in self.workers:
            if count := taken_by.get(entry.name, 0):
                entry.take_over(count)
                if taker := self.losses.get(entry.name):  # the taker was lost before this was known
                    taker.grow(count)

    def moment(self) -> TimelineRow:
        """Return the present connection counts, latencies, and node and host states as a row for the timeline.

        They come from the newest samples of nodes that are not lost.
        """
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
        """Return the latency histograms of the run so far, in coarse buckets: kind -> microseconds -> count."""
        found = {kind: self.latency_totals.coarser(kind) for kind in (*LABELS, DUE)}
        if self.accepting:
            found[ACCEPT] = self.accept_totals.coarser(ACCEPT)
        return {kind: counts for kind, counts in found.items() if counts}

    @property
    def schedule(self) -> Schedule:
        """The schedule that the run follows now, after the newest retarget."""
        return self.revisions[-1].schedule

    @property
    def has_stages(self) -> bool:
        """True if the schedule of the run has more than one stage, or was retargeted."""
        return len(self.revisions) > 1 or len(self.schedule.stages) > 1

    @property
    def scheduled(self) -> int | None:
        """The number of connections that should be open now, by the newest samples; None until every worker has sent one."""
        counts = [entry.sample.scheduled for entry in self.workers if not entry.lost]
        return None if None in counts or not counts else sum(count for count in counts if count is not None)

    @property
    def off_schedule(self) -> int | None:
        """The number of connections by which all workers together miss the schedule now; None if the schedule is unknown.

        Connections that are away or wait to be reopened count as open, those in flight as missing.
        """
        there = self.there.tally
        return None if self.scheduled is None else abs(there.open + there.away + there.waiting - self.scheduled)

    def entry(self, name: str) -> NodeRecord:
        """Return the record of the node called ``name``, which must be a node of the run."""
        return next(entry for entry in self.entries if entry.name == name)

    @property
    def wanted_at_end(self) -> int:
        """The number of connections that should be open when the schedule has ended."""
        return self.schedule.at(self.schedule.end_ns)

    @property
    def due(self) -> int:
        """The number of openings that the schedule asks for from its beginning to its end."""
        return self.schedule.due_by(self.schedule.end_ns)

    @property
    def planned(self) -> int:
        """The number of connections planned for all workers. A share that was taken over counts once."""
        return sum(entry.planned for entry in self.workers) - sum(loss.taken for loss in self.losses.values())

    @property
    def established(self) -> int:
        """The number of connections that the workers have open. Those of lost workers are unknown and not counted."""
        return self.there.open

    @property
    def in_use(self) -> int:
        """The number of connections that the workers have open, half closed or in flight, without lost workers."""
        tally = self.there.tally
        return tally.open + tally.half_closed + tally.in_flight

    @property
    def tally(self) -> Tally:
        """The sum of the connection counts of all workers, with the last counts of lost ones."""
        return self.there.tally + self.gone.tally

    @property
    def reached_ns(self) -> Mapping[int, int]:
        """The time at which all workers had reached each stage: index in the schedule -> nanoseconds after the start.

        Stages that are not reached are missing. Lost workers whose share was taken over in full are left out.
        """
        made_good = {loss.node for loss in self.losses.values() if loss.made_good}
        return reached_by_all(entry.sample.reached_ns for entry in self.workers if entry.name not in made_good)

    @property
    def waves(self) -> tuple[Wave, ...]:
        """What each storm did, summed over all workers, in the order of the storms; storms to come are missing."""
        return joined_waves([entry.sample.waves for entry in self.workers])

    def histogram(self, name: str) -> Mapping[int, int]:
        """Return the histogram called ``name``, summed over all workers: microseconds -> count."""
        return self.latency_totals.counts.get(name, {})

    @property
    def ramp_seconds(self) -> float:
        """The duration of the ramp in seconds: from the start to the last opening of the slowest worker, by its own clock."""
        return max((entry.ramp_ns for entry in self.workers), default=0) / 1e9

    @property
    def ramp_rate(self) -> float | None:
        """The mean number of connections opened per second in the ramp; None if none were opened."""
        opened = sum(entry.ramp_opened for entry in self.workers)
        return opened / self.ramp_seconds if self.ramp_seconds else None

    @property
    def heard(self) -> str:
        """The first bytes that the server sent to any worker, as text; empty if it sent none."""
        return next((entry.heard for entry in self.workers if entry.heard), "").strip()

    def all_at(self, phase: Phase, entries: Iterable[NodeRecord] | None = None) -> bool:
        """Return True if every node that is not lost has reached ``phase``.

        ``entries``: the records of the nodes to check; None: all nodes of the run.
        """
        chosen = self.entries if entries is None else entries
        return all(entry.lost or entry.sample.phase >= phase for entry in chosen)

    def any_of(self, sentence: Callable[[NodeRecord], str]) -> list[str]:
        """Return the sentences that the given function makes of the nodes' records, each after its node's name.

        Nodes for which the function returns an empty string are left out.
        """
        return [f"{entry.name}: {text}" for entry in self.entries if (text := sentence(entry))]

    @property
    def troubles(self) -> list[str]:
        """One sentence for each lost node, unreplaced child process, and worker that is off the schedule or stopped opening.

        Losses whose share was taken over in full are left out.
        """
        exit_reasons = [f"{entry.name}: {text}" for entry in self.entries for text in entry.unreplaced]
        lost = [loss.sentence() for loss in self.losses.values() if not loss.made_good]
        newest = self.revisions[-1].version
        astray = [entry.name for entry in self.workers if not entry.lost and entry.sample.schedule_version < newest]
        if astray:
            exit_reasons.append(f"{', '.join(astray)} did not get the schedule that the other workers follow; retarget again")
        return lost + exit_reasons + self.any_of(lambda entry: str(entry.sample.halted or ""))
