"""A record of the ledger: one node, its newest sample, and what all of its samples add up to. A fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from c1m.measure.phase import Phase
from c1m.measure.reasons import ExitReason
from c1m.measure.sample import Sample
from c1m.measure.source_latency import SourceLatency, slowest_of_each_kind

from .cpu_saturation import Saturation
from .evidence import NodeHistory
from .loss_reason import LossReason
from .readings import HostReadings
from .timeline import HostState, NodeState


@dataclass
class NodeRecord:
    """What the coordinator knows of one node of a run: its newest sample, and figures accumulated from all its samples."""

    name: str
    planned: int
    host: str = ""  # machine and network namespace: nodes of one host read the same counters. Empty: unknown
    sample: Sample = field(default_factory=lambda: Sample(Phase.PREPARED))
    peak: int = 0  # most connections open at once, in any sample
    ramp_opened: int = 0  # connections opened up to the planned number; later openings are not part of the ramp
    ramp_ns: int = 0  # from the start to the last of those
    lost: LossReason | None = None  # why the node is lost; None: it is not. Final: see node_loss.py
    history: HostReadings = field(default_factory=HostReadings)
    trail: NodeHistory = field(default_factory=NodeHistory)
    saturation: Saturation = field(default_factory=Saturation)
    histograms: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # the newest that it sent
    sources: Sequence[SourceLatency] = ()  # the newest that it sent
    slowest: Mapping[str, SourceLatency] = field(default_factory=dict)  # kind -> the slowest of the sources

    @property
    def heard(self) -> str:
        """The first bytes that the server sent to the node, as text; empty if it sent none."""
        return self.sample.first_received.decode("utf-8", "backslashreplace")

    @property
    def unreplaced(self) -> list[ExitReason]:
        """The exit reasons of the node's child processes that ended and were not replaced."""
        replaced = {each.exit_reason for each in self.sample.replacements}
        return [exit_reason for exit_reason in self.sample.exit_reasons if exit_reason not in replaced]

    def take(self, sample: Sample) -> None:
        """Process the node's newest sample: replace the one before it, and update the accumulated figures. Returns nothing."""
        self.sample = sample
        if self.ramp_opened < self.planned:
            self.ramp_opened, self.ramp_ns = sample.tally.opened, sample.opened_within_ns
        if sample.reading:
            self.history.take(sample.reading)
            if sample.scheduled is not None and sample.phase in (Phase.OPENING, Phase.HOLDING):  # a worker's sample
                self.saturation.take(sample.reading.levels)
        self.histograms = sample.histograms or self.histograms
        if sample.sources:
            self.sources = sample.sources
            self.slowest = slowest_of_each_kind(sample.sources)
        self.peak = max(self.peak, sample.tally.open)

    def lose(self, reason: LossReason) -> None:
        """Mark the node as lost. Returns nothing."""
        self.lost = reason

    def take_over(self, count: int) -> None:
        """Add connections of a lost worker to those that are planned here. Returns nothing."""
        self.planned += count

    @property
    def node_state(self) -> NodeState:
        """The CPU time and memory that the node's processes have used so far, for a row of the timeline."""
        return NodeState(self.sample.cpu_seconds, self.history.last.pss_bytes if self.history.last else None)

    @property
    def host_state(self) -> HostState | None:
        """The sockets, memory and counters of the node's host by its newest reading; None if the node sent no reading."""
        last = self.history.last
        if last is None:
            return None
        return HostState(last.number + 1, last.sockets, last.slab_bytes, last.levels, self.history.risen)


EACH = 10  # hosts and nodes with columns of their own in the timeline; if there are more, they are added up


def node_states(workers: Sequence[NodeRecord], target: NodeRecord | None) -> dict[str, NodeState]:
    """Return the CPU time and memory of each node that is not lost, by name of the node.

    If there are more than EACH workers, their sum stands in their place.
    """
    there = {entry.name: entry.node_state for entry in workers if not entry.lost}
    if len(workers) > EACH:
        pss_bytes = sum_known(state.pss_bytes for state in there.values())
        there = {f"{len(workers)} workers": NodeState(sum(s.cpu_seconds for s in there.values()), pss_bytes)}
    if target and not target.lost:
        there[target.name] = target.node_state
    return there


def host_states(workers: Sequence[NodeRecord], target: NodeRecord | None) -> dict[str, HostState]:
    """Return the state of each host, by the names of its nodes.

    If there are more than EACH hosts, only the target's host has its own state, and the others are summed.
    """
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
    """Return the names of up to three nodes, separated by commas; of more nodes, the first name and how many more there are."""
    names = [entry.name for entry in entries]
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more"


def first_known(entries: Sequence[NodeRecord]) -> HostState | None:
    """Return the host state of the first of the given nodes that is not lost and has one; None if none has."""
    return next((state for entry in entries if not entry.lost and (state := entry.host_state)), None)


def together(states: Sequence[HostState]) -> HostState:
    """Return the sum of several host states as one host state. Unknown values are left out of the sum."""
    return HostState(
        readings=sum(state.readings for state in states),
        sockets=sum_known(state.sockets for state in states),
        slab_bytes=sum_known(state.slab_bytes for state in states),
        levels=sum_maps(state.levels for state in states),
        counters=sum_maps(state.counters for state in states),
    )


def sum_known(values: Iterable[int | None]) -> int | None:
    """Return the sum of the values that are not None; None if all are None."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def sum_maps(mappings: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return one dictionary that has, for each name in any of the mappings, the sum of its values."""
    added: Counter[str] = Counter()
    for mapping in mappings:
        added.update(mapping)
    return dict(added)
