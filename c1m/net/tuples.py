"""The 4-tuples that a shard may use. They are planned, so all of them are known before the run starts.

The source addresses of a node times its client ports make a *tuple space* for one destination. Index ``t`` of it is source
``t % sources`` and port ``t // sources``. So consecutive connections come from different addresses, and few distinct ports
are bound: one explicit bind of a port, on any address, hides it from every connect on the host that lets the kernel choose.
A *route* is a slice of the tuple space of one destination. The slices of one node never overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .addresses import AddressPool
from .ports import PortRanges

Address = tuple[str, int]

MOST_NAMES = 65_536  # addresses of a row whose text is kept for the next row; they take some 5 MB


@dataclass(frozen=True, slots=True)
class TupleSpace:
    """All (source address, source port) pairs of a node, numbered from 0. The same pairs are used once for each destination."""

    sources: AddressPool
    ports: PortRanges

    @property
    def size(self) -> int:
        """The number of (source address, source port) pairs, which is the number of 4-tuples for one destination."""
        return self.sources.size * self.ports.size

    def index(self, source: Address) -> int:
        """Return the index of a (source address, port) pair in the space, from 0.

        Raises ValueError if it is not in the space.
        """
        host, port = source
        return self.ports.index(port) * self.sources.size + self.sources.index(host)

    def at(self, index: int) -> Address:
        """Return the (source address, port) pair at an index of the space."""
        row, column = divmod(index, self.sources.size)
        return self.sources.at(column), self.ports.at(row)

    def walk(self, first: int, span: int) -> Iterator[Address]:
        """Yield the (source address, port) pairs at ``span`` consecutive indexes of the space, from index ``first`` on."""
        width = self.sources.size
        # The text of addresses is made once if rows repeat them, and never for the part of a huge pool that is not walked.
        names = [self.sources.at(index) for index in range(width)] if width <= min(span, MOST_NAMES) else None
        for row in range(first // width, -(-(first + span) // width)):
            port = self.ports.at(row)
            low = max(first - row * width, 0)
            high = min(first + span - row * width, width)
            for name in names[low:high] if names else map(self.sources.at, range(low, high)):
                yield name, port


@dataclass(frozen=True, slots=True)
class Route:
    """A plan for ``count`` connections to one destination, from the indexes ``[first, first + span)`` of the tuple space.

    ``span`` exceeds ``count`` to leave room for ports that turn out to be busy.
    """

    destination: Address
    first: int
    span: int
    count: int
