"""Source addresses of a run: how long connects from each took, which were slow, and from which they failed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

from c1m import histogram
from c1m.source_latency import SourceLatency, block_of

from .ledger import Entry

WORST = 20  # of those with slow or failed handshakes, and of the slowest of all nodes
SLOWEST = 256  # of a node: all of them, but for nodes that have more than a /24 and tell blocks


@dataclass(frozen=True, slots=True)
class Source:
    """A source address of a node, or a block of them; latencies are None where nothing was established."""

    source: str
    established: int = 0
    connect_p50_us: int | None = None
    connect_p99_us: int | None = None
    connect_max_us: int | None = None
    slow: int = 0  # handshakes that took a second or longer
    failed: int = 0


def sources_of(entry: Entry) -> list[Source]:
    """The slowest first, and before them those from which nothing was established."""
    troubled = troubles(entry.sample.tally.sources, {source.source for source in entry.sources})
    found = [with_latency(source, troubled.pop(source.source, {})) for source in entry.sources]
    found += [Source(name, **counts) for name, counts in troubled.items()]
    return sorted(found, key=place)


def with_latency(told: SourceLatency, troubled: Mapping[str, int]) -> Source:
    return Source(told.source, told.established, told.p50_us, told.p99_us, told.max_us, **troubled)


def place(source: Source) -> tuple[bool, int, int, str]:
    """The slowest first; by name where they are alike, so that a run that is shown again is the same."""
    return source.connect_p99_us is not None, -(source.connect_p99_us or 0), -source.failed, source.source


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


def slowest_sources(entry: Entry) -> list[dict[str, Any]]:
    return [asdict(source) for source in sources_of(entry)[:SLOWEST]]


def sources_summary(workers: Sequence[Entry]) -> dict[str, Any]:
    """Of all nodes, each source of each node by itself: how their p99 spreads, and which are the slowest."""
    found = [(source, entry.name) for entry in workers for source in sources_of(entry)]
    found.sort(key=lambda item: place(item[0]))
    p99_us = Counter(source.connect_p99_us for source, _ in found if source.connect_p99_us is not None)
    return {
        "connect_p99_us": histogram.figures(p99_us),
        "slowest": [{"node": node, **asdict(source)} for source, node in found[:WORST]],
    }
