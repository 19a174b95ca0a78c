"""Latency histograms: an HdrHistogram of counts, and the percentiles of it that a summary shows."""

from __future__ import annotations

from collections.abc import Mapping

from hdrh.histogram import HdrHistogram

LONGEST_US = 3600 * 1_000_000  # an hour: no connect takes longer, every timeout is below it
DIGITS = 3
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}


def figures(counts_us: Mapping[int, int]) -> dict[str, int]:
    """Return the count, extremes and percentiles of a summary, in microseconds; only a count of 0 if nothing was measured.

    ``counts_us``: microseconds -> how many times.
    """
    if not counts_us:
        return {"count": 0}
    histogram = HdrHistogram(1, LONGEST_US, DIGITS)
    for value, count in counts_us.items():
        histogram.record_value(min(max(value, 1), LONGEST_US), count)
    values = {name: int(histogram.get_value_at_percentile(percent)) for name, percent in PERCENTILES.items()}
    return {
        "count": int(histogram.get_total_count()),
        "min": int(histogram.get_min_value()),
        **values,
        "max": int(histogram.get_max_value()),
    }
