"""Latencies of one kind of a shard, all together and by source address: which one has a bad queue, route or NAT binding.

What it takes in the hot path is a look at where a descriptor is from, and a number beside each latency; they are counted in
batches, where latencies are.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from sys import byteorder

from c1m.measure.latency import Latencies
from c1m.measure.source_latency import BUCKET_OF, BUCKETS, DROPPED_BITS

from .source_numbers import SourceNumbers

KEPT_BITS = 31 - DROPPED_BITS  # of a latency, which has no sign; the number of its source stands above them
KEPT = (1 << KEPT_BITS) - 1


class SourceLatencies(Latencies):
    """Whoever appends to ``raw`` appends to ``whose`` the number of its source: ``sources.of`` has it by descriptor."""

    def __init__(self, sources: SourceNumbers) -> None:
        super().__init__()
        self.sources = sources
        self.whose = array("I")  # as wide as ``raw``; and to put a number into an "H" takes twice as long
        self.rows = array("I")
        self.untold_rows = False

    def took(self, descriptor: int, seconds: float) -> None:
        self.raw.append(seconds)
        self.whose.append(self.sources.of[descriptor])

    def all_took(self, descriptors: Iterable[int], seconds: Iterable[float]) -> None:
        """One each."""
        of = self.sources.of
        self.raw.extend(seconds)
        self.whose.extend([of[descriptor] for descriptor in descriptors])

    def fold(self) -> None:
        if self.raw:
            self.rows.extend([0] * (len(self.sources.names) * BUCKETS - len(self.rows)))
            for key, count in Counter(self.keys()).items():
                self.rows[(key >> KEPT_BITS) * BUCKETS + BUCKET_OF[key & KEPT]] += count
            self.untold_rows = True
            del self.whose[:]
        super().fold()

    def keys(self) -> Iterable[int]:
        """Of each latency, the number of its source above what is kept of its bits.

        Made of all in one go, as long numbers: one by one they cost as much again as to count them does.
        """
        lanes = int.from_bytes(array("I", (KEPT,)) * len(self.raw), byteorder)
        bits = int.from_bytes(self.raw, byteorder) >> DROPPED_BITS & lanes
        keys = int.from_bytes(self.whose, byteorder) << KEPT_BITS | bits
        return memoryview(keys.to_bytes(len(self.raw) * self.raw.itemsize, byteorder)).cast("I")

    @property
    def has_rows_news(self) -> bool:
        return self.untold_rows or bool(self.raw)

    def rows_news(self) -> tuple[Sequence[str], bytes]:
        """Names and rows, from the beginning."""
        self.fold()
        self.untold_rows = False
        return self.sources.names, self.rows.tobytes()
