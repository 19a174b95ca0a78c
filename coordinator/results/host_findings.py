"""Findings about a node's host: what connections cost in memory, which counters rose, and what the readings cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.summary.memory_cost import MemoryCost
from c1m.coordinator.summary.nodes import Observing
from c1m.measure.sample import Host

from .memory_cost import cost

SLABINFO = "/proc/slabinfo"  # as nodes name it among what they cannot read


@dataclass(frozen=True, slots=True)
class Findings:
    """What the readings of one host show about the run: what changed from the first to the last one before closing."""

    cost: MemoryCost = field(default_factory=MemoryCost)
    counters: Mapping[str, int] = field(default_factory=dict)  # name -> events
    levels: Mapping[str, int] = field(default_factory=dict)  # at the last reading
    readings: int = 0
    cost_seconds: float = 0.0  # CPU time that the readings took
    unknown: tuple[str, ...] = ()  # which of the kernel's files could not be parsed, and why

    def or_fuller(self, other: MemoryCost | None) -> Findings:
        """Return these findings with the memory cost ``other`` instead, if that was measured with more connections."""
        if other is None or (other.connections or 0) <= (self.cost.connections or 0):
            return self
        return replace(self, cost=other)

    @property
    def observing(self) -> Observing:
        """What the readings cost. Slab of descriptor listings is made by other programs; c1m lists no descriptors."""
        return Observing(self.readings, self.cost_seconds, round(self.cost.artefact_bytes), self.unknown)


def find(entry: NodeRecord, connections: int | None, host: Host, ends: float | None = None) -> Findings:
    """Return what the readings of one node show: counters that rose, and the memory cost of a connection.

    ``connections``: established while the last reading was taken. ``ends``: see ``cost``.
    """
    last = entry.history.last
    return Findings(
        cost=cost(entry.history, connections, host.merged_caches, ends, host.unknown.get(SLABINFO, "")),
        counters=entry.history.rose(),
        levels=last.levels if last else {},
        readings=last.number + 1 if last else 0,
        cost_seconds=last.cost_seconds if last else 0.0,
        unknown=last.unknown if last else (),
    )
