"""The summary: the results of a run as one JSON document. Pure; fields are added over time, never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from c1m.coordinator.fleet.clock_offset import Clock
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.ledger.schedule_stages import retarget_summary, stages_summary
from c1m.coordinator.planning.documents import limits_document
from c1m.coordinator.spec.requirements import judge_all
from c1m.measure.latency import at_least
from c1m.measure.sample import Host, Inspection
from c1m.measure.tally import FROM_ELSEWHERE, Tally

from . import heartbeats as liveness
from . import histogram, storm_results
from . import replacements as mended
from .host_findings import Findings
from .outcome import Outcome
from .slow_sources import slowest_sources, sources_summary, troubled_sources
from .verdict import verdict

SCHEMA = "c1m.summary/1"
SYN_STEPS = (1, 3, 7)  # seconds


def summarise(outcome: Outcome) -> dict[str, Any]:
    """Return the summary of a run, with its verdict."""
    figures = measured(outcome)
    required = judge_all(outcome.spec.require, outcome.requirement_monitor, figures)
    judged = verdict(outcome, required)
    return {
        "schema": SCHEMA,
        "run_id": outcome.run_id,
        "started_at": instant(outcome.started_at),
        "ended_at": instant(outcome.ended_at),
        "verdict": judged.name,
        "exit_code": judged.exit_code,
        "reasons": list(judged.reasons),
        "notes": list(judged.notes),
        "diagnosis": [finding.to_summary() for finding in outcome.diagnosis],
        "criteria": [judgement.to_summary() for judgement in required],
        "spec": outcome.spec.to_summary(),
        "plan": outcome.plan.to_summary() if outcome.plan else None,
        "seed": outcome.seed,
        "takeovers": [takeover.to_summary() for takeover in outcome.takeovers],
        "retargets": [retarget_summary(revision) for revision in (outcome.ledger.revisions[1:] if outcome.ledger else ())],
        "losses": [loss.to_summary() for loss in (outcome.ledger.losses.values() if outcome.ledger else ())],
        **figures,
        "timeline": outcome.ledger.timeline.to_summary() if outcome.ledger else None,
        "limits": limits(outcome),
        "environment": environment(outcome),
        "journal": journal_summary(outcome),
    }


def journal_summary(outcome: Outcome) -> dict[str, Any] | None:
    """Return how far the run can be replayed; None if it has no journal."""
    reason = outcome.cut_off or outcome.untold
    if outcome.known_until is None and not reason:
        return None
    return {"complete": not reason, "ends_at": instant(outcome.known_until), "reason": reason or None}


def measured(outcome: Outcome) -> dict[str, Any]:
    """Return the figures of a summary, to which criteria may refer."""
    ledger = outcome.ledger or Ledger((), None)
    tally, hold_end = ledger.tally, outcome.hold_end
    return {
        "stages": stages_summary(ledger.schedule, ledger.reached_ns),
        "planned": outcome.plan.total if outcome.plan else None,
        "established_peak": ledger.peak,
        "established_at_hold_end": hold_end.established if hold_end else None,
        "widest_off_schedule_through_hold": outcome.off_schedule,
        "away_at_hold_end": hold_end.away if hold_end else None,
        "waiting_at_hold_end": hold_end.waiting if hold_end else None,
        "half_closed_at_hold_end": hold_end.half_closed if hold_end else None,
        "attempted": tally.attempted,
        "replaced": tally.replaced,
        "reopened": tally.reopened,
        "storms": storm_results.summarise_storms(
            outcome.spec.storm, ledger.waves, ledger.timeline.rows, with_target=ledger.target is not None
        )
        or None,
        "failed": dict(tally.failed),
        "dropped": dict(tally.dropped),
        "closed": tally.closed,
        "skipped_ports": tally.skipped_ports,
        "ramp_seconds": ledger.ramp_seconds or None,
        "connections_per_second": ledger.ramp_rate,
        "teardown_seconds": outcome.teardown_seconds,
        "connect_latency_us": histogram.figures(ledger.histogram("connect_latency_us")),
        "connect_latency_from_due_us": histogram.figures(ledger.histogram("connect_latency_from_due_us")),
        "sources": sources_summary(ledger.workers),
        "first_byte_us": histogram.figures(ledger.histogram("first_byte_us")),
        "heartbeat_rtt_us": histogram.figures(ledger.histogram("heartbeat_rtt_us")),
        "alive_after_us": histogram.figures(ledger.histogram("alive_after_us")),
        "half_closed_after_us": histogram.figures(ledger.histogram("half_closed_after_us")),
        "syn_retransmissions": syn_steps(ledger.histogram("connect_latency_us")),
        "heartbeats": heartbeats(outcome, tally),
        "keepalive": keepalive(outcome, tally),
        "pushes": pushes(outcome, ledger),
        "bytes_sent": tally.bytes_sent,
        "bytes_received": tally.bytes_received,
        "workers": [worker_summary(outcome, entry) for entry in ledger.workers],
        "target": target_summary(outcome, ledger.target) if ledger.target else None,
        "reconciliation": reconciliation(outcome),
    }


def limits(outcome: Outcome) -> dict[str, Any] | None:
    """Return the fleet's ceiling, limits that were not ok before the run, and limits that became tight during it.

    None if the run ended before the limits were known.
    """
    if outcome.preflight is None:
        return None
    taken = [taken.to_summary() for taken in outcome.limit_usages.taken.values()]
    return {**limits_document(outcome.preflight), "while_running": taken}


def reconciliation(outcome: Outcome) -> dict[str, Any] | None:
    """Return the reconciliation at the end of the hold, at the end of the ramp, and at rests; None if there was no hold."""
    if outcome.hold_end is None:
        return None
    return {
        **outcome.hold_end.reconciliation.to_summary(),
        "at_ramp_end": outcome.ramp_end.reconciliation.to_summary() if outcome.ramp_end else None,
        "widest_gap_through_hold": outcome.widest_gap,
        "at_rests": [
            {"begin_seconds": rest.begin, "end_seconds": rest.end, "total": rest.total} | comparison.reconciliation.to_summary()
            for rest, comparison in outcome.rests
        ],
        "probed": asdict(outcome.probed) if outcome.probed else None,
    }


def heartbeats(outcome: Outcome, tally: Tally) -> dict[str, Any] | None:
    """Return the heartbeat results; None if the run sends none."""
    wanted = outcome.spec.beating
    return liveness.to_summary(tally.heartbeats, wanted.expect) if wanted else None


def keepalive(outcome: Outcome, tally: Tally) -> dict[str, Any] | None:
    """Return the keepalive results; None if the run uses none.

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


