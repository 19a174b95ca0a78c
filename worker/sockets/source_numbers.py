"""The source addresses of a shard by number, and the number of whoever is connected, by descriptor.

A number is 2 bytes a descriptor, where an address would be an object, and asking the kernel for it a system call.
"""

from __future__ import annotations

from array import array

from c1m.measure.source_latency import OTHERS, block_of

MOST_SOURCES = 256  # numbers, hence rows of 448 bytes of each kind: a /24, and what fits a message of a link
OVERFLOW = MOST_SOURCES - 1  # the number of what has none of its own
REMEMBERED = 4096  # addresses whose number is kept, 36 bytes each and their text; beyond, few come twice in one shard


class SourceNumbers(dict[str, int]):
    """Source -> its number. ``__missing__`` finds it once for each source, up to ``REMEMBERED`` of them."""

    def __init__(self, slots: int, sources: int) -> None:
        """``sources``: how many addresses there are to connect from. Where there are more than numbers, blocks have them."""
        super().__init__()
        self.apart = sources <= OVERFLOW
        self.numbers: dict[str, int] = {}  # of an address, or of a block
        self.names: list[str] = []  # by number
        self.of = array("H", (0,)) * slots  # by descriptor; whoever opens one says so here

    def __missing__(self, source: str) -> int:
        number = self.number_of(source if self.apart else block_of(source))
        if len(self) < REMEMBERED:  # whoever came first stays: sources take turns, and the oldest is the next
            self[source] = number
        return number

    def number_of(self, name: str) -> int:
        """A new one for a name that has none yet; OVERFLOW where none is left."""
        if name in self.numbers:
            return self.numbers[name]
        if len(self.names) < OVERFLOW:
            self.numbers[name] = len(self.names)
            self.names.append(name)
            return self.numbers[name]
        if len(self.names) == OVERFLOW:
            self.names.append(OTHERS)
        return OVERFLOW
