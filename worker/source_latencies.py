"""Connect latencies of a shard, all together and by source address: which one has a bad queue, route or NAT binding.

What it takes while connections open is a look at where a descriptor is from, and a number beside each latency; they are counted
in batches, where latencies are.
"""

from __future__ import annotations

from array import array
from collections import Counter

from c1m.latency import Latencies
from c1m.source_latency import BUCKET_OF, BUCKETS, DROPPED_BITS, OTHERS, block_of

MOST_SOURCES = 256  # rows, of 352 bytes each: a /24, and what fits a message of a link. Where there are more, blocks have rows
OVERFLOW = MOST_SOURCES - 1  # the row of what has none of its own


class Numbers(dict[str, int]):
    """Source -> the number of its row. Only as many are kept as there can be rows."""

    def __init__(self, *, apart: bool) -> None:
        """``apart``: each address has a row; otherwise those of a block have one together."""
        super().__init__()
        self.apart = apart
        self.names: list[str] = []  # of the rows

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


class SourceLatencies(Latencies):
    """Whoever appends to ``raw`` appends to ``numbers`` whose it is, which ``of`` has by descriptor."""

    def __init__(self, slots: int, sources: int) -> None:
        """``sources``: how many addresses there are to connect from."""
        super().__init__()
        self.number_of = Numbers(apart=sources <= OVERFLOW)
        self.of = array("H", (0,)) * slots
        self.numbers = array("H")
        self.rows = array("I")
        self.untold_rows = False

    def fold(self) -> None:
        if self.raw:
            bits = memoryview(self.raw).cast("B").cast("I").tolist()
            found = Counter(
                [number * BUCKETS + BUCKET_OF[each >> DROPPED_BITS] for number, each in zip(self.numbers, bits, strict=True)]
            )
            self.rows.extend([0] * (len(self.number_of.names) * BUCKETS - len(self.rows)))
            for place, count in found.items():
                self.rows[place] += count
            self.untold_rows = True
            del self.numbers[:]
        super().fold()

    @property
    def has_rows_news(self) -> bool:
        return self.untold_rows or bool(self.raw)

    def rows_news(self) -> tuple[list[str], bytes]:
        """Names and rows, from the beginning."""
        self.fold()
        self.untold_rows = False
        return self.number_of.names, self.rows.tobytes()
