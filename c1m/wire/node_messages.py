"""Converts between protobuf messages and values. No other package uses generated classes and values together."""

from __future__ import annotations

from dataclasses import asdict

from c1m.errors import UsageError
from c1m.measure.phase import Phase
from c1m.measure.sample import Cache, Change, Host, Inspection, Reading, Replacement, Sample
from c1m.measure.sampling import SAMPLE_SECONDS, SILENCE_SECONDS, SamplingInterval
from c1m.measure.source_latency import SourceLatency
from c1m.measure.tally import ON_WIRE, Tally, maps_of, numbers_of
from c1m.traffic.heartbeat import Expect, Heartbeat
from c1m.traffic.slow_clients import LONGEST_REQUEST, SlowClients
from c1m.traffic.turnover import Wave
from c1m.v1 import node_pb2, target_pb2, worker_pb2

from . import bounds
from .reason_messages import (
    closing_from_wire,
    closing_to_wire,
    exit_from_wire,
    exit_to_wire,
    exits_from_wire,
    halt_from_wire,
    halt_to_wire,
)
from .schedule_messages import revision_from_wire, revision_to_wire


def host_to_wire(host: Host) -> node_pb2.Host:
    """Return the protobuf message for the description of a host."""
    return node_pb2.Host(
        protocol=host.protocol,
        version=host.version,
        boot_id=host.boot_id,
        hostname=host.hostname,
        kernel=host.kernel,
        cores=host.cores,
        memory_total_bytes=host.memory_total_bytes,
        memory_available_bytes=host.memory_available_bytes,
        descriptors_per_process=host.descriptors_per_process,
        connections_per_process=host.connections_per_process,
        network_namespace=host.network_namespace,
        facts=host.facts,
        machine=host.machine,
        merged_caches={name: " ".join(names) for name, names in host.merged_caches.items()},
        limits=host.limits,
        levels=host.levels,
        unknown=host.unknown,
        tunable=host.tunable,
        wall_clock_ns=host.wall_clock_ns,
        answered_within_ns=host.answered_within_ns,
    )


def host_from_wire(host: node_pb2.Host) -> Host:
    """Return the description of a host from its protobuf message.

    Raises UsageError for more CPUs than any machine has, because a node starts a process on each.
    """
    return Host(
        protocol=host.protocol,
        version=host.version,
        boot_id=host.boot_id,
        hostname=host.hostname,
        kernel=host.kernel,
        cores=bounds.within("processors", host.cores, 0, bounds.MOST_CORES),
        memory_total_bytes=host.memory_total_bytes if host.HasField("memory_total_bytes") else None,
        memory_available_bytes=host.memory_available_bytes if host.HasField("memory_available_bytes") else None,
        descriptors_per_process=host.descriptors_per_process,
        connections_per_process=host.connections_per_process,
        network_namespace=host.network_namespace,
        facts=dict(host.facts),
        machine=dict(host.machine),
        merged_caches={name: tuple(names.split()) for name, names in host.merged_caches.items()},
        limits=dict(host.limits),
        levels=dict(host.levels),
        unknown=dict(host.unknown),
        tunable=host.tunable,
        wall_clock_ns=host.wall_clock_ns,
        answered_within_ns=host.answered_within_ns,
    )


def change_to_wire(change: Change) -> node_pb2.Change:
    """Return the protobuf message for a change of a host's setting."""
    return node_pb2.Change(**asdict(change))


def change_from_wire(change: node_pb2.Change) -> Change:
    """Return the change of a host's setting from its protobuf message."""
    return Change(
        name=change.name,
        before=change.before if change.HasField("before") else None,
        wanted=change.wanted,
        after=change.after if change.HasField("after") else None,
        reason=change.reason,
    )


def sample_to_wire(sample: Sample) -> node_pb2.Sample:
    """Return the protobuf message for a sample of a node's run."""
    return node_pb2.Sample(
        phase=node_pb2.Phase.Name(sample.phase),
        tally=tally_to_wire(sample.tally),
        opened_within_ns=sample.opened_within_ns,
        cpu_seconds=sample.cpu_seconds,
        processes=sample.processes,
        exit_reasons=map(str, sample.exit_reasons),
        exits=map(exit_to_wire, sample.exit_reasons),
        replacements=map(replacement_to_wire, sample.replacements),
        halted=str(sample.halted or ""),
        halt=halt_to_wire(sample.halted) if sample.halted else None,
        histograms={
            name: node_pb2.Histogram(values_us=counts.keys(), counts=counts.values())
            for name, counts in sample.histograms.items()
        },
        sources=[node_pb2.SourceLatency(**asdict(source)) for source in sample.sources],
        full_acceptors=sample.full_acceptors,
        reading=reading_to_wire(sample.reading) if sample.reading else None,
        first_received=sample.first_received,
        elapsed_ns=sample.elapsed_ns,
        scheduled=sample.scheduled,
        schedule_version=sample.schedule_version,
        schedule=revision_to_wire(sample.revision) if sample.revision else None,
        reached_ns=sample.reached_ns,
        waves=[node_pb2.StormWave(**asdict(wave)) for wave in sample.waves],
        turnover_stopped=sample.turnover_stopped,
        taken_ns=sample.taken_ns,
        closing_reason=str(sample.closing_reason or ""),
        closing=closing_to_wire(sample.closing_reason) if sample.closing_reason else None,
    )


