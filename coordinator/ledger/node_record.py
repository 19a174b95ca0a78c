"""An entry of the ledger: one node, the newest that it told, and what has followed from all of it. A fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
