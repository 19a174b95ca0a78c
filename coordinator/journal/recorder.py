"""The scribe of a run: tells its journal what happens, so that replay.py can have it happen again.

What nodes tell and what turns the run takes are recorded as they come, since the ledger is folded from them in their order.
All else that an outcome holds is compared, a few times a second, with what was last recorded of it.
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
# Of an outcome; what is missing here follows from the records of other kinds.
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
    """``journal``: None is a run that keeps none, and of which nothing is recorded."""

    def __init__(self, outcome: Outcome, journal: Journal | None = None, resumed: Record | None = None) -> None:
        """``resumed``: the first of what is added to the journal of a run that goes on."""
        self.outcome = outcome
        self.journal = journal
        self.noticed = snapshot(outcome)
        self.next_notice = 0.0
        self.told = False  # that the journal ends before the run
        self.record(resumed or header(outcome, time.monotonic()))

    # -- what happens, in its order

    def mustered(self, mustered: Survey) -> None:
        self.note(time.monotonic(), "mustered", mustered)

    def planned(self) -> None:
        """Of the plan goes in what a person wants to read; it is made again of what the nodes described."""
        plan = self.outcome.plan
        self.note(time.monotonic(), "planned", plan.to_summary() if plan else None)

    def began(self, now: float) -> None:
        self.note(now, "began", None)

    def sample(self, now: float, node: str, message: Message) -> None:
        self.record(Record(now, "sample", node, message))

    def reading(self, now: float, node: str, reading: Reading) -> None:
        """Told by the node when it was asked to compare."""
        if self.journal:
            self.record(Record(now, "reading", node, wire.reading_to_wire(reading)))

    def lost(self, now: float, node: str, reason: str) -> None:
        self.note(now, "lost", reason, node)

    def moved(self, now: float, node: str, taken_by: Mapping[str, int], not_taken: str) -> None:
        self.note(now, "moved", {"taken_by": dict(taken_by), "not_taken": not_taken}, node)

    def turn(self, now: float, doing: str) -> None:
        self.note(now, "turn", doing)

    def said(self, sentence: str) -> None:
        self.note(time.monotonic(), "said", sentence)

    def over(self, now: float) -> None:
        """Nothing more is told by anybody."""
        self.note(now, "over", None)

    # -- what is different

    def notice(self, now: float, *, at_once: bool = False) -> str:
        """What there is to tell a person about the journal itself; most of the time nothing."""
        if self.journal is None or (now < self.next_notice and not at_once):
            return ""
        self.next_notice = now + NOTICE_SECONDS
        found = snapshot(self.outcome)
        if new := {name: value for name, value in found.items() if value != self.noticed[name]}:
            self.noticed = found
            self.note(now, "state", new)
        if self.journal.reason and not self.told:
            self.told = True
            return f"the run goes on, and its journal does not: {self.journal.reason}"
        return ""

    async def written(self) -> None:
        """All that is known by now is on the disk, or it never will be."""
        self.notice(time.monotonic(), at_once=True)
        if self.journal:
            await asyncio.to_thread(self.journal.commit)

    def note(self, now: float, kind: str, value: Any, node: str = "") -> None:
        if self.journal:
            self.record(Record(now, kind, node, to_json(value)))

    def record(self, record: Record) -> None:
        if self.journal:
            self.journal.record(record)


def snapshot(outcome: Outcome) -> dict[str, Any]:
    """Lists as they are now: they grow."""
    values = {name: getattr(outcome, name) for name in NOTICED}
    return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}


def header(outcome: Outcome, now: float) -> Record:
    told = Header(
        run_id=outcome.run_id,
        c1m=__version__,
        started_at=outcome.started_at,
        at=datetime.now(UTC),
        at_monotonic=now,
        seed=outcome.seed,
        settings=outcome.spec.to_settings(),
        words=tuple(outcome.spec.to_words()),
    )
    return Record(now, "run", "", to_json(told))
