"""What a node's host told about a run: its cost in memory, the counters that rose, and what looking took. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.measure.sample import Host

from .memory_cost import Cost, cost


@dataclass(frozen=True, slots=True)
class Findings:
    """From the first reading of the host to the last one before closing began."""

    cost: Cost = field(default_factory=Cost)
    counters: Mapping[str, int] = field(default_factory=dict)  # name -> events
    levels: Mapping[str, int] = field(default_factory=dict)  # at the last reading
    readings: int = 0
    cost_seconds: float = 0.0  # CPU that the readings took
    unknown: tuple[str, ...] = ()  # what of the kernel's files could not be understood

    def or_fuller(self, other: Cost | None) -> Findings:
        """With that cost instead, if more connections were open then, or more is known of it."""
        if other is None or (other.connections or 0) <= (self.cost.connections or 0):
            return self
        return replace(self, cost=other)

    def observing(self) -> dict[str, Any]:
        """What it cost to know all this. The slab is by whoever lists descriptors; c1m does not."""
        return {
            "readings": self.readings,
            "cpu_seconds": self.cost_seconds,
            "slab_bytes_of_descriptor_listings": round(self.cost.artefact_bytes),
            "unknown": list(self.unknown),
        }


def find(entry: NodeRecord, connections: int | None, host: Host, ends: float | None = None) -> Findings:
    """``connections`` were established while the last reading was taken; see ``cost`` for ``ends``."""
    last = entry.history.last
    return Findings(
        cost=cost(entry.history, connections, host.merged_caches, ends),
        counters=entry.history.rose(),
        levels=last.levels if last else {},
        readings=last.number + 1 if last else 0,
        cost_seconds=last.cost_seconds if last else 0.0,
        unknown=last.unknown if last else (),
    )
