"""The end of a run: print and write the summary, and add the journal's last record."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from c1m.coordinator.journal.codec import JudgedRun, to_json
from c1m.coordinator.journal.journal import Journal, Record
from c1m.coordinator.report.summary_tables import print_report
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.results.summary import journal_summary, summarise
from c1m.coordinator.summary.summary import Summary

from .output import publish


def tell_end(outcome: Outcome, kept: Journal | None, json_file: str | None) -> int:
    """Print the report of a run and write the JSON file. Return the exit code of the run."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the run is over; an interrupt could only cut the summary short
    summary = concluded(outcome, kept)
    publish(summary, lambda console: print_report(summary, console), json_file)
    return summary.exit_code


def concluded(outcome: Outcome, kept: Journal | None) -> Summary:
    """Return the summary of a run. The verdict becomes the last record of the journal, which is closed.

    ``kept``: the open journal; None: the run has none.
    """
    summary = summarise(outcome)
    if kept is None:
        return summary
    judged = JudgedRun(summary.verdict, summary.exit_code)
    kept.record(Record(time.monotonic(), "verdict", "", to_json(judged)))
    untold, known_until = kept.close(), outcome.ended_at
    if untold:
        ago = None if kept.ends_at is None else timedelta(seconds=time.monotonic() - kept.ends_at)
        known_until = datetime.now(UTC) - ago if ago else None
    outcome.cut(known_until, untold=untold)
    return replace(summary, journal=journal_summary(outcome))
