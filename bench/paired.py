"""Statistics of paired measurements: the median ratio and its confidence interval. Pure.

The two measurements of a pair are taken one right after the other, so that their ratio is free of the drift that both share.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of a median. ``coverage`` is exact, and at least the confidence that was asked for."""

    low: float
    high: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratios of all pairs in the order of the rounds, their median, and its interval; None with fewer than six pairs."""

    pairs: tuple[float, ...]
    median: float
    interval: Interval | None


def interval_of_median(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """The narrowest symmetric interval between two of the values that covers the median with this confidence.

    Returns None when even the interval from the least to the greatest value does not reach it: 95 % take six values.

    Each value lies below the true median with probability 1/2, whatever the distribution. The k-th least of n exceeds the
    median when fewer than k values lie below it, so the k-th least and the k-th greatest enclose the median with probability
    1 - 2 P(B < k), where B is binomial(n, 1/2). No normality is assumed, and nothing is resampled.
    """
    ordered, found = sorted(values), None
    count, below = len(ordered), 0
    for rank in range(1, count // 2 + 1):
        below += comb(count, rank - 1)
        coverage = 1 - 2 * below / 2**count
        if coverage < confidence:
            break
        found = Interval(ordered[rank - 1], ordered[count - rank], coverage)
    return found


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """The paired ratio of two series of the same length, one pair a round. Raises ValueError for different lengths."""
    pairs = tuple(our / their for our, their in zip(ours, theirs, strict=True))
    return Ratio(pairs, statistics.median(pairs), interval_of_median(pairs))
