"""The summary of a run, the figures in it, and the same figures at a moment of a running run."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, TypeAlias

from c1m.measure.counter import Shown
from c1m.measure.tally import Tally

from .latencies import LatencyFigures, SourcesSummary
from .nodes import NO_HEARTBEATS, NOTHING_OPENED, HostSummary, LossSummary, TargetSummary, WorkerSummary
from .plan import LimitsSummary, PlanSummary
from .reconciliation import ReconciliationSummary
from .timeline import TimelineSummary
from .traffic import HeartbeatResults, KeepaliveResults, PushResults, RetargetSummary, StageSummary, StormSummary
from .units import WHEN_ASKED, Count, IfUnknown, Inline, PerSecond, Seconds

SCHEMA: Final = "c1m.summary/1"
SettingValue: TypeAlias = str | int | float | bool | tuple[str, ...] | None


class VerdictName(enum.StrEnum):
    """The verdict on a run."""

    PASSED = "passed"
    FAILED = "failed"
    DEGRADED = "degraded"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"
    INCOMPLETE = "incomplete"


class Acceptance(enum.StrEnum):
    """How it is known that the server accepted the connections of a run."""

    COUNTED = "counted"  # by c1m-target
    OBSERVED = "observed"  # c1m-target observe saw the accept queues
    ANSWERED = "answered"  # the server has sent a byte on each connection
    UNKNOWN = "unknown"  # some may wait in an accept queue


@dataclass(frozen=True, slots=True)
class FindingSummary:
    """A cause of trouble that the run showed."""

    cause: Annotated[str, "The name of the cause; docs/causes.md has all."]
    node: Annotated[str, "Where it was seen."]
    says: Annotated[str, "The cause in words."]
    evidence: Annotated[tuple[str, ...], "What shows it."]
    cure: Annotated[str, "What to do about it."]
    limit: Annotated[str | None, "The limit that was reached, as c1m-coord explain takes it."]
    sentence: Annotated[str, "All of it as one sentence."]
    at_seconds: Annotated[Seconds | None, "When it was first seen, since the start; null if only the whole run shows it."]
    role: Annotated[str | None, "worker or target; null for a cause of the whole run."]


@dataclass(frozen=True, slots=True)
class JudgementSummary:
    """The result for one requirement."""

    criterion: Annotated[str, "The requirement, as it was given."]
    figure: Annotated[str, "The path of its figure in the summary."]
    met: Annotated[bool, "Whether it was met."]
    value: Annotated[float | None, "The value that decided, in the unit of the figure; null: unknown, hence not met."]
    broken_at_seconds: Annotated[Seconds | None, "The first moment of the hold at which it was not met, since the start."]
    reason: Annotated[str | None, "Why it was not met."]


@dataclass(frozen=True, slots=True)
class TakeoverSummary:
    """Another coordinator took the run over. Between the two times there are no samples."""

    at: Annotated[datetime, "When it took over."]
    silent_from_seconds: Annotated[Seconds, "The last sample before, since the start."]
    silent_to_seconds: Annotated[Seconds, "When samples came again, since the start."]


@dataclass(frozen=True, slots=True)
class JournalSummary:
    """How far c1m-coord show can replay the run."""

    complete: Annotated[bool, "Whether the journal has all of the run."]
    ends_at: Annotated[datetime | None, "When its last record was made."]
    reason: Annotated[str | None, "Why it ends before the run did."]


@dataclass(frozen=True, slots=True)
class SynSteps:
    """Connects that took at least 1, 3 and 7 s, which is when kernels send a SYN again."""

    took_1_seconds: Annotated[Count, "Connects that took at least 1 s."]
    took_3_seconds: Annotated[Count, "Connects that took at least 3 s."]
    took_7_seconds: Annotated[Count, "Connects that took at least 7 s."]


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. A requirement may refer to each of these numbers. None is unknown."""

    stages: Annotated[tuple[StageSummary, ...], "The stages of the schedule.", IfUnknown("the run had no stages")]
    planned: Annotated[Count | None, "Connections of the plan."]
    established_peak: Annotated[Count, "The most connections that were open at one time."]
    established_at_hold_end: Annotated[Count | None, "Connections that were open at the end of the hold."]
    widest_off_schedule_through_hold: Annotated[
        Count | None, "Connections by which the clients missed their schedule in the hold, at most."
    ]
    away_at_hold_end: Annotated[Count | None, "Clients that were disconnected because the run required it."]
    waiting_at_hold_end: Annotated[Count | None, "Clients that waited before another attempt."]
    half_closed_at_hold_end: Annotated[Count | None, "Connections kept by clients although the server had closed its side."]
    counts: Annotated[Tally, Inline(shown=Shown.RUN)]
    storms: Annotated[tuple[StormSummary, ...] | None, "The storms.", IfUnknown("the run had no storms")]
    ramp_seconds: Annotated[Seconds | None, "Time from the start to the last opening of the ramp.", NOTHING_OPENED]
    connections_per_second: Annotated[PerSecond | None, "Connections opened per second in the ramp.", NOTHING_OPENED]
    teardown_seconds: Annotated[Seconds | None, "Time that closing took.", WHEN_ASKED]
    connect_latency_us: Annotated[LatencyFigures, "Time from the call of connect to the answer."]
    connect_latency_from_due_us: Annotated[LatencyFigures, "Time from when the connect was due to the answer."]
    sources: Annotated[SourcesSummary, "Latencies by source address."]
    first_byte_us: Annotated[LatencyFigures, "Time from the establishment to the first byte from the server."]
    heartbeat_rtt_us: Annotated[LatencyFigures, "Time from a heartbeat to its answer."]
    alive_after_us: Annotated[LatencyFigures, "Age of connections when they were dropped."]
    half_closed_after_us: Annotated[LatencyFigures, "Age of connections when the server closed its side."]
    syn_retransmissions: Annotated[SynSteps, "Connects that took as long as with a lost SYN."]
    heartbeats: Annotated[HeartbeatResults | None, "The heartbeats; null if the run sends none.", NO_HEARTBEATS]
    keepalive: Annotated[
        KeepaliveResults | None, "TCP's keepalive.", IfUnknown("the run had no keepalive; that takes --keepalive")
    ]
    pushes: Annotated[PushResults | None, "Server push.", IfUnknown("the run had no pushes; that takes --server-push")]
    workers: Annotated[tuple[WorkerSummary, ...], "The workers.", IfUnknown("the run had no workers")]
    target: Annotated[
        TargetSummary | None,
        "The target, or the observer of the endpoint.",
        IfUnknown("the run had no target; put workers. before the name to ask for the workers'"),
    ]
    reconciliation: Annotated[
        ReconciliationSummary | None,
        "The counts of all sides; null if there was no hold.",
        WHEN_ASKED,
        IfUnknown("the run ended before its hold did, and no counts were compared"),
    ]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of a running run: its figures as if the hold ended now. No node is asked for it."""

    at_seconds: Annotated[Seconds, "The moment, since the start."]
    figures: Annotated[Figures, Inline()]


@dataclass(frozen=True, slots=True)
class Summary:
    """The results of a run. Fields are added over time, never renamed; null is unknown, never zero."""

    schema: Annotated[str, f"{SCHEMA}, the name of this format."]
    run_id: Annotated[str, "The id of the run, which begins with the time of its start."]
    started_at: Annotated[datetime, "When the run started."]
    ended_at: Annotated[datetime | None, "When it ended; null if that is unknown."]
    verdict: Annotated[VerdictName, "The verdict on the run."]
    exit_code: Annotated[int, "The exit code of c1m-coord run."]
    reasons: Annotated[tuple[str, ...], "Why the run did not pass, and what went wrong in it."]
    notes: Annotated[tuple[str, ...], "What is worth knowing besides."]
    acceptance: Annotated[
        Acceptance,
        "How it is known that the server accepted the connections: counted by c1m-target, observed beside the server, answered "
        "with a byte on each, or unknown.",
    ]
    diagnosis: Annotated[tuple[FindingSummary, ...], "Causes of trouble that were found."]
    criteria: Annotated[tuple[JudgementSummary, ...], "The results for the requirements of --require."]
    spec: Annotated[Mapping[str, SettingValue], "Setting -> its value, with the unit in its name."]
    plan: Annotated[PlanSummary | None, "The plan; null if there was none."]
    seed: Annotated[int, "The seed of all random choices."]
    takeovers: Annotated[tuple[TakeoverSummary, ...], "Takeovers by other coordinators."]
    retargets: Annotated[tuple[RetargetSummary, ...], "Changes of the schedule while the run went on."]
    losses: Annotated[tuple[LossSummary, ...], "Lost nodes."]
    figures: Annotated[Figures, Inline()]
    timeline: Annotated[TimelineSummary | None, "Counts over time; null if the run never started."]
    limits: Annotated[LimitsSummary | None, "The limits; null if the run ended before they were known."]
    environment: Annotated[Mapping[str, HostSummary], "Node -> its host before the run."]
    journal: Annotated[JournalSummary | None, "How far the run can be replayed; null without a journal."]
