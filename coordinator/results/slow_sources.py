"""Latencies and failures by source address: which addresses were slow, and from which connects failed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from heapq import nsmallest

from c1m.coordinator.ledger.latency_kinds import CONNECT, FIRST_BYTE, HEARTBEAT, LABELS
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.summary.latencies import (
    CountedSpread,
    LatencyFigures,
    NodeSource,
    SourceRow,
    SourcesSummary,
    Spread,
    TroubledSource,
)
from c1m.measure.source_latency import SourceLatency, block_of

from . import histogram

WORST = 20  # addresses listed with slow or failed handshakes, and as the slowest of all nodes
SLOWEST = 256  # addresses listed of each node; nodes with more than a /24 report blocks of addresses


@dataclass(frozen=True, slots=True)
class Source:
    """The latencies and failures of one source address of a node, or of a block of addresses."""

    name: str
    latencies: Mapping[str, SourceLatency] = field(default_factory=dict)  # by kind, as far as they were measured
    slow: int = 0  # handshakes that took a second or longer
    failed: int = 0

    def place(self, kind: str) -> tuple[bool, int, int, str]:
        """Return the key by which source addresses are sorted: those without a measurement first, then the slowest.

        Equal sources are sorted by name, so that a replayed run has the same order.
        """
        found = self.latencies.get(kind)
        return found is not None, -found.p99_us if found else 0, -self.failed, self.name

    def to_summary(self, kinds: Collection[str]) -> SourceRow:
        """Return the source as the summary has it. ``kinds``: those that any node measured."""
        connect = self.latencies.get(CONNECT)
        return SourceRow(
            source=self.name,
            established=connect.count if connect else 0,
            connect=spread(connect),
            first_byte=counted(self.latencies.get(FIRST_BYTE)) if FIRST_BYTE in kinds else None,
            heartbeat_rtt=counted(self.latencies.get(HEARTBEAT)) if HEARTBEAT in kinds else None,
            slow=self.slow,
            failed=self.failed,
        )


def spread(found: SourceLatency | None) -> Spread:
    """Return the percentiles of a source; None if nothing was measured."""
    return Spread(found.p50_us, found.p99_us, found.max_us) if found else Spread()


def counted(found: SourceLatency | None) -> CountedSpread:
    """Return the percentiles of a source, and how many measurements there were."""
    return CountedSpread(found.count if found else 0, spread(found))


def sources_of(entry: NodeRecord) -> list[Source]:
    """Return all source addresses of a node with a measured latency or with a slow or failed handshake."""
    by_name: dict[str, dict[str, SourceLatency]] = {}
    for latency in entry.sources:
        by_name.setdefault(latency.source, {})[latency.kind] = latency
    troubled = troubles(entry.sample.tally.sources, by_name.keys())
    return [Source(name, by_name.get(name, {}), **troubled.get(name, {})) for name in {**by_name, **troubled}]


def troubles(counts: Mapping[str, int], blocks: Set[str] = frozenset()) -> dict[str, dict[str, int]]:
    """Return source address -> its numbers of slow and failed handshakes.

    Addresses within one of ``blocks`` are added up by block.
    """
    found: dict[str, dict[str, int]] = {}
    for name, count in counts.items():
        source, _, what = name.rpartition(" ")
        block = block_of(source)
        of = found.setdefault(block if block in blocks else source, {"slow": 0, "failed": 0})
        of[what] += count
    return found


def troubled_sources(counts: Mapping[str, int]) -> dict[str, TroubledSource]:
    """Return source address -> slow and failed handshakes, for the WORST addresses with the most of them."""
    worst = sorted(troubles(counts).items(), key=lambda item: (-sum(item[1].values()), item[0]))
    return {name: TroubledSource(**found) for name, found in worst[:WORST]}


def measured_by(workers: Sequence[NodeRecord]) -> list[str]:
    """Return the kinds of latency that any worker measured by source address. Connect latency is always one of them."""
    measured = {each.kind for entry in workers for each in entry.sources}
    return [kind for kind in LABELS if kind in measured or kind == CONNECT]


def slowest_sources(entry: NodeRecord) -> tuple[SourceRow, ...]:
    """Return up to SLOWEST sources of a node, slowest connects first."""
    found = sorted(sources_of(entry), key=lambda source: source.place(CONNECT))
    kinds = measured_by([entry])
    return tuple(source.to_summary(kinds) for source in found[:SLOWEST])


def sources_summary(workers: Sequence[NodeRecord]) -> SourcesSummary:
    """Return the part of the summary on source addresses: for each kind of latency the spread of p99, and the slowest."""
    found = [(source, entry.name) for entry in workers for source in sources_of(entry)]
    kinds = measured_by(workers)

    def distribution(kind: str) -> LatencyFigures:
        return histogram.figures(Counter(source.latencies[kind].p99_us for source, _ in found if kind in source.latencies))

    def slowest(kind: str) -> tuple[NodeSource, ...]:
        worst = nsmallest(WORST, found, key=lambda item: item[0].place(kind)) if kind in kinds else []
        return tuple(NodeSource(node, source.to_summary(kinds)) for source, node in worst)

    return SourcesSummary(
        connect_p99_us=distribution(CONNECT),
        slowest=slowest(CONNECT),
        first_byte_p99_us=distribution(FIRST_BYTE),
        slowest_first_byte=slowest(FIRST_BYTE),
        heartbeat_rtt_p99_us=distribution(HEARTBEAT),
        slowest_heartbeat_rtt=slowest(HEARTBEAT),
    )


# -- read by kind


def distribution_of(sources: SourcesSummary, kind: str) -> tuple[LatencyFigures, tuple[NodeSource, ...]]:
    """Return how the p99 of a kind is distributed over the sources, and the slowest sources."""
    return {
        CONNECT: (sources.connect_p99_us, sources.slowest),
        FIRST_BYTE: (sources.first_byte_p99_us, sources.slowest_first_byte),
        HEARTBEAT: (sources.heartbeat_rtt_p99_us, sources.slowest_heartbeat_rtt),
    }[kind]


def measured_of(row: SourceRow, kind: str) -> CountedSpread:
    """Return what was measured of a kind from a source; a count of 0 if no node measured it."""
    found = {
        CONNECT: CountedSpread(row.established, row.connect),
        FIRST_BYTE: row.first_byte,
        HEARTBEAT: row.heartbeat_rtt,
    }[kind]
    return found or CountedSpread(0, Spread())