def sample_from_wire(sample: node_pb2.Sample) -> Sample:
    """Return the sample of a node's run from its protobuf message. Raises UsageError for values that no c1m node sends."""
    return Sample(
        phase=bounds.member(Phase, sample.phase),
        tally=tally_from_wire(sample.tally),
        opened_within_ns=sample.opened_within_ns,
        cpu_seconds=bounds.amount("CPU seconds", sample.cpu_seconds),
        processes=sample.processes,
        exit_reasons=tuple(exits_from_wire(sample)),
        replacements=tuple(map(replacement_from_wire, sample.replacements)),
        halted=halt_from_wire(sample),
        histograms={name: histogram_from_wire(found) for name, found in sample.histograms.items()},
        sources=tuple(
            SourceLatency(each.kind, each.source, each.count, each.p50_us, each.p99_us, each.max_us) for each in sample.sources
        ),
        full_acceptors=sample.full_acceptors,
        reading=reading_from_wire(sample.reading) if sample.HasField("reading") else None,
        first_received=sample.first_received,
        elapsed_ns=sample.elapsed_ns,
        scheduled=sample.scheduled if sample.HasField("scheduled") else None,
        schedule_version=sample.schedule_version,
        revision=revision_from_wire(sample.schedule) if sample.HasField("schedule") else None,
        reached_ns=dict(sample.reached_ns),
        waves=tuple(map(wave_from_wire, sample.waves)),
        turnover_stopped=sample.turnover_stopped,
        taken_ns=sample.taken_ns,
        closing_reason=closing_from_wire(sample),
    )


def tally_to_wire(tally: Tally) -> node_pb2.Tally:
    """Return the protobuf message that carries a tally. Its fields have the names of the counters."""
    return node_pb2.Tally(**{name: getattr(tally, name) for name in ON_WIRE})


def tally_from_wire(tally: node_pb2.Tally) -> Tally:
    """Return the tally that a protobuf message carries."""
    return Tally.of(numbers_of(tally), map(dict, maps_of(tally)))


def wave_from_wire(wave: node_pb2.StormWave) -> Wave:
    """Return the effect of a storm from its protobuf message.

    Raises UsageError for times that are not finite numbers of zero or more.
    """
    recovered, slowest = (bounds.amount("seconds", each) for each in (wave.recovered_seconds, wave.slowest_seconds))
    return Wave(wave.dropped, wave.returned, recovered, slowest, wave.forgone)


def pace_from_wire(request: worker_pb2.WatchRequest | target_pb2.TargetServiceWatchRequest) -> SamplingInterval:
    """Return the sampling interval that a Watch request asks for. Raises UsageError if it is out of range."""
    seconds = bounds.within("a time between samples in seconds", request.sample_seconds, 0.0, SILENCE_SECONDS)
    return SamplingInterval(seconds or SAMPLE_SECONDS, request.reading_every or 1)


def replacement_to_wire(replacement: Replacement) -> node_pb2.Replacement:
    """Return the protobuf message that carries a replacement."""
    return node_pb2.Replacement(
        exit_reason=str(replacement.exit_reason),
        exit=exit_to_wire(replacement.exit_reason),
        connections=replacement.connections,
        ended_ns=replacement.ended_ns,
        after_ns=replacement.after_ns,
    )


def replacement_from_wire(message: node_pb2.Replacement) -> Replacement:
    """Return the record of a replaced child process from its protobuf message."""
    ended_ns = message.ended_ns if message.HasField("ended_ns") else None
    return Replacement(exit_from_wire(message.exit, message.exit_reason), message.connections, ended_ns, message.after_ns)


def histogram_from_wire(histogram: node_pb2.Histogram) -> dict[int, int]:
    """Return a histogram, {microseconds: count}, from its protobuf message.

    Raises UsageError if values and counts differ in number.
    """
    values, counts = histogram.values_us, histogram.counts
    if len(values) != len(counts):
        raise UsageError(f"a histogram of {len(values):,} values has {len(counts):,} counts")
    return dict(zip(values, counts, strict=True))


def reading_to_wire(reading: Reading) -> node_pb2.Reading:
    """Return the protobuf message for a reading of a host. Caches without memory are left out."""
    return node_pb2.Reading(
        number=reading.number,
        sockets=reading.sockets,
        slab_bytes=reading.slab_bytes,
        pss_bytes=reading.pss_bytes,
        caches={name: cache_to_wire(cache) for name, cache in reading.caches.items() if cache.page_bytes},
        counters=reading.counters,
        levels=reading.levels,
        cost_seconds=reading.cost_seconds,
        unknown=reading.unknown,
    )


