"""Latencies and failures by source address: which addresses were slow, and from which connects failed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any

from c1m.coordinator.ledger.latency_kinds import CONNECT, LABELS, prefix
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.measure.source_latency import SourceLatency, block_of

from . import histogram

WORST = 20  # addresses listed with slow or failed handshakes, and as the slowest of all nodes
SLOWEST = 256  # addresses listed of each node; nodes with more than a /24 report blocks of addresses


@dataclass(frozen=True, slots=True)
class Source:
    """A source address of a node, or a block of them."""

    name: str
    latencies: Mapping[str, SourceLatency] = field(default_factory=dict)  # by kind, as far as they were measured
    slow: int = 0  # handshakes that took a second or longer
    failed: int = 0

    def place(self, kind: str) -> tuple[bool, int, int, str]:
        """Return a sort key: sources without a measurement first, then the slowest.

        Equal sources are sorted by name, so that a replayed run has the same order.
        """
        found = self.latencies.get(kind)
        return found is not None, -found.p99_us if found else 0, -self.failed, self.name

    def to_summary(self, kinds: Sequence[str]) -> dict[str, Any]:
        """Return the source as JSON. Latencies are None if nothing was measured."""
        row: dict[str, Any] = {"source": self.name}
        for kind in kinds:
            row |= columns(kind, self.latencies.get(kind))
        return row | {"slow": self.slow, "failed": self.failed}


def columns(kind: str, found: SourceLatency | None) -> dict[str, int | None]:
    """Return the fields of one kind of latency; None if nothing was measured."""
    return {
        count_name(kind): found.count if found else 0,
        f"{prefix(kind)}_p50_us": found.p50_us if found else None,
        f"{prefix(kind)}_p99_us": found.p99_us if found else None,
        f"{prefix(kind)}_max_us": found.max_us if found else None,
    }


def count_name(kind: str) -> str:
    """Return the field with the number of measurements of a kind."""
    return "established" if kind == CONNECT else f"{prefix(kind)}_count"


def sources_of(entry: NodeRecord) -> list[Source]:
    """Return all sources of a node with a measured latency or with a slow or failed handshake."""
    by_name: dict[str, dict[str, SourceLatency]] = {}
    for latency in entry.sources:
        by_name.setdefault(latency.source, {})[latency.kind] = latency
    troubled = troubles(entry.sample.tally.sources, by_name.keys())
    return [Source(name, by_name.get(name, {}), **troubled.get(name, {})) for name in {**by_name, **troubled}]


def troubles(counts: Mapping[str, int], blocks: Set[str] = frozenset()) -> dict[str, dict[str, int]]:
    """Return slow and failed handshakes by address; those within one of ``blocks`` are added up by block."""
    found: dict[str, dict[str, int]] = {}
    for name, count in counts.items():
        source, _, what = name.rpartition(" ")
        block = block_of(source)
        of = found.setdefault(block if block in blocks else source, {"slow": 0, "failed": 0})
        of[what] += count
    return found


def troubled_sources(counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return slow and failed handshakes by address, of the WORST addresses with the most of them."""
    worst = sorted(troubles(counts).items(), key=lambda item: (-sum(item[1].values()), item[0]))
    return dict(worst[:WORST])


def measured_by(workers: Sequence[NodeRecord]) -> list[str]:
    """Return the kinds of latency that any worker measured by source. Connect latency is always one of them."""
    measured = {each.kind for entry in workers for each in entry.sources}
    return [kind for kind in LABELS if kind in measured or kind == CONNECT]


def slowest_sources(entry: NodeRecord) -> list[dict[str, Any]]:
    """Return up to SLOWEST sources of a node as JSON, slowest connects first."""
    found = sorted(sources_of(entry), key=lambda source: source.place(CONNECT))
    kinds = measured_by([entry])
    return [source.to_summary(kinds) for source in found[:SLOWEST]]


def sources_summary(workers: Sequence[NodeRecord]) -> dict[str, Any]:
    """Return, for each kind of latency, how the p99 of all sources of all nodes is distributed, and the slowest sources."""
    found = [(source, entry.name) for entry in workers for source in sources_of(entry)]
    kinds = measured_by(workers)
    summary: dict[str, Any] = {}
    for kind in LABELS:
        p99_us = Counter(source.latencies[kind].p99_us for source, _ in found if kind in source.latencies)
        slowest = nsmallest(WORST, found, key=lambda item: item[0].place(kind)) if kind in kinds else []
        summary[f"{prefix(kind)}_p99_us"] = histogram.figures(p99_us)
        summary[slowest_name(kind)] = [{"node": node, **source.to_summary(kinds)} for source, node in slowest]
    return summary


def slowest_name(kind: str) -> str:
    """Return the field with the slowest sources of a kind."""
    return "slowest" if kind == CONNECT else f"slowest_{prefix(kind)}"
