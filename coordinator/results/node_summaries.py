"""The results of each node: what it counted, what it used, what its host and kernel had, and its loss. Pure."""

from __future__ import annotations

from c1m.coordinator.fleet.clock_offset import Clock
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.summary.nodes import (
    Footprint,
    HostFindings,
    HostSummary,
    KernelCounts,
    LastKnown,
    Lost,
    TargetSummary,
    Versions,
    WorkerSummary,
)
from c1m.coordinator.summary.traffic import HeartbeatResults
from c1m.measure.sample import Host, Inspection
from c1m.measure.tally import FROM_ELSEWHERE, Tally

from . import heartbeats as liveness
from . import histogram
from . import replacements as mended
from .host_findings import Findings
from .outcome import Outcome
from .slow_sources import slowest_sources, troubled_sources


def worker_summary(outcome: Outcome, entry: NodeRecord) -> WorkerSummary:
    """Return the results of one worker."""
    tally, hold_end = entry.sample.tally, outcome.hold_end
    inspection, held = inspection_of(outcome, entry), hold_end.by_worker.get(entry.name) if hold_end else None
    planned = {worker.name: worker for worker in outcome.plan.workers} if outcome.plan else {}
    return WorkerSummary(
        node=entry.name,
        planned=entry.planned,
        established_peak=entry.peak,
        established_at_hold_end=held,
        kernel_established_at_hold_end=inspection.established,
        counts=tally,
        troubled_sources=troubled_sources(tally.sources),
        slowest_sources=slowest_sources(entry),
        server_said_first=entry.heard or None,
        connect_latency_us=histogram.figures(entry.histograms.get("connect_latency_us", {})),
        connect_latency_from_due_us=histogram.figures(entry.histograms.get("connect_latency_from_due_us", {})),
        first_byte_us=histogram.figures(entry.histograms.get("first_byte_us", {})),
        heartbeat_rtt_us=histogram.figures(entry.histograms.get("heartbeat_rtt_us", {})),
        heartbeats=heartbeats(outcome, tally),
        ramp_seconds=entry.ramp_ns / 1e9 or None,
        shards=len(planned[entry.name].shards) if entry.name in planned else None,
        footprint=footprint(inspection, held),
        host=host_findings(outcome.findings.get(entry.name, Findings()), inspection),
        replacements=tuple(mended.to_summary(each) for each in entry.sample.replacements),
        loss=lost(outcome, entry),
    )


def target_summary(outcome: Outcome, entry: NodeRecord) -> TargetSummary:
    """Return the results of the target, or of the observed endpoint."""
    tally, hold_end, inspection = entry.sample.tally, outcome.hold_end, inspection_of(outcome, entry)
    open_then = hold_end.target_open if hold_end else None
    counts = not (outcome.spec.endpoint or entry.lost)  # an observer does not accept
    held = hold_end.established if outcome.spec.endpoint and hold_end else open_then
    return TargetSummary(
        node=entry.name,
        accepted=tally.opened if counts else None,
        from_elsewhere=tally.errors.get(FROM_ELSEWHERE, 0) if counts else None,
        open_at_hold_end=open_then,
        counts=tally,
        left_open_by_clients=outcome.left_open,
        accept_delay_us=histogram.figures(entry.histograms.get("accept_delay_us", {})),
        acceptors=outcome.plan.acceptors if outcome.plan else None,
        acceptors_full=hold_end.acceptors_full if hold_end else None,
        footprint=footprint(inspection, held),
        host=host_findings(outcome.findings.get(entry.name, Findings()), inspection),
        replacements=tuple(mended.to_summary(each) for each in entry.sample.replacements),
        loss=lost(outcome, entry),
    )


def inspection_of(outcome: Outcome, entry: NodeRecord) -> Inspection:
    """Return the sockets, memory and CPU time that a node counted at the end of the hold.

    Each value is unknown if there was no hold.
    """
    return outcome.hold_end.inspections.get(entry.name, Inspection()) if outcome.hold_end else Inspection()


def heartbeats(outcome: Outcome, tally: Tally) -> HeartbeatResults | None:
    """Return the heartbeat results; None if the run sends none."""
    wanted = outcome.spec.beating
    return liveness.to_summary(tally.heartbeats, wanted.expect) if wanted else None


def lost(outcome: Outcome, entry: NodeRecord) -> Lost:
    """Return why and since when a node is lost. Its last counts are kept apart, because they do not describe the present."""
    loss = outcome.ledger.losses.get(entry.name) if outcome.ledger else None
    if loss is None:
        return Lost(None, None, None)
    tally = entry.sample.tally
    return Lost(loss.reason, loss.at_seconds, LastKnown(tally.opened, tally.open, tally.in_flight))


def host_findings(findings: Findings, inspection: Inspection) -> HostFindings:
    """Return what the kernel of a node counted, and what connections cost there."""
    kernel = KernelCounts(
        established_at_hold_end=inspection.established,
        half_closed_at_hold_end=inspection.half_closed,
        in_accept_queues_at_hold_end=inspection.in_accept_queues,
        counters=findings.counters,
        levels_at_hold_end=findings.levels,
    )
    return HostFindings(findings.cost, kernel, findings.observing)


def footprint(inspection: Inspection, connections: int | None) -> Footprint:
    """Return memory and CPU of all processes of a node while connections were held. None is unknown."""
    return Footprint(
        rss_bytes=inspection.rss_bytes,
        pss_bytes=inspection.pss_bytes,
        pss_bytes_per_connection=inspection.pss_bytes / connections if inspection.pss_bytes and connections else None,
        cpu_seconds=inspection.cpu_seconds,
        unknown=inspection.unknown,
    )


def environment(outcome: Outcome) -> dict[str, HostSummary]:
    """Return the host of each node that was described."""
    hosts = {name: (described.host, described.clock) for name, described in outcome.workers.items()}
    if outcome.target and outcome.ledger and outcome.ledger.target:
        hosts[outcome.ledger.target.name] = outcome.target.host, outcome.target.clock
    return {name: host_summary(host, clock) for name, (host, clock) in hosts.items()}


def host_summary(host: Host, clock: Clock | None) -> HostSummary:
    """Return a node's machine, kernel settings and versions. ``clock``: None if its offset was not measured."""
    return HostSummary(
        hostname=host.hostname,
        kernel=host.kernel,
        cores=host.cores,
        memory_total_bytes=host.memory_total_bytes,
        memory_available_bytes_before=host.memory_available_bytes,
        descriptors_per_process=host.descriptors_per_process,
        machine=host.machine,
        sysctls=host.facts,
        versions=Versions(host.version, host.protocol),
        clock_offset_seconds=clock.offset_seconds if clock else None,
        clock_uncertainty_seconds=clock.uncertainty_seconds if clock else None,
    )
