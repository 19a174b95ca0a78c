"""The summary: the results of a run as one document. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.schedule_stages import retarget_summary, stages_summary
from c1m.coordinator.planning.documents import limits_before
from c1m.coordinator.spec.requirements import judge_all
from c1m.coordinator.summary.plan import LimitsSummary
from c1m.coordinator.summary.reconciliation import ReconciliationSummary, RestReconciliation
from c1m.coordinator.summary.summary import SCHEMA, Figures, JournalSummary, Snapshot, Summary, SynSteps
from c1m.coordinator.summary.traffic import KeepaliveResults, PushResults
from c1m.measure.latency import at_least
from c1m.measure.tally import Tally

from . import heartbeats as liveness
from . import histogram, storm_results
from .acceptance import acceptance
from .node_summaries import environment, heartbeats, target_summary, worker_summary
from .outcome import Outcome
from .slow_sources import sources_summary
from .verdict import verdict


def summarise(outcome: Outcome) -> Summary:
    """Return the summary of a run, with its verdict, as a JSON object."""
    figures = measured(outcome)
    required = judge_all(outcome.spec.require, outcome.requirement_monitor, figures)
    judged = verdict(outcome, required)
    ledger = outcome.ledger or Ledger((), None)
    return Summary(
        schema=SCHEMA,
        run_id=outcome.run_id,
        started_at=outcome.started_at,
        ended_at=outcome.ended_at,
        verdict=judged.name,
        exit_code=judged.exit_code,
        reasons=judged.reasons,
        notes=judged.notes,
        acceptance=acceptance(outcome),
        diagnosis=tuple(finding.to_summary() for finding in outcome.diagnosis),
        criteria=tuple(judgement.to_summary() for judgement in required),
        spec=outcome.spec.to_summary(),
        plan=outcome.plan.to_summary() if outcome.plan else None,
        seed=outcome.seed,
        takeovers=tuple(takeover.to_summary() for takeover in outcome.takeovers),
        retargets=tuple(map(retarget_summary, ledger.revisions[1:])),
        losses=tuple(loss.to_summary() for loss in ledger.losses.values()),
        figures=figures,
        timeline=ledger.timeline.to_summary(),
        limits=limits(outcome),
        environment=environment(outcome),
        journal=journal_summary(outcome),
    )


def snapshot(outcome: Outcome, at_seconds: float) -> Snapshot:
    """Return the figures of this moment, by the newest samples. No node is asked. ``at_seconds``: since the start."""
    return Snapshot(at_seconds, measured(outcome.as_of_now()))


def journal_summary(outcome: Outcome) -> JournalSummary | None:
    """Return the part of the summary on how far the run can be replayed; None if it has no journal."""
    reason = outcome.cut_off or outcome.untold
    if outcome.known_until is None and not reason:
        return None
    return JournalSummary(complete=not reason, ends_at=outcome.known_until, reason=reason or None)


def measured(outcome: Outcome) -> Figures:
    """Return the measured figures of a run's summary, to which the user's criteria may refer."""
    ledger = outcome.ledger or Ledger((), None)
    tally, hold_end = ledger.tally, outcome.hold_end
    storms = storm_results.summarise_storms(
        outcome.spec.storm, ledger.waves, ledger.timeline.rows, with_target=ledger.target is not None
    )
    connects = ledger.histogram("connect_latency_us")
    return Figures(
        stages=tuple(stages_summary(ledger.schedule, ledger.reached_ns)),
        planned=outcome.plan.total if outcome.plan else None,
        established_peak=ledger.peak,
        established_at_hold_end=hold_end.established if hold_end else None,
        widest_off_schedule_through_hold=outcome.off_schedule,
        away_at_hold_end=hold_end.away if hold_end else None,
        waiting_at_hold_end=hold_end.waiting if hold_end else None,
        half_closed_at_hold_end=hold_end.half_closed if hold_end else None,
        counts=tally,
        storms=tuple(storms) or None,
        ramp_seconds=ledger.ramp_seconds or None,
        connections_per_second=ledger.ramp_rate,
        teardown_seconds=outcome.teardown_seconds,
        connect_latency_us=histogram.figures(connects),
        connect_latency_from_due_us=histogram.figures(ledger.histogram("connect_latency_from_due_us")),
        sources=sources_summary(ledger.workers),
        first_byte_us=histogram.figures(ledger.histogram("first_byte_us")),
        heartbeat_rtt_us=histogram.figures(ledger.histogram("heartbeat_rtt_us")),
        alive_after_us=histogram.figures(ledger.histogram("alive_after_us")),
        half_closed_after_us=histogram.figures(ledger.histogram("half_closed_after_us")),
        syn_retransmissions=syn_steps(connects),
        heartbeats=heartbeats(outcome, tally),
        keepalive=keepalive(outcome, tally),
        pushes=pushes(outcome, ledger),
        workers=tuple(worker_summary(outcome, entry) for entry in ledger.workers),
        target=target_summary(outcome, ledger.target) if ledger.target else None,
        reconciliation=reconciliation(outcome),
    )


def limits(outcome: Outcome) -> LimitsSummary | None:
    """Return the part of the summary on limits: the fleet's ceiling, and limits that were or became tight.

    None if the run ended before the limits were known.
    """
    if outcome.preflight is None:
        return None
    taken = tuple(taken.to_summary() for taken in outcome.limit_usages.taken.values())
    return LimitsSummary(limits_before(outcome.preflight), taken)


def reconciliation(outcome: Outcome) -> ReconciliationSummary | None:
    """Return the part of the summary that compares both sides: at the end of the hold and of the ramp, and at rests.

    None if there was no hold.
    """
    if outcome.hold_end is None:
        return None
    return ReconciliationSummary(
        at_hold_end=outcome.hold_end.reconciliation,
        at_ramp_end=outcome.ramp_end.reconciliation if outcome.ramp_end else None,
        widest_gap_through_hold=outcome.widest_gap,
        at_rests=tuple(
            RestReconciliation(rest.begin, rest.end, rest.total, comparison.reconciliation)
            for rest, comparison in outcome.rests
        ),
        probed=outcome.probed,
    )


def keepalive(outcome: Outcome, tally: Tally) -> KeepaliveResults | None:
    """Return the part of the summary on TCP keepalive; None if the run does not use it.

    The kernel counts probes by network namespace. Each namespace counts once, and other programs in it count as well.
    """
    if not outcome.spec.keepalive:
        return None
    namespaces = {
        f"{host.boot_id} {host.network_namespace}": outcome.findings[name].counters.get("TCPKeepAlive")
        for name in outcome.workers
        if name in outcome.findings and (host := outcome.host_of(name))
    }
    return liveness.keepalive_summary(outcome.spec.keepalive, namespaces.values(), tally.dropped)


def pushes(outcome: Outcome, ledger: Ledger) -> PushResults | None:
    """Return the part of the summary on server pushes; None if the run uses none."""
    if not outcome.spec.server_push:
        return None
    return liveness.push_summary(ledger.tally.pushes, ledger.target.sample.tally.pushes if ledger.target else {})


def syn_steps(connect_latency_us: Mapping[int, int]) -> SynSteps:
    """Return how many connects took at least 1, 3 and 7 s, which is when the kernel sends a SYN again.

    Since Linux 6.5 the first four waits are 1 s each (net.ipv4.tcp_syn_linear_timeouts), so that 3 s is the third retry.
    """
    return SynSteps(*(at_least(connect_latency_us, seconds * 1_000_000) for seconds in (1, 3, 7)))
