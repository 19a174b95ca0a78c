"""Collects latencies: appended raw on the hot path, counted into buckets in batches, and each reported once.

A bucket is the upper bits of a 32-bit float: its exponent and the first 8 bits of its fraction. That makes 256 buckets an
octave, with an error of 0.2 % at most. Finding the bucket takes a shift; an integer logarithm would take three times as
long, and a call for each value.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate
from struct import pack, unpack

DROPPED_BITS = 15  # the lower bits of the float, which do not select the bucket


class Latencies:
    """Latencies of one kind that have not been reported yet.

    Append seconds to ``raw``; on a hot path bind ``raw.append`` to a local first. A value takes 4 bytes until it is folded
    into its bucket.
    """

    def __init__(self) -> None:
        self.raw = array("f")
        self.counts: Counter[int] = Counter()  # bucket -> how many

    def copy(self) -> Latencies:
        """Return an independent copy of these latencies, with the raw values already folded into the buckets."""
        self.fold()
        other = Latencies()
        other.counts = self.counts.copy()
        return other

    def fold(self) -> None:
        """Move the values in ``raw`` into the buckets of ``counts`` and empty ``raw``.

        This takes 0.1 us a value, which is why ``append`` does not do it.
        """
        if self.raw:
            self.counts.update([bits >> DROPPED_BITS for bits in memoryview(self.raw).cast("B").cast("I")])
            del self.raw[:]

    def news(self) -> dict[int, int]:
        """Return {bucket: count} for the latencies added since the last call, and forget them.

        It is a plain dict because links do not accept a Counter.
        """
        self.fold()
        fresh = dict(self.counts)
        self.counts.clear()
        return fresh


def microseconds(counts: Mapping[int, int]) -> dict[int, int]:
    """Return {microseconds: count} for counts by bucket, smallest first. Each bucket is represented by its middle."""
    found: dict[int, int] = {}
    for bucket in sorted(counts):
        middle = middle_us(bucket)
        found[middle] = found.get(middle, 0) + counts[bucket]
    return found


@cache  # called with the same thousands of buckets every second
def middle_us(bucket: int) -> int:
    """Return the middle of a latency bucket in whole microseconds."""
    seconds: float
    (seconds,) = unpack("=f", pack("=I", (bucket << DROPPED_BITS) + (1 << DROPPED_BITS - 1)))
    return round(seconds * 1e6)


def since(newer: Mapping[int, int], older: Mapping[int, int]) -> dict[int, int]:
    """Return {value: count} for what was added between an older and a newer version of the same histogram."""
    return {value: count - older.get(value, 0) for value, count in newer.items() if count > older.get(value, 0)}


def coarser(counts: Mapping[int, int]) -> dict[int, int]:
    """Return a histogram with fewer buckets: 16 an octave, as {middle of the bucket: count}.

    The error is 3 % at most, and many of these can be kept.
    """
    found: dict[int, int] = {}
    for value, count in counts.items():
        shift = max(value.bit_length() - 5, 0)
        middle = (value >> shift << shift) + (1 << shift >> 1)
        found[middle] = found.get(middle, 0) + count
    return found


def at_least(counts: Mapping[int, int], us: int) -> int:
    """Return how many values of a histogram of latencies are ``us`` microseconds or more."""
    return sum(count for value, count in counts.items() if value >= us)


def percentile(counts: Mapping[int, int], percent: float) -> int:
    """Return the smallest value of a histogram that at least ``percent`` percent of all values do not exceed.

    Raises ValueError for an empty histogram.
    """
    return percentiles(counts, (percent,))[0]


def percentiles(counts: Mapping[int, int], percents: Sequence[float]) -> list[int]:
    """Return, for each of ``percents``, the smallest value that at least so many percent of all values do not exceed.

    ``percents`` ascend. All are found in one pass over the sorted values. Raises ValueError without values.
    """
    if not counts:
        raise ValueError("a percentile of nothing")
    values = sorted(counts)
    passed = list(accumulate(counts[value] for value in values))
    last = len(values) - 1  # where rounding has made the wanted number larger than all there are
    return [values[min(bisect_left(passed, percent / 100 * passed[-1]), last)] for percent in percents]
