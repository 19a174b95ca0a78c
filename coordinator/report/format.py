"""Figures of a summary as people read them; what is None is unknown. Pure."""

from __future__ import annotations

from c1m.text.units import format_duration


def percentiles(figures_us: dict[str, int]) -> str:
    if not figures_us["count"]:
        return "nothing measured"
    return ", ".join(f"{name} {format_duration(value / 1e6)}" for name, value in figures_us.items() if name != "count")


def counts(found: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in sorted(found.items())) or "0"


def count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def duration(seconds: float | None) -> str:
    return "unknown" if seconds is None else format_duration(seconds)