def cache_to_wire(cache: Cache) -> node_pb2.Cache:
    """Return the protobuf message for a slab cache.

    There are a few hundred caches once a second; ``asdict`` would take ten times as long.
    """
    return node_pb2.Cache(
        objects=cache.objects, object_bytes=cache.object_bytes, full_bytes=cache.full_bytes, page_bytes=cache.page_bytes
    )


def reading_from_wire(reading: node_pb2.Reading) -> Reading:
    """Return the reading of a host from its protobuf message.

    Raises UsageError if its cost is not a finite number of zero or more.
    """
    return Reading(
        number=reading.number,
        sockets=reading.sockets if reading.HasField("sockets") else None,
        slab_bytes=reading.slab_bytes if reading.HasField("slab_bytes") else None,
        pss_bytes=reading.pss_bytes if reading.HasField("pss_bytes") else None,
        caches={
            name: Cache(cache.objects, cache.object_bytes, cache.full_bytes, cache.page_bytes)
            for name, cache in reading.caches.items()
        },
        counters=dict(reading.counters),
        levels=dict(reading.levels),
        cost_seconds=bounds.amount("seconds", reading.cost_seconds),
        unknown=tuple(reading.unknown),
    )


def inspection_to_wire(inspection: Inspection) -> node_pb2.Inspection:
    """Return the protobuf message for the kernel's counts of a node's run."""
    return node_pb2.Inspection(
        established=inspection.established,
        in_accept_queues=inspection.in_accept_queues,
        half_closed=inspection.half_closed,
        in_syn_queues=inspection.in_syn_queues,
        rss_bytes=inspection.rss_bytes,
        pss_bytes=inspection.pss_bytes,
        cpu_seconds=inspection.cpu_seconds,
        unknown=inspection.unknown,
        reading=reading_to_wire(inspection.reading) if inspection.reading else None,
    )


def inspection_from_wire(message: node_pb2.Inspection) -> Inspection:
    """Return the kernel's counts of a node's run from their protobuf message.

    Raises UsageError for values that no c1m node sends.
    """
    return Inspection(
        established=message.established if message.HasField("established") else None,
        in_accept_queues=message.in_accept_queues if message.HasField("in_accept_queues") else None,
        half_closed=message.half_closed if message.HasField("half_closed") else None,
        in_syn_queues=message.in_syn_queues if message.HasField("in_syn_queues") else None,
        rss_bytes=message.rss_bytes if message.HasField("rss_bytes") else None,
        pss_bytes=message.pss_bytes if message.HasField("pss_bytes") else None,
        cpu_seconds=bounds.amount("CPU seconds", message.cpu_seconds) if message.HasField("cpu_seconds") else None,
        unknown=tuple(message.unknown),
        reading=reading_from_wire(message.reading) if message.HasField("reading") else None,
    )


def slow_to_wire(slow: SlowClients) -> worker_pb2.SlowClients:
    """Return the protobuf message for the settings of slow clients."""
    return worker_pb2.SlowClients(interval_seconds=slow.interval, request=slow.request, half_open=slow.half_open)


def slow_from_wire(message: worker_pb2.SlowClients) -> SlowClients:
    """Return the settings of slow clients from their protobuf message.

    Raises UsageError if the interval or the length of the request is out of range.
    """
    if message.interval_seconds:
        bounds.within("an interval in seconds", message.interval_seconds, 1 / bounds.MOST_TRICKLE, bounds.LONGEST_SECONDS)
    if message.interval_seconds and not 1 <= len(message.request) <= LONGEST_REQUEST:
        raise UsageError(f"a request of {len(message.request):,} bytes cannot be sent a byte at a time")
    return SlowClients(message.interval_seconds, message.request, message.half_open)


def heartbeat_to_wire(heartbeat: Heartbeat) -> worker_pb2.Heartbeat:
    """Return the protobuf message for the heartbeat settings of a run."""
    return worker_pb2.Heartbeat(
        interval_seconds=heartbeat.interval,
        payload_bytes=heartbeat.payload,
        send=heartbeat.send,
        expect=worker_pb2.Expect.Name(heartbeat.expect),
        prefix=heartbeat.prefix,
    )


def heartbeat_from_wire(message: worker_pb2.Heartbeat) -> Heartbeat:
    """Return the heartbeat settings of a run from their protobuf message. Raises UsageError if a value is out of range."""
    try:
        expect = Expect(message.expect)
        return Heartbeat(message.interval_seconds, message.payload_bytes, message.send, expect, message.prefix)
    except ValueError as error:
        raise UsageError(f"the heartbeat of a request is invalid: {error}") from None
