"""Replaced child processes of nodes: those that ended during a run, and whose place another process took. Pure."""

from __future__ import annotations

from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.summary.nodes import ReplacementSummary
from c1m.measure.sample import Replacement
from c1m.schedule.schedule import NANOSECONDS

from .comparison import Comparison


def mended(ledger: Ledger) -> list[str]:
    """Return a sentence for each child process of any node that ended and was replaced."""
    return [f"{entry.name}: {sentence(each)}" for entry in ledger.entries for each in entry.sample.replacements]


def sentence(replacement: Replacement) -> str:
    """Return a sentence on how a child process ended, what it held, and how soon it was replaced."""
    seconds = replacement.after_ns / NANOSECONDS
    when = "" if replacement.ended_ns is None else f", {replacement.ended_ns / NANOSECONDS:.1f} s into the run"
    return (
        f"{replacement.exit_reason}{when}; its last report had {replacement.connections:,} connections, and another process "
        f"took its place after {seconds:.2f} s"
    )


def came_back(ledger: Ledger, at_end: Comparison | None) -> bool:
    """Return True if all connections of the schedule were open at the end of the hold, or away as the run asked."""
    return at_end is not None and at_end.established + at_end.away >= ledger.wanted_at_end


def to_summary(replacement: Replacement) -> ReplacementSummary:
    """Return a replacement as the summary has it."""
    return ReplacementSummary(
        ended=str(replacement.exit_reason),
        connections=replacement.connections,
        at_seconds=None if replacement.ended_ns is None else replacement.ended_ns / NANOSECONDS,
        after_seconds=replacement.after_ns / NANOSECONDS,
    )