def pushes(outcome: Outcome, ledger: Ledger) -> dict[str, Any] | None:
    """Return the server push results; None if the run uses none."""
    if not outcome.spec.server_push:
        return None
    return liveness.push_summary(ledger.tally.pushes, ledger.target.sample.tally.pushes if ledger.target else {})


def syn_steps(connect_latency_us: Mapping[int, int]) -> dict[str, int]:
    """Return how many connects took at least 1, 3 and 7 s, which is when the kernel sends a SYN again.

    Since Linux 6.5 the first four waits are 1 s each (net.ipv4.tcp_syn_linear_timeouts), so that 3 s is the third retry.
    """
    return {f"took_{seconds}_seconds": at_least(connect_latency_us, seconds * 1_000_000) for seconds in SYN_STEPS}


def worker_summary(outcome: Outcome, entry: NodeRecord) -> dict[str, Any]:
    """Return the results of one worker."""
    tally, hold_end = entry.sample.tally, outcome.hold_end
    inspection = hold_end.inspections.get(entry.name, Inspection()) if hold_end else Inspection()
    planned = {worker.name: worker for worker in outcome.plan.workers} if outcome.plan else {}
    return {
        "node": entry.name,
        "planned": entry.planned,
        "established_peak": entry.peak,
        "established_at_hold_end": hold_end.by_worker.get(entry.name) if hold_end else None,
        "kernel_established_at_hold_end": inspection.established,
        "attempted": tally.attempted,
        "failed": dict(tally.failed),
        "dropped": dict(tally.dropped),
        "skipped_ports": tally.skipped_ports,
        "bytes_sent": tally.bytes_sent,
        "bytes_received": tally.bytes_received,
        "troubled_sources": troubled_sources(tally.sources),
        "slowest_sources": slowest_sources(entry),
        "server_said_first": entry.heard or None,
        "connect_latency_us": histogram.figures(entry.histograms.get("connect_latency_us", {})),
        "connect_latency_from_due_us": histogram.figures(entry.histograms.get("connect_latency_from_due_us", {})),
        "first_byte_us": histogram.figures(entry.histograms.get("first_byte_us", {})),
        "heartbeat_rtt_us": histogram.figures(entry.histograms.get("heartbeat_rtt_us", {})),
        "heartbeats": heartbeats(outcome, tally),
        "ramp_seconds": entry.ramp_ns / 1e9 or None,
        "shards": len(planned[entry.name].shards) if entry.name in planned else None,
        **footprint(inspection, hold_end.by_worker.get(entry.name) if hold_end else None),
        **host_findings(outcome.findings.get(entry.name, Findings()), inspection),
        "replacements": [mended.to_summary(each) for each in entry.sample.replacements],
        **lost(outcome, entry),
    }


