"""Values of a summary as people read them. None is "unknown". Pure."""

from __future__ import annotations

from collections.abc import Mapping

from c1m.coordinator.summary.latencies import LatencyFigures
from c1m.text.units import format_duration


def percentiles(latency: LatencyFigures) -> str:
    """Return the extremes and percentiles of a latency, without its count."""
    if not latency.count:
        return "nothing measured"
    shown = {"min": latency.min, "p50": latency.p50, "p90": latency.p90, "p99": latency.p99}
    shown |= {"p999": latency.p999, "max": latency.max}
    return ", ".join(f"{name} {microseconds(value)}" for name, value in shown.items())


def microseconds(value: float | None) -> str:
    """Return a duration that is in microseconds with its unit."""
    return "unknown" if value is None else format_duration(value / 1e6)


def counts(found: Mapping[str, int]) -> str:
    """Return counts as text, each followed by its name, in the order of the names; "0" if there are none."""
    return ", ".join(f"{number:,} {name}" for name, number in sorted(found.items())) or "0"


def count(number: int | None) -> str:
    """Return a number as text with separators of thousands; "unknown" for None."""
    return "unknown" if number is None else f"{number:,}"


def duration(seconds: float | None) -> str:
    """Return a number of seconds as text with its unit; "unknown" for None."""
    return "unknown" if seconds is None else format_duration(seconds)
