"""The outcome: everything that is known about a run. A summary is made from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from c1m.coordinator.diagnosis.diagnosis import Finding
from c1m.coordinator.fleet.descriptions import DescribedTarget, DescribedWorker
from c1m.coordinator.fleet.survey import Survey
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.limit_usage import LimitUsages
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.ledger.schedule_stages import Rest
from c1m.coordinator.planning.plan import Plan
from c1m.coordinator.planning.preflight import Preflight
from c1m.coordinator.planning.redistribution import Move
from c1m.coordinator.spec.requirements import Judgement, RequirementMonitor
from c1m.coordinator.spec.spec import RunSpec
from c1m.coordinator.summary.memory_cost import MemoryCost
from c1m.coordinator.summary.reconciliation import Probed
from c1m.coordinator.summary.summary import TakeoverSummary
from c1m.measure.sample import Host
from c1m.net.tuples import Address
from c1m.text.units import format_duration

from .comparison import Comparison, of_samples
from .host_findings import Findings, find
from .planned_run import PlannedRun


@dataclass(frozen=True, slots=True)
class TakeoverRecord:
    """The record that another coordinator took the run over.

    Between its two times, in seconds since the start, no samples were received.
    """

    at: datetime
    silent_from: float
    silent_to: float

    @property
    def sentence(self) -> str:
        """Return a sentence for people on when another coordinator took the run over."""
        begin, end = format_duration(self.silent_from), format_duration(self.silent_to)
        return f"taken over from a coordinator that is gone; there are no samples from {begin} to {end} after the start"

    def to_summary(self) -> TakeoverSummary:
        """Return the takeover as the summary has it."""
        return TakeoverSummary(self.at, round(self.silent_from, 2), round(self.silent_to, 2))


@dataclass
class Outcome:
    """A run as it was asked for, planned and measured. It is filled while the run goes on, or from the run's journal, by its
    own methods.
    """

    run_id: str
    spec: RunSpec
    started_at: datetime
    ended_at: datetime | None = None
    seed: int = 0  # of all random choices
    plan: Plan | None = None  # None: the run ended before there was one
    ledger: Ledger | None = None
    destinations: list[Address] | None = None  # addresses of the plan's destinations; None: the target does not listen yet
    moves: list[Move] = field(default_factory=list)  # redistributed shares of lost workers
    workers: dict[str, DescribedWorker] = field(default_factory=dict)
    target: DescribedTarget | None = None
    interrupted: bool = False
    refusals: tuple[str, ...] = ()  # why nothing was opened
    preflight: Preflight | None = None  # None: the run ended before every node had sent its limits
    limit_usages: LimitUsages = field(default_factory=LimitUsages)
    troubles: list[str] = field(default_factory=list)  # what went wrong apart from connections
    ramp_end: Comparison | None = None  # None also if there was no hold: hold_end is then the end of the ramp
    rests: list[tuple[Rest, Comparison]] = field(default_factory=list)  # comparisons while the schedule stood still
    hold_end: Comparison | None = None
    off_schedule: int | None = None  # connections by which the clients missed their schedule in the hold, at most
    widest_gap: int | None = None  # largest difference between clients and acceptors in the samples of the hold
    findings: dict[str, Findings] = field(default_factory=dict)
    costs: dict[str, MemoryCost] = field(
        default_factory=dict
    )  # by node, from the rest of the schedule with the most connections
    diagnosis: list[Finding] = field(default_factory=list)
    probed: Probed | None = None  # None: the run was not asked to probe
    teardown_seconds: float | None = None
    left_open: int | None = None  # connections that the target still had after the workers had closed theirs
    cut_off: str = ""  # why the records end before the run did; empty: they do not
    known_until: datetime | None = None  # end of the journal; None: no journal was kept, or it is empty
    takeovers: list[TakeoverRecord] = field(default_factory=list)
    untold: str = ""  # why the journal ends before the run did; empty: it does not
    requirement_monitor: RequirementMonitor = field(init=False)

    def __post_init__(self) -> None:
        self.requirement_monitor = RequirementMonitor(self.spec.require)

    @property
    def judgements(self) -> list[Judgement]:
        """The results so far for the requirements that must be met at every moment of the hold."""
        return list(self.requirement_monitor.judgements.values())

    @judgements.setter
    def judgements(self, judgements: list[Judgement]) -> None:
        self.requirement_monitor.restore(judgements)

    # -- what becomes of it

    def mustered(self, mustered: Survey) -> None:
        """Store the descriptions of all nodes in the outcome. Returns nothing."""
        self.workers, self.target = dict(mustered.workers), mustered.target

    def planned(self, run: PlannedRun) -> None:
        """Take in the plan and its ledger, or only what the nodes' limits mean if the run does not fit."""
        self.preflight, self.plan, self.ledger, self.limit_usages = run.preflight, run.plan, run.ledger, run.limit_usages

    def listens(self, destinations: list[Address]) -> None:
        """Take in where the target listens."""
        self.destinations = destinations

    def refuse(self, reasons: tuple[str, ...]) -> None:
        """Note why nothing was opened."""
        self.refusals = reasons

    def interrupt(self) -> None:
        """Note that the operator ended the run."""
        self.interrupted = True

    def trouble(self, *sentences: str) -> None:
        """Note what went wrong apart from connections."""
        self.troubles += sentences

    def opened(self, found: Comparison) -> None:
        """Take in the comparison at the end of the ramp."""
        self.ramp_end = found

    def rested(self, rest: Rest, found: Comparison) -> None:
        """Take in a comparison that was made while the schedule stood still."""
        self.rests.append((rest, found))

    def held(self, found: Comparison) -> None:
        """Take in the comparison at the end of the hold."""
        self.hold_end = found

    def probe(self, found: Probed) -> None:
        """Take in what a probe of connections found."""
        self.probed = found

    def note_gaps(self, off_schedule: int | None, gap: int | None) -> None:
        """Keep the largest differences of the samples in the hold. None: unknown now."""
        if off_schedule is not None:
            self.off_schedule = max(off_schedule, self.off_schedule or 0)
        if gap is not None:
            self.widest_gap = max(gap, self.widest_gap or 0)

    def diagnose(self, found: Iterable[Finding]) -> None:
        """Replace the diagnosis by a newer one."""
        self.diagnosis = list(found)

    def note_move(self, move: Move) -> None:
        """Take in a move of a lost worker's share. It replaces the same one without an answer."""
        known = [each for each in self.moves if each.taken is not None or each.more != move.more]
        self.moves = [*known, move]

    def conclude_findings(self) -> None:
        """Keep what the hosts' readings show now, unless that was done before."""
        self.findings = self.findings or self.found()

    def leave_open(self, connections: int | None) -> None:
        """Note how many connections the target had after the workers had closed theirs; None: unknown."""
        self.left_open = connections

    def closed_within(self, seconds: float) -> None:
        """Note how long closing took."""
        self.teardown_seconds = seconds

    def end(self, at: datetime) -> None:
        """Note when the run ended."""
        self.ended_at = at

    def cut(self, known_until: datetime | None, *, cut_off: str = "", untold: str = "") -> None:
        """Note until when the records go, and why no further: ``cut_off`` of a run that is read, ``untold`` of a journal."""
        self.known_until, self.cut_off, self.untold = known_until, cut_off, untold

    # -- what follows from it

    @property
    def unaccepted(self) -> bool:
        """True if at the last comparison clients held connections that the server had not accepted or did not know."""
        compared = self.hold_end or self.ramp_end
        found = compared.reconciliation if compared else None
        return bool(found and (found.ghosts or found.in_syn_queues or found.in_accept_queues))

    def host_of(self, name: str) -> Host | None:
        """Return the host of a node; None if the node was not described."""
        if name in self.workers:
            return self.workers[name].host
        return self.target.host if self.target else None

    def found(self) -> dict[str, Findings]:
        """Return what the readings of each node's host show so far: node -> findings.

        Memory costs are from the moment with the most connections.
        """
        return {name: found.or_fuller(self.costs.get(name)) for name, found in self.told_now().items()}

    def told_now(self) -> dict[str, Findings]:
        """Return what the newest readings of each node's host show: node -> findings."""
        ledger = self.ledger
        return {
            entry.name: find(entry, self.open_at(entry), host, self.ends_at(host, entry))
            for entry in (ledger.entries if ledger else ())
            if (host := self.host_of(entry.name))
        }

    def note_costs(self) -> None:
        """Store the present memory cost of a connection for each node, if it is known. Returns nothing.

        Call it while the schedule stands still, before it may go down.
        """
        for name, found in self.told_now().items():
            if found.cost.connections:
                self.costs = {**self.costs, name: found.or_fuller(self.costs.get(name)).cost}

    def open_at(self, entry: NodeRecord) -> int:
        """Return the number of connections that have an end on the given node."""
        return self.ledger.established if self.ledger and entry is self.ledger.target else entry.sample.tally.open

    def ends_at(self, host: Host, entry: NodeRecord) -> float | None:
        """Return how many sockets a connection of this node has on the node's machine, on average.

        None with an endpoint or without a target: what else a server opens there is unknown.
        """
        if self.ledger is None or self.ledger.target is None or self.spec.endpoint:
            return None
        if entry is not self.ledger.target:
            at_target = self.host_of(self.ledger.target.name)
            return 2.0 if at_target and at_target.boot_id == host.boot_id else 1.0
        here = [
            each
            for each in self.ledger.workers
            if not each.lost and (at := self.host_of(each.name)) and at.boot_id == host.boot_id
        ]
        established = max(self.open_at(entry), 1)
        accepted = established if entry.lost else min(entry.sample.tally.open, established)  # a ghost has no socket there
        return (accepted + sum(self.open_at(each) for each in here)) / established

    def as_of_now(self) -> Outcome:
        """Return a copy of the outcome as if the hold ended now, by the newest samples. No node is asked."""
        return replace(self, hold_end=of_samples(self.ledger) if self.ledger else None, findings=self.found())
