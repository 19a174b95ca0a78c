"""The recorder of a run: writes to its journal what happens, so that replay.py can rebuild the run.

Samples and steps of the run are recorded as they come, because the ledger depends on their order. All other fields of the
outcome are compared four times a second with their last record, and recorded if they changed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message

from c1m import __version__
from c1m.coordinator.fleet.survey import Survey
from c1m.coordinator.results.outcome import Outcome
from c1m.measure.sample import Reading
from c1m.wire import node_messages as wire

from .codec import Header, to_json
from .journal import Journal, Record

NOTICE_SECONDS = 0.25
# Fields of the outcome that are compared. All others follow from records of other kinds.
NOTICED = (
    "ended_at",
    "interrupted",
    "refusals",
    "troubles",
    "destinations",
    "moves",
    "ramp_end",
    "rests",
    "hold_end",
    "off_schedule",
    "widest_gap",
    "findings",
    "costs",
    "diagnosis",
    "probed",
    "teardown_seconds",
    "left_open",
    "judgements",
)


class Recorder:
    """Records the events and the state of one run. Without a journal it records nothing."""

    def __init__(self, outcome: Outcome, journal: Journal | None = None, resumed: Record | None = None) -> None:
        """``resumed``: the first record that a coordinator adds when it resumes a run; None: a new run."""
        self.outcome = outcome
        self.journal = journal
        self.noticed = snapshot(outcome)
        self.next_notice = 0.0
        self.warned = False  # whether notice() has reported that the journal ended
        self.record(resumed or header(outcome, time.monotonic()))

    # -- events, in order

    def mustered(self, mustered: Survey) -> None:
        """Record the descriptions of all nodes."""
        self.note(time.monotonic(), "mustered", mustered)

    def planned(self) -> None:
        """Record the plan in short, for people. The replay makes the plan again from the descriptions."""
        plan = self.outcome.plan
        self.note(time.monotonic(), "planned", plan.to_summary() if plan else None)

    def began(self, now: float) -> None:
        """Record that the workers are asked to start."""
        self.note(now, "began", None)

    def sample(self, now: float, node: str, message: Message) -> None:
        """Record a sample that a node sent."""
        self.record(Record(now, "sample", node, message))

    def reading(self, now: float, node: str, reading: Reading) -> None:
        """Record a reading that a node sent when it was asked to compare."""
        if self.journal:
            self.record(Record(now, "reading", node, wire.reading_to_wire(reading)))

    def lost(self, now: float, node: str, reason: str) -> None:
        """Record that a node is lost."""
        self.note(now, "lost", reason, node)

    def moved(self, now: float, node: str, taken_by: Mapping[str, int], not_taken: str) -> None:
        """Record which workers took over a lost worker's share."""
        self.note(now, "moved", {"taken_by": dict(taken_by), "not_taken": not_taken}, node)

    def turn(self, now: float, doing: str) -> None:
        """Record what the run does from now on."""
        self.note(now, "turn", doing)

    def said(self, sentence: str) -> None:
        """Record a sentence that was shown to the user."""
        self.note(time.monotonic(), "said", sentence)

    def over(self, now: float) -> None:
        """Record that no more samples will come."""
        self.note(now, "over", None)

    # -- state, if it changed

    def notice(self, now: float, *, at_once: bool = False) -> str:
        """Record the fields of the outcome that changed, if it is time to compare them.

        Returns a sentence for the user, once, if the journal has ended before the run; else an empty string.
        """
        if self.journal is None or (now < self.next_notice and not at_once):
            return ""
        self.next_notice = now + NOTICE_SECONDS
        found = snapshot(self.outcome)
        if new := {name: value for name, value in found.items() if value != self.noticed[name]}:
            self.noticed = found
            self.note(now, "state", new)
        if self.journal.reason and not self.warned:
            self.warned = True
            return f"journal stopped ({self.journal.reason}); the run continues without it"
        return ""

    async def written(self) -> None:
        """Return when everything known by now is on the disk, or the journal has ended."""
        self.notice(time.monotonic(), at_once=True)
        if self.journal:
            await asyncio.to_thread(self.journal.commit)

    def note(self, now: float, kind: str, value: Any, node: str = "") -> None:
        """Record a value as JSON."""
        if self.journal:
            self.record(Record(now, kind, node, to_json(value)))

    def record(self, record: Record) -> None:
        """Add a record to the journal, if there is one."""
        if self.journal:
            self.journal.record(record)


def snapshot(outcome: Outcome) -> dict[str, Any]:
    """Return the compared fields of the outcome. Lists are copied, because they grow."""
    values = {name: getattr(outcome, name) for name in NOTICED}
    return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}


def header(outcome: Outcome, now: float) -> Record:
    """Return the first record of a journal."""
    body = Header(
        run_id=outcome.run_id,
        c1m=__version__,
        started_at=outcome.started_at,
        at=datetime.now(UTC),
        at_monotonic=now,
        seed=outcome.seed,
        settings=outcome.spec.to_settings(),
        words=tuple(outcome.spec.to_words()),
    )
    return Record(now, "run", "", to_json(body))
