"""Which 4-tuples a shard may use: planned, so that every one is known before the run starts.

A node's source addresses times its client ports make a *tuple space* of one destination. Index ``t`` of it is source
``t % sources`` and port ``t // sources``: consecutive connections come from different addresses, and few distinct ports
are bound (one explicit bind of a port, on any address, hides it from every kernel-chosen connect on the host).
A *route* is a slice of the tuple space of one destination; slices of one node never overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .addresses import AddressPool
from .ports import PortRanges

Address = tuple[str, int]

MOST_NAMES = 65_536  # kept of a row that is walked again and again; they take some 5 MB


@dataclass(frozen=True, slots=True)
class TupleSpace:
    """A node's source addresses and client ports; the same space serves each destination once."""

    sources: AddressPool
    ports: PortRanges

    @property
    def size(self) -> int:
        return self.sources.size * self.ports.size

    def index(self, source: Address) -> int:
        """Of one of the space's own. Raises ValueError for another."""
        host, port = source
        return self.ports.index(port) * self.sources.size + self.sources.index(host)

    def at(self, index: int) -> Address:
        row, column = divmod(index, self.sources.size)
        return self.sources.at(column), self.ports.at(row)

    def walk(self, first: int, span: int) -> Iterator[Address]:
        """The (source address, port) of ``span`` consecutive indexes."""
        width = self.sources.size
        # Names are made once when rows repeat them, and never for the part of a huge pool that is not walked.
        names = [self.sources.at(index) for index in range(width)] if width <= min(span, MOST_NAMES) else None
        for row in range(first // width, -(-(first + span) // width)):
            port = self.ports.at(row)
            low = max(first - row * width, 0)
            high = min(first + span - row * width, width)
            for name in names[low:high] if names else map(self.sources.at, range(low, high)):
                yield name, port


@dataclass(frozen=True, slots=True)
class Route:
    """``count`` connections to one destination, from the indexes ``[first, first + span)`` of the tuple space.

    What ``span`` has over ``count`` is room for ports that turn out to be busy.
    """

    destination: Address
    first: int
    span: int
    count: int
