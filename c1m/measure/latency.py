"""Latencies between the hot path and a histogram: taken raw, counted in batches, and told once.

A bucket is the beginning of a float's bits: its exponent and the first 8 bits after the point, hence 256 buckets an octave,
0.2 % at worst. Finding it is a shift; an integer logarithm would cost three times that, and a call each.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from struct import pack, unpack

DROPPED_BITS = 15  # of the 32 of a float


class Latencies:
    """Of one kind, and not told yet. 4 bytes each until they are folded; from then on a bucket for all that are alike.

    Append seconds to ``raw``; where each one counts, bind ``raw.append`` to a local first.
    """

    def __init__(self) -> None:
        self.raw = array("f")
        self.counts: Counter[int] = Counter()  # bucket -> how many

    def copy(self) -> Latencies:
        """Of its own from here on."""
        self.fold()
        other = Latencies()
        other.counts = self.counts.copy()
        return other

    def fold(self) -> None:
        """Count what has come. 0.1 us each, and so nothing for the moment in which they come."""
        if self.raw:
            self.counts.update([bits >> DROPPED_BITS for bits in memoryview(self.raw).cast("B").cast("I")])
            del self.raw[:]

    def news(self) -> dict[int, int]:
        """Bucket -> how many have come since the last call. A dict and no Counter, which no link takes."""
        self.fold()
        told = dict(self.counts)
        self.counts.clear()
        return told


def microseconds(counts: Mapping[int, int]) -> dict[int, int]:
    """Of counts by bucket: counts by the middle of each bucket, in whole microseconds, the smallest first."""
    found: dict[int, int] = {}
    for bucket in sorted(counts):
        middle = middle_us(bucket)
        found[middle] = found.get(middle, 0) + counts[bucket]
    return found


@cache  # the same thousands of buckets every second
def middle_us(bucket: int) -> int:
    seconds: float
    (seconds,) = unpack("=f", pack("=I", (bucket << DROPPED_BITS) + (1 << DROPPED_BITS - 1)))
    return round(seconds * 1e6)


def since(newer: Mapping[int, int], older: Mapping[int, int]) -> dict[int, int]:
    """What came between two looks at the same counts."""
    return {value: count - older.get(value, 0) for value, count in newer.items() if count > older.get(value, 0)}


def joined(several: Iterable[Mapping[int, int]]) -> Counter[int]:
    found: Counter[int] = Counter()
    for counts in several:
        found.update(counts)
    return found


def coarser(counts: Mapping[int, int]) -> dict[int, int]:
    """The same in 16 buckets an octave, by the middle of each: 3 % off at worst, and few enough to keep many of them."""
    found: dict[int, int] = {}
    for value, count in counts.items():
        shift = max(value.bit_length() - 5, 0)
        middle = (value >> shift << shift) + (1 << shift >> 1)
        found[middle] = found.get(middle, 0) + count
    return found


def at_least(counts: Mapping[int, int], us: int) -> int:
    """How many took at least so long."""
    return sum(count for value, count in counts.items() if value >= us)


def percentile(counts: Mapping[int, int], percent: float) -> int:
    """The value at or below which so many percent lie; of at least one value."""
    wanted = percent / 100 * sum(counts.values())
    passed = 0
    for value in sorted(counts):
        passed += counts[value]
        if passed >= wanted:
            return value
    raise ValueError("a percentile of nothing")
