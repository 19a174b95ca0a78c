"""Values of a summary as people read them. None is "unknown". Pure."""

from __future__ import annotations

from c1m.text.units import format_duration


def percentiles(figures_us: dict[str, int]) -> str:
    """Return the percentiles of a latency, given in microseconds, as text; "nothing measured" if its count is 0."""
    if not figures_us["count"]:
        return "nothing measured"
    return ", ".join(f"{name} {format_duration(value / 1e6)}" for name, value in figures_us.items() if name != "count")


def counts(found: dict[str, int]) -> str:
    """Return counts as text, each followed by its name, in the order of the names; "0" if there are none."""
    return ", ".join(f"{number:,} {name}" for name, number in sorted(found.items())) or "0"


def count(number: int | None) -> str:
    """Return a number as text with separators of thousands; "unknown" for None."""
    return "unknown" if number is None else f"{number:,}"


def duration(seconds: float | None) -> str:
    """Return a number of seconds as text with its unit; "unknown" for None."""
    return "unknown" if seconds is None else format_duration(seconds)
