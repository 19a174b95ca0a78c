"""What a coordinator does when its run has ended: the summary, told and written, and the last record of the journal."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from c1m.coordinator.journal.codec import to_json
from c1m.coordinator.journal.journal import Journal, Record
from c1m.coordinator.report.summary_tables import print_report
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.results.summary import journal_summary, summarise

from .output import publish


def tell_end(outcome: Outcome, kept: Journal | None, json_file: str | None) -> int:
    """The exit code."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # nothing is left to be stopped, and half a summary is none
    summary = concluded(outcome, kept)
    publish(summary, lambda console: print_report(summary, console), json_file)
    exit_code: int = summary["exit_code"]
    return exit_code


def concluded(outcome: Outcome, kept: Journal | None) -> dict[str, Any]:
    """The summary; its verdict is the journal's last record."""
    summary = summarise(outcome)
    if kept is None:
        return summary
    judged = {name: summary[name] for name in ("verdict", "exit_code")}
    kept.record(Record(time.monotonic(), "verdict", "", to_json(judged)))
    outcome.untold, outcome.known_until = kept.close(), outcome.ended_at
    if outcome.untold:
        ago = None if kept.ends_at is None else timedelta(seconds=time.monotonic() - kept.ends_at)
        outcome.known_until = datetime.now(UTC) - ago if ago else None
    return {**summary, "journal": journal_summary(outcome)}
