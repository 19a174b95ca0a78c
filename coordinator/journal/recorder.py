"""The recorder of a run: writes to its journal what happens, so that replay.py can rebuild the run.

Samples and steps of the run are recorded as they come, because the ledger depends on their order. All other fields of the
outcome are compared four times a second with their last record, and recorded if they changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from google.protobuf.message import Message

from c1m import __version__
from c1m.coordinator.fleet.clock import SYSTEM_CLOCK, Clock
from c1m.coordinator.fleet.survey import Survey
from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.ledger.loss_reason import LossReason
from c1m.coordinator.results.outcome import Outcome
from c1m.measure.sample import Reading
from c1m.wire import node_messages as wire

from .codec import Header, Plain, to_json
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
    """Writes the events and the state of one run to its journal. Without a journal it does nothing."""

    def __init__(
        self, outcome: Outcome, journal: Journal | None = None, resumed: Record | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Write the first record of the run, or ``resumed`` when another coordinator resumes the run; None: a new run."""
        self.outcome = outcome
        self.journal = journal
        self.clock = clock
        self.noticed = snapshot(outcome)
        self.next_notice = 0.0
        self.warned = False  # whether notice() has reported that the journal ended
        self.record(resumed or header(outcome, clock.now(), clock.wall()))

    # -- events, in order

    def mustered(self, mustered: Survey) -> None:
        """Write a record with the descriptions of all nodes to the journal."""
        self.note(self.clock.now(), "mustered", mustered)

    def planned(self) -> None:
        """Write a record with a short form of the plan, for people, to the journal.

        The replay makes the plan again from the descriptions of the nodes.
        """
        plan = self.outcome.plan
        self.note(self.clock.now(), "planned", plan.to_summary() if plan else None)

    def began(self, now: float) -> None:
        """Write a record to the journal that the workers were asked to start at the time ``now``."""
        self.note(now, "began", None)

    def sample(self, now: float, node: str, message: Message) -> None:
        """Write a sample that a node sent, received at the time ``now``, to the journal."""
        self.record(Record(now, "sample", node, message))

    def reading(self, now: float, node: str, reading: Reading) -> None:
        """Write a host reading that a node sent for a comparison to the journal."""
        if self.journal:
            self.record(Record(now, "reading", node, wire.reading_to_wire(reading)))

    def lost(self, now: float, node: str, reason: LossReason) -> None:
        """Write a record to the journal that the coordinator gave a node up at the time ``now``, with the reason."""
        self.note(now, "lost", reason, node)

    def moved(self, now: float, node: str, taken_by: Mapping[str, int], not_taken: str) -> None:
        """Write a record to the journal: how many connections of the lost worker ``node`` each other worker took over.

        ``not_taken``: why some were not taken over; empty if all were.
        """
        self.note(now, "moved", {"taken_by": dict(taken_by), "not_taken": not_taken}, node)

    def turn(self, now: float, doing: Doing) -> None:
        """Write a record to the journal of what the run does from the time ``now`` on."""
        self.note(now, "turn", doing)

    def said(self, sentence: str) -> None:
        """Write a sentence that was shown to the user to the journal."""
        self.note(self.clock.now(), "said", sentence)

    def over(self, now: float) -> None:
        """Write a record to the journal that no more samples of the nodes will come after the time ``now``."""
        self.note(now, "over", None)

    # -- state, if it changed

    def notice(self, now: float, *, at_once: bool = False) -> str:
        """Write the fields of the run's outcome that changed to the journal, if a comparison is due or ``at_once`` is set.

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
        """Wait until all that is known of the run by now is on the disk, or the journal has ended. Returns nothing."""
        self.notice(self.clock.now(), at_once=True)
        if self.journal:
            await asyncio.to_thread(self.journal.commit)

    def note(self, now: float, kind: str, value: Any, node: str = "") -> None:
        """Write a record of the given kind, with ``value`` as JSON, to the journal.

        ``node``: empty for the coordinator itself.
        """
        if self.journal:
            self.record(Record(now, kind, node, Plain(value)))

    def record(self, record: Record) -> None:
        """Add a record to the journal. Does nothing if the run has no journal."""
        if self.journal:
            self.journal.record(record)


def snapshot(outcome: Outcome) -> dict[str, Any]:
    """Return the fields of a run's outcome that are compared with the journal, by name. Lists are copied, because they grow."""
    values = {name: getattr(outcome, name) for name in NOTICED}
    return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}


def header(outcome: Outcome, now: float, at: datetime) -> Record:
    """Return the first record of a run's journal, with run id, version, start time, seed and settings."""
    body = Header(
        run_id=outcome.run_id,
        c1m=__version__,
        started_at=outcome.started_at,
        at=at,
        at_monotonic=now,
        seed=outcome.seed,
        settings=outcome.spec.to_settings(),
        words=tuple(outcome.spec.to_words()),
    )
    return Record(now, "run", "", to_json(body))
