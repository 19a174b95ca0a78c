"""The source addresses of a shard by number, and the number of whoever is connected, by descriptor.

A number is 2 bytes a descriptor, where an address would be an object, and asking the kernel for it a system call.
"""

from __future__ import annotations

from array import array

from c1m.source_latency import OTHERS, block_of

MOST_SOURCES = 256  # numbers, hence rows of 448 bytes of each kind: a /24, and what fits a message of a link
OVERFLOW = MOST_SOURCES - 1  # the number of what has none of its own


class SourceNumbers(dict[str, int]):
    """Source -> its number. Only as many are kept as there can be numbers."""

    def __init__(self, slots: int, sources: int) -> None:
        """``sources``: how many addresses there are to connect from. Where there are more than numbers, blocks have them."""
        super().__init__()
        self.apart = sources <= OVERFLOW
        self.names: list[str] = []  # by number
        self.of = array("H", (0,)) * slots  # by descriptor; whoever opens one says so here

    def __missing__(self, source: str) -> int:
        if not self.apart and (block := block_of(source)) != source:
            return self[block]
        if len(self.names) < OVERFLOW:
            self[source] = len(self.names)
            self.names.append(source)
            return self[source]
        if len(self.names) == OVERFLOW:
            self.names.append(OTHERS)
        return OVERFLOW
