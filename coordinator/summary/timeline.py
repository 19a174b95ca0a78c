"""The timeline of a summary: columns of equal length with a value for each row. None: unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from .units import LEFT_OUT, Bytes, Count, Microseconds, Percent, PerSecond, Seconds


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """What the run did from a moment on."""

    seconds: Annotated[Seconds, "The moment, since the start."]
    doing: Annotated[str, "What the run did from then on."]


@dataclass(frozen=True, slots=True)
class LatencyColumns:
    """Latencies in the interval that ends with each row; null if nothing was measured in it."""

    count: Annotated[Sequence[Count], "How many times it was measured."]
    p50: Annotated[Sequence[Microseconds | None], "The median."]
    p99: Annotated[Sequence[Microseconds | None], "The 99th percentile."]
    max: Annotated[Sequence[Microseconds | None], "The longest."]


@dataclass(frozen=True, slots=True)
class NodeColumns:
    """CPU and memory of a node over time."""

    cpu_percent: Annotated[Sequence[Percent | None], "CPU use of its shards or acceptors; 100 is one processor."]
    pss_bytes: Annotated[Sequence[Bytes | None], "Proportional memory of all its processes."]


@dataclass(frozen=True, slots=True)
class HostColumns:
    """Sockets, kernel memory and counters of a host over time."""

    sockets: Annotated[Sequence[Count | None], "TCP sockets of the whole machine."]
    slab_bytes: Annotated[Sequence[Bytes | None], "Memory of kernel objects."]
    levels: Annotated[Mapping[str, Sequence[Count | None]], "Level -> its values; only levels that changed."]
    counters: Annotated[Mapping[str, Sequence[Count | None]], "Counter -> events of each interval; only counters that rose."]


@dataclass(frozen=True, slots=True)
class TimelineSummary:
    """Counts over time. Counts of events are cumulative, rates are of the interval that ends with the row."""

    turns: Annotated[tuple[TurnSummary, ...], "What the run did, and since when."]
    seconds: Annotated[Sequence[Seconds], "The moments of the rows, since the start."]
    scheduled: Annotated[Sequence[Count | None], "Connections that should be open by the schedule."]
    established: Annotated[Sequence[Count], "Connections that the workers have open."]
    opened: Annotated[Sequence[Count], "Connections opened so far."]
    opened_per_second: Annotated[Sequence[PerSecond | None], "Connections opened per second."]
    away: Annotated[Sequence[Count], "Clients that are disconnected because the run requires it."]
    waiting: Annotated[Sequence[Count], "Clients that wait before another attempt."]
    replaced: Annotated[Sequence[Count], "Connections closed so far at the end of their lifetimes."]
    failed: Annotated[Sequence[Count], "Attempts that failed so far."]
    dropped: Annotated[Sequence[Count], "Connections lost so far."]
    accepted: Annotated[Sequence[Count | None], "Connections that the target accepted so far."]
    target_open: Annotated[Sequence[Count | None], "Connections that the target has open."]
    connect_latency_us: Annotated[LatencyColumns | None, "From the call of connect to the answer.", LEFT_OUT]
    first_byte_us: Annotated[LatencyColumns | None, "From the establishment to the first byte.", LEFT_OUT]
    heartbeat_rtt_us: Annotated[LatencyColumns | None, "From a heartbeat to its answer.", LEFT_OUT]
    connect_latency_from_due_us: Annotated[LatencyColumns | None, "From when due to the answer.", LEFT_OUT]
    accept_delay_us: Annotated[LatencyColumns | None, "The longest wait of each batch of accepts.", LEFT_OUT]
    nodes: Annotated[Mapping[str, NodeColumns], "CPU and memory of each node."]
    hosts: Annotated[Mapping[str, HostColumns], "Sockets, kernel memory and counters of each host."]
