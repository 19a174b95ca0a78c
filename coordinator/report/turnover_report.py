"""What changed hands in a run, as people read it: successors, storms, and who stayed when the server closed. Pure."""

from __future__ import annotations

from typing import Any

from c1m.text.units import format_duration

from .format import count, percentiles


def turnover(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What changed hands; nothing where nothing was to."""
    told = []
    if summary["replaced"] or summary["spec"]["lifetime"]:
        told.append(("replaced", count(summary["replaced"])))
    if (told or summary["spec"]["reopen"]) and (off := summary["widest_off_schedule_through_hold"]) is not None:
        told.append(("off schedule", f"at most {count(off)} in the hold, those in flight among them"))
    if summary["spec"]["reopen"]:
        told.append(("reopened", f"{count(summary['reopened'])}, still waiting {count(summary['waiting_at_hold_end'])}"))
    if summary["away_at_hold_end"]:
        told.append(("away", f"{count(summary['away_at_hold_end'])} at the end of the hold"))
    if summary["half_closed_at_hold_end"]:
        told.append(("half closed", f"{count(summary['half_closed_at_hold_end'])} stayed when the server had closed its side"))
    if summary["half_closed_after_us"]["count"]:
        told.append(("half closed at age", percentiles(summary["half_closed_after_us"])))
    return told + [(f"storm at {format_duration(storm['at_seconds'])}", storm_told(storm)) for storm in summary["storms"] or ()]


def storm_told(storm: dict[str, Any]) -> str:
    dropped, returned, forgone, recovery = (storm[name] for name in ("dropped", "returned", "forgone", "recovery_seconds"))
    told = [f"{count(dropped)} left, {count(returned)} came back"]
    if forgone:
        told.append(f"{count(forgone)} were not asked for any more, since the schedule fell")
    if recovery is not None:
        told.append(f"all were there after {format_duration(recovery)}")
    elif returned + forgone < dropped:
        told.append("not all are back")
    if storm["slowest_connect_us"] is not None:
        told.append(f"slowest connect {format_duration(storm['slowest_connect_us'] / 1e6)}")
    queues = storm["accept_queues"]
    if queues:
        told += [f"{events:,} {name}" for name, events in queues.items() if events] or ["accept queues never full"]
    return ", ".join(told)
