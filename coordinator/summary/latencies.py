"""Latencies of a summary: the percentiles of a histogram, and the same by source address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .units import LEFT_OUT, Count, Inline, Microseconds


@dataclass(frozen=True, slots=True)
class LatencyFigures:
    """Percentiles of a latency, with an error of at most 0.2 %. Without measurements JSON has only a count of 0."""

    count: Annotated[Count, "How many times it was measured."]
    min: Annotated[Microseconds | None, "The shortest.", LEFT_OUT] = None
    p50: Annotated[Microseconds | None, "The median.", LEFT_OUT] = None
    p90: Annotated[Microseconds | None, "The 90th percentile.", LEFT_OUT] = None
    p99: Annotated[Microseconds | None, "The 99th percentile.", LEFT_OUT] = None
    p999: Annotated[Microseconds | None, "The 99.9th percentile.", LEFT_OUT] = None
    max: Annotated[Microseconds | None, "The longest.", LEFT_OUT] = None


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of the latencies from one source address, with an error of at most 13 %. None: nothing was measured."""

    p50_us: Annotated[Microseconds | None, "The median."] = None
    p99_us: Annotated[Microseconds | None, "The 99th percentile."] = None
    max_us: Annotated[Microseconds | None, "The longest."] = None


@dataclass(frozen=True, slots=True)
class CountedSpread:
    """Percentiles of the latencies from one source address, and how many there were."""

    count: Annotated[Count, "How many times it was measured."]
    spread: Annotated[Spread, Inline()]


@dataclass(frozen=True, slots=True)
class SourceRow:
    """The connections from a source address of a node, or from a block of them. Kinds that no node measured are left out."""

    source: Annotated[str, "The address; 10.0.3.* is a block, and others are all that were not separated."]
    established: Annotated[Count, "Connections established from it."]
    connect: Annotated[Spread, "Time from the call of connect to the answer.", Inline("connect_")]
    first_byte: Annotated[CountedSpread | None, "Time from the establishment to the first byte.", Inline("first_byte_")]
    heartbeat_rtt: Annotated[CountedSpread | None, "Time from a heartbeat to its answer.", Inline("heartbeat_rtt_")]
    slow: Annotated[Count, "Handshakes that took a second or longer."]
    failed: Annotated[Count, "Handshakes that failed."]


@dataclass(frozen=True, slots=True)
class NodeSource:
    """A source address, and the node that it belongs to."""

    node: Annotated[str, "The node."]
    row: Annotated[SourceRow, Inline()]


@dataclass(frozen=True, slots=True)
class SourcesSummary:
    """How latencies differ between the source addresses of all nodes, and which are slowest, at most 20 of each kind."""

    connect_p99_us: Annotated[LatencyFigures, "How the p99 of connects is distributed over the addresses."]
    slowest: Annotated[tuple[NodeSource, ...], "The addresses with the slowest connects, the slowest first."]
    first_byte_p99_us: Annotated[LatencyFigures, "How the p99 of first bytes is distributed over the addresses."]
    slowest_first_byte: Annotated[tuple[NodeSource, ...], "The addresses with the slowest first bytes."]
    heartbeat_rtt_p99_us: Annotated[LatencyFigures, "How the p99 of heartbeats is distributed over the addresses."]
    slowest_heartbeat_rtt: Annotated[tuple[NodeSource, ...], "The addresses with the slowest heartbeats."]


@dataclass(frozen=True, slots=True)
class TroubledSource:
    """Slow and failed handshakes of one address."""

    slow: Annotated[Count, "Handshakes that took a second or longer."] = 0
    failed: Annotated[Count, "Handshakes that failed."] = 0
