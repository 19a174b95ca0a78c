"""Latencies of one kind in a shard, in total and by source address: which address has a bad queue, route or NAT binding.

In the hot path this costs a look-up of a descriptor's source and one number beside each latency; counting happens in
batches.
"""

from __future__ import annotations

from _socket import SOCK_STREAM, socket
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from sys import byteorder

from c1m.measure.latency import Latencies
from c1m.measure.source_latency import BUCKET_OF, BUCKETS, DROPPED_BITS, OTHERS, block_of
from c1m.net.tuples import Address

KEPT_BITS = 31 - DROPPED_BITS  # of a latency, which has no sign; the number of its source stands above them
KEPT = (1 << KEPT_BITS) - 1


class SourceLatencies(Latencies):
    """Latencies of one kind in a shard, in total and by source address.

    A caller that appends to ``raw`` appends the number of the source to ``whose``: ``sources.of`` has it by descriptor.
    """

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
        """Record the latencies of several connections, in seconds, one for each descriptor."""
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
        """Return for each latency the number of its source, above the bits that are kept of the latency.

        All are made at once, as long integers: one by one they cost as much again as counting them.
        """
        lanes = int.from_bytes(array("I", (KEPT,)) * len(self.raw), byteorder)
        bits = int.from_bytes(self.raw, byteorder) >> DROPPED_BITS & lanes
        keys = int.from_bytes(self.whose, byteorder) << KEPT_BITS | bits
        return memoryview(keys.to_bytes(len(self.raw) * self.raw.itemsize, byteorder)).cast("I")

    @property
    def has_rows_news(self) -> bool:
        return self.untold_rows or bool(self.raw)

    def rows_news(self) -> tuple[Sequence[str], bytes]:
        """Return the names of the sources and their counts by latency bucket, since the beginning of the run."""
        self.fold()
        self.untold_rows = False
        return self.sources.names, self.rows.tobytes()


MOST_SOURCES = 256  # numbers, hence rows of 448 bytes of each kind: a /24, and what fits a message of a link
OVERFLOW = MOST_SOURCES - 1  # the number that sources without one of their own share
REMEMBERED = 4096  # addresses whose number is kept, 36 bytes each and their text; with more, few come twice in one shard


class SourceNumbers(dict[str, int]):
    """A mapping of source addresses to numbers.

    ``__missing__`` computes the number once for each source, for up to ``REMEMBERED`` of them.
    """

    def __init__(self, slots: int, sources: int) -> None:
        """Create an empty mapping.

        ``sources`` is the number of source addresses. If there are more addresses than numbers, blocks of addresses share one.
        """
        super().__init__()
        self.apart = sources <= OVERFLOW
        self.numbers: dict[str, int] = {}  # of an address, or of a block
        self.names: list[str] = []  # by number
        self.of = array("H", (0,)) * slots  # by descriptor; the opener writes it

    def __missing__(self, source: str) -> int:
        number = self.number_of(source if self.apart else block_of(source))
        if len(self) < REMEMBERED:  # the first ones stay: sources take turns, and the oldest is the next
            self[source] = number
        return number

    def number_of(self, name: str) -> int:
        """Return the number of a source's name, a new one for a new name; OVERFLOW when none is left."""
        if name in self.numbers:
            return self.numbers[name]
        if len(self.names) < OVERFLOW:
            self.numbers[name] = len(self.names)
            self.names.append(name)
            return self.numbers[name]
        if len(self.names) == OVERFLOW:
            self.names.append(OTHERS)
        return OVERFLOW


SLOW_SECONDS = 1.0  # the first SYN is sent again after that (RFC 6298)
MOST_SOURCES = 256  # that a shard counts apart; further ones are "others"
SLOW, FAILED = "slow", "failed"


class SourceErrors:
    def __init__(self, family: int) -> None:
        self.family = family
        self.counts: Counter[str] = Counter()  # "10.0.0.7 slow" -> connections
        self.known: set[str] = set()
        self.slow: dict[int, float] = {}  # descriptor -> when the connection was called that is counted as slow

    def is_slow(self, descriptor: int, called: float) -> None:
        """Count the source address of a connection whose SYN was unanswered for a second, once for each connection."""
        if self.slow.get(descriptor) != called:
            self.slow[descriptor] = called
            self.count(source_of(self.family, descriptor)[0], SLOW)

    def has_failed(self, descriptor: int) -> None:
        """Count the source address of a failed connection. Call it before the close: the kernel knows the source until then."""
        self.count(source_of(self.family, descriptor)[0], FAILED)

    def count(self, source: str, what: str) -> None:
        if len(self.known) < MOST_SOURCES:
            self.known.add(source)
        self.counts[f"{source if source in self.known else OTHERS} {what}"] += 1


def source_of(family: int, descriptor: int) -> Address:
    """Return the local address and port of a connection. The kernel knows them until the descriptor is closed."""
    connection = socket(family, SOCK_STREAM, 0, descriptor)
    source: Address = connection.getsockname()[:2]
    connection.detach()
    return source
