"""Source addresses of a run: how long things took from each, which were slow, and from which connects failed. Pure."""

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

WORST = 20  # of those with slow or failed handshakes, and of the slowest of all nodes
SLOWEST = 256  # of a node: all of them, but for nodes that have more than a /24 and tell blocks


@dataclass(frozen=True, slots=True)
class Source:
    """A source address of a node, or a block of them."""

    name: str
    latencies: Mapping[str, SourceLatency] = field(default_factory=dict)  # by kind: those that were measured
    slow: int = 0  # handshakes that took a second or longer
    failed: int = 0

    def place(self, kind: str) -> tuple[bool, int, int, str]:
        """The slowest is first, and before it those from which nothing was measured.

        By name where they are alike, so that a run that is shown again is the same.
        """
        found = self.latencies.get(kind)
        return found is not None, -found.p99_us if found else 0, -self.failed, self.name

    def to_summary(self, kinds: Sequence[str]) -> dict[str, Any]:
        """Latencies are None where nothing was measured."""
        row: dict[str, Any] = {"source": self.name}
        for kind in kinds:
            row |= columns(kind, self.latencies.get(kind))
        return row | {"slow": self.slow, "failed": self.failed}


def columns(kind: str, found: SourceLatency | None) -> dict[str, int | None]:
    return {
        count_name(kind): found.count if found else 0,
        f"{prefix(kind)}_p50_us": found.p50_us if found else None,
        f"{prefix(kind)}_p99_us": found.p99_us if found else None,
        f"{prefix(kind)}_max_us": found.max_us if found else None,
    }


def count_name(kind: str) -> str:
    return "established" if kind == CONNECT else f"{prefix(kind)}_count"


def sources_of(entry: NodeRecord) -> list[Source]:
    by_name: dict[str, dict[str, SourceLatency]] = {}
    for told in entry.sources:
        by_name.setdefault(told.source, {})[told.kind] = told
    troubled = troubles(entry.sample.tally.sources, by_name.keys())
    return [Source(name, by_name.get(name, {}), **troubled.get(name, {})) for name in {**by_name, **troubled}]


def troubles(counts: Mapping[str, int], told: Set[str] = frozenset()) -> dict[str, dict[str, int]]:
    """Address -> slow and failed handshakes. What is told as part of a block is added up there."""
    found: dict[str, dict[str, int]] = {}
    for name, count in counts.items():
        source, _, what = name.rpartition(" ")
        block = block_of(source)
        of = found.setdefault(block if block in told else source, {"slow": 0, "failed": 0})
        of[what] += count
    return found


def troubled_sources(counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Address -> slow and failed handshakes; the worst, and no more than people look at."""
    worst = sorted(troubles(counts).items(), key=lambda item: (-sum(item[1].values()), item[0]))
    return dict(worst[:WORST])


def measured_by(workers: Sequence[NodeRecord]) -> list[str]:
    """Kinds that any of them told of a source; connects always."""
    told = {each.kind for entry in workers for each in entry.sources}
    return [kind for kind in LABELS if kind in told or kind == CONNECT]


def slowest_sources(entry: NodeRecord) -> list[dict[str, Any]]:
    found = sorted(sources_of(entry), key=lambda source: source.place(CONNECT))
    kinds = measured_by([entry])
    return [source.to_summary(kinds) for source in found[:SLOWEST]]


def sources_summary(workers: Sequence[NodeRecord]) -> dict[str, Any]:
    """Of all nodes, each source of each node by itself: how their p99 spreads, and which are the slowest, by kind."""
    found = [(source, entry.name) for entry in workers for source in sources_of(entry)]
    kinds = measured_by(workers)
    told: dict[str, Any] = {}
    for kind in LABELS:
        p99_us = Counter(source.latencies[kind].p99_us for source, _ in found if kind in source.latencies)
        slowest = nsmallest(WORST, found, key=lambda item: item[0].place(kind)) if kind in kinds else []
        told[f"{prefix(kind)}_p99_us"] = histogram.figures(p99_us)
        told[slowest_name(kind)] = [{"node": node, **source.to_summary(kinds)} for source, node in slowest]
    return told


def slowest_name(kind: str) -> str:
    return "slowest" if kind == CONNECT else f"slowest_{prefix(kind)}"
