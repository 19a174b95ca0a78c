"""Latencies between the hot path and a histogram: counts of microseconds, rounded to what is worth keeping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

KEPT_BITS = 9  # leading bits of a value that are kept: 0.2 % at worst


def quantise(microseconds: int) -> int:
    """The middle of the value's bucket: 256 buckets an octave keep a process's counts small whatever it measures."""
    shift = max(microseconds.bit_length() - KEPT_BITS, 0)
    return (microseconds >> shift << shift) + (1 << shift >> 1)


def quantised(latencies: Iterable[float]) -> dict[int, int]:
    """Of latencies in seconds: rounded microseconds -> how many there are."""
    return dict(Counter(quantise(int(seconds * 1e6)) for seconds in latencies))
