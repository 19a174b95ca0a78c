"""Latency histograms: HdrHistogram, from counts, to bytes and back, and to the percentiles that a summary shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hdrh.histogram import HdrHistogram

LONGEST_US = 3600 * 1_000_000  # an hour: no connect takes longer, every timeout is below it
DIGITS = 3
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}


def encode(counts_us: Mapping[int, int]) -> bytes:
    """HdrHistogram V2, compressed, in base64; about 1 kB for a million connects."""
    histogram = _empty()
    for value, count in counts_us.items():
        histogram.record_value(min(max(value, 1), LONGEST_US), count)
    return bytes(histogram.encode())


def merge(encoded: Iterable[bytes]) -> HdrHistogram:
    """All of them as one; empty ones add nothing."""
    histogram = _empty()
    for item in encoded:
        decoded = HdrHistogram.decode(item) if item else None
        if decoded and decoded.get_total_count():  # adding one without values would make the smallest value 0
            histogram.add(decoded)
    return histogram


def figures(histogram: HdrHistogram) -> dict[str, int]:
    """What the summary keeps, in microseconds; only a count of 0 where nothing was measured."""
    count = int(histogram.get_total_count())
    if not count:
        return {"count": 0}
    values = {name: int(histogram.get_value_at_percentile(percent)) for name, percent in PERCENTILES.items()}
    return {
        "count": count,
        "min": int(histogram.get_min_value()),
        **values,
        "max": int(histogram.get_max_value()),
    }


def _empty() -> HdrHistogram:
    return HdrHistogram(1, LONGEST_US, DIGITS)
