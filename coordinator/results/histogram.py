"""The figures of a latency histogram that a summary shows: count, extremes and percentiles."""

from __future__ import annotations

from collections.abc import Mapping

from c1m.coordinator.summary.latencies import LatencyFigures
from c1m.measure.latency import percentiles

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}


def figures(counts_us: Mapping[int, int]) -> LatencyFigures:
    """Return the count, extremes and percentiles of a summary, in microseconds; only a count of 0 if nothing was measured.

    ``counts_us``: microseconds -> how many times.
    """
    if not counts_us:
        return LatencyFigures(0)
    values = dict(zip(PERCENTILES, percentiles(counts_us, tuple(PERCENTILES.values())), strict=True))
    return LatencyFigures(count=sum(counts_us.values()), min=min(counts_us), **values, max=max(counts_us))