def lost(outcome: Outcome, entry: NodeRecord) -> dict[str, Any]:
    """Return why and since when a node is lost. Its last counts are kept apart, because they do not describe the present."""
    loss = outcome.ledger.losses.get(entry.name) if outcome.ledger else None
    if loss is None:
        return {"lost": entry.lost or None, "lost_at_seconds": None, "last_known": None}
    tally = entry.sample.tally
    last_known = {"opened": tally.opened, "open": tally.open, "in_flight": tally.in_flight}
    return {"lost": loss.reason, "lost_at_seconds": loss.at_seconds, "last_known": last_known}


def target_summary(outcome: Outcome, entry: NodeRecord) -> dict[str, Any]:
    """Return the results of the target, or of the observed endpoint."""
    tally: Tally = entry.sample.tally
    hold_end = outcome.hold_end
    inspection = hold_end.inspections.get(entry.name, Inspection()) if hold_end else Inspection()
    open_then = hold_end.target_open if hold_end else None
    return {
        "node": entry.name,
        "accepted": None if outcome.spec.endpoint or entry.lost else tally.opened,
        "from_elsewhere": None if outcome.spec.endpoint or entry.lost else tally.errors.get(FROM_ELSEWHERE, 0),
        "open_at_hold_end": open_then,
        "dropped": dict(tally.dropped),
        "closed": tally.closed,
        "left_open_by_clients": outcome.left_open,
        "bytes_received": tally.bytes_received,
        "bytes_sent": tally.bytes_sent,
        "accept_delay_us": histogram.figures(entry.histograms.get("accept_delay_us", {})),
        "acceptors": outcome.plan.acceptors if outcome.plan else None,
        "acceptors_full": hold_end.acceptors_full if hold_end else None,
        **footprint(inspection, held(outcome) if outcome.spec.endpoint else open_then),
        **host_findings(outcome.findings.get(entry.name, Findings()), inspection),
        "replacements": [mended.to_summary(each) for each in entry.sample.replacements],
        **lost(outcome, entry),
    }


def held(outcome: Outcome) -> int | None:
    """Return the connections established at the end of the hold; None if there was no hold."""
    return outcome.hold_end.established if outcome.hold_end else None


def host_findings(findings: Findings, inspection: Inspection) -> dict[str, Any]:
    """Return what the kernel of a node counted, and what connections cost there."""
    return {
        "memory": findings.cost.to_summary(),
        "kernel": {
            "established_at_hold_end": inspection.established,
            "half_closed_at_hold_end": inspection.half_closed,
            "in_accept_queues_at_hold_end": inspection.in_accept_queues,
            "counters": dict(findings.counters),
            "levels_at_hold_end": dict(findings.levels),
        },
        "observing": findings.observing(),
    }


def footprint(inspection: Inspection, connections: int | None) -> dict[str, Any]:
    """Return memory and CPU of all processes of a node while connections were held. None is unknown."""
    per_connection = inspection.pss_bytes / connections if inspection.pss_bytes and connections else None
    return {
        "rss_bytes": inspection.rss_bytes,
        "pss_bytes": inspection.pss_bytes,
        "pss_bytes_per_connection": per_connection,
        "cpu_seconds": inspection.cpu_seconds,
        "unknown": list(inspection.unknown),
    }


def environment(outcome: Outcome) -> dict[str, Any]:
    """Return the host of each node that was described."""
    hosts = {name: (described.host, described.clock) for name, described in outcome.workers.items()}
    if outcome.target and outcome.ledger and outcome.ledger.target:
        hosts[outcome.ledger.target.name] = outcome.target.host, outcome.target.clock
    return {name: host_summary(host, clock) for name, (host, clock) in hosts.items()}


def host_summary(host: Host, clock: Clock | None) -> dict[str, Any]:
    """Return a node's machine, kernel settings and versions. ``clock``: None if its offset was not measured."""
    return {
        "hostname": host.hostname,
        "kernel": host.kernel,
        "cores": host.cores,
        "memory_total_bytes": host.memory_total_bytes,
        "memory_available_bytes_before": host.memory_available_bytes,
        "descriptors_per_process": host.descriptors_per_process,
        "machine": dict(host.machine),
        "sysctls": dict(host.facts),
        "versions": {"c1m": host.version, "protocol": host.protocol},
        "clock_offset_seconds": clock.offset_seconds if clock else None,
        "clock_uncertainty_seconds": clock.uncertainty_seconds if clock else None,
    }


def instant(moment: datetime | None) -> str | None:
    """Return a time in ISO 8601 with milliseconds; None for None."""
    return moment.isoformat(timespec="milliseconds") if moment else None
