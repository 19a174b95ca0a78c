"""An entry of the ledger: one node, the newest that it told, and what has followed from all of it. A fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from c1m.measure.phase import Phase
from c1m.measure.sample import Sample
from c1m.measure.source_latency import SourceLatency, slowest_of_each_kind

from .cpu_saturation import Saturation
from .evidence import NodeHistory
from .readings import HostReadings
from .timeline import HostState, NodeState


@dataclass
class NodeRecord:
    """One node."""

    name: str
    planned: int
    host: str = ""  # names machine and network namespace: nodes of one host read the same counters. Empty: not known
    sample: Sample = field(default_factory=lambda: Sample(Phase.PREPARED))
    peak: int = 0  # most connections open at once, of the moments that were seen
    ramp_opened: int = 0  # connections opened until they were as many as planned; what is opened after that is no ramp
    ramp_ns: int = 0  # ... and within how long
    lost: str = ""  # why nothing more will come from it; empty while something does. Final: see loss.py
    left: bool = False  # lost, and it closes what it had by itself: nobody has to tell it
    history: HostReadings = field(default_factory=HostReadings)
    trail: NodeHistory = field(default_factory=NodeHistory)
    saturation: Saturation = field(default_factory=Saturation)
    histograms: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # the newest that came
    sources: Sequence[SourceLatency] = ()  # ... as well
    slowest: Mapping[str, SourceLatency] = field(default_factory=dict)  # of those, by kind

    @property
    def heard(self) -> str:
        """The beginning of the first that the server said to the node; empty when it said nothing."""
        return self.sample.heard.decode("utf-8", "backslashreplace")

    @property
    def unreplaced(self) -> list[str]:
        """How processes ended whose places nobody took."""
        replaced = {each.exit_reason for each in self.sample.replacements}
        return [exit_reason for exit_reason in self.sample.exit_reasons if exit_reason not in replaced]

    def take(self, sample: Sample) -> None:
        self.sample = sample
        if self.ramp_opened < self.planned:
            self.ramp_opened, self.ramp_ns = sample.tally.opened, sample.opened_within_ns
        if sample.reading:
            self.history.take(sample.reading)
            if sample.scheduled is not None and sample.phase in (Phase.OPENING, Phase.HOLDING):  # a worker's
                self.saturation.take(sample.reading.levels)
        self.histograms = sample.histograms or self.histograms
        if sample.sources:
            self.sources = sample.sources
            self.slowest = slowest_of_each_kind(sample.sources)
        self.peak = max(self.peak, sample.tally.open)

    @property
    def node_state(self) -> NodeState:
        return NodeState(self.sample.cpu_seconds, self.history.last.pss_bytes if self.history.last else None)

    @property
    def host_state(self) -> HostState | None:
        last = self.history.last
        if last is None:
            return None
        return HostState(last.number + 1, last.sockets, last.slab_bytes, last.levels, self.history.rose())


EACH = 10  # hosts, and as many nodes, that have columns of their own on the time line; more are added up


def node_states(workers: Sequence[NodeRecord], target: NodeRecord | None) -> dict[str, NodeState]:
    there = {entry.name: entry.node_state for entry in workers if not entry.lost}
    if len(workers) > EACH:
        pss_bytes = sum_known(state.pss_bytes for state in there.values())
        there = {f"{len(workers)} workers": NodeState(sum(s.cpu_seconds for s in there.values()), pss_bytes)}
    if target and not target.lost:
        there[target.name] = target.node_state
    return there


def host_states(workers: Sequence[NodeRecord], target: NodeRecord | None) -> dict[str, HostState]:
    """By the names of the nodes that are there; the target's host always has its own."""
    nodes: dict[str, list[NodeRecord]] = {}
    for entry in [*([target] if target else []), *reversed(workers)]:
        nodes.setdefault(entry.host or entry.name, []).append(entry)
    found = {title(there): state for there in nodes.values() if (state := first_known(there))}
    if len(nodes) <= EACH:
        return found
    apart = title(next(iter(nodes.values()))) if target else ""
    rest = [state for name, state in found.items() if name != apart]
    others = f"{len(nodes) - bool(target)} other hosts"
    return {name: state for name, state in found.items() if name == apart} | {others: together(rest)}


def title(entries: Sequence[NodeRecord]) -> str:
    names = [entry.name for entry in entries]
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more"


def first_known(entries: Sequence[NodeRecord]) -> HostState | None:
    return next((state for entry in entries if not entry.lost and (state := entry.host_state)), None)


def together(states: Sequence[HostState]) -> HostState:
    """Several machines as one: what all of them know, added up."""
    return HostState(
        readings=sum(state.readings for state in states),
        sockets=sum_known(state.sockets for state in states),
        slab_bytes=sum_known(state.slab_bytes for state in states),
        levels=sum_maps(state.levels for state in states),
        counters=sum_maps(state.counters for state in states),
    )


def sum_known(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def sum_maps(mappings: Iterable[Mapping[str, int]]) -> dict[str, int]:
    added: Counter[str] = Counter()
    for mapping in mappings:
        added.update(mapping)
    return dict(added)
