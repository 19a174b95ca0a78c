"""Seats at the end of the hold: were all of the schedule's filled, by a connection or by one that is away as asked? Pure."""

from __future__ import annotations

from collections.abc import Mapping

from c1m.measure.tally import Tally

from .comparison import Comparison


def complaints(goal: int, at_end: Comparison, tally: Tally) -> list[str]:
    """``goal``: seats of the schedule at its end. ``tally``: of the whole run."""
    if at_end.established + at_end.away >= goal:
        return []
    away = f", {at_end.away:,} more were away as asked" if at_end.away else ""
    waiting = f"; {at_end.waiting:,} waited to be opened again" if at_end.waiting else ""
    lost = f"dropped: {causes(tally.dropped)}; failed: {causes(tally.failed)}"
    held = f"{at_end.established:,} of {goal:,} connections were held at the end of the hold"
    return [f"{held}{away}{waiting}{stayed(at_end)}; {lost}"]


def stayed(at_end: Comparison) -> str:
    """Who is neither held nor dropped: slow clients."""
    return f"; {at_end.half_closed:,} stayed when the server had closed its side" if at_end.half_closed else ""


def causes(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"
