"""The state of a run: one object owns its outcome and ledger, its clock, its nodes and the step at which it is.

All parts of a run share it, and change it only by its methods, which also write to the journal what a replay needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from c1m.coordinator.fleet.clock import Clock
from c1m.coordinator.fleet.nodes import Nodes, ReceivedSample
from c1m.coordinator.journal.recorder import Recorder
from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.loss_reason import LossReason
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.results.outcome import Outcome
from c1m.measure.sample import Reading

from .steps import DOING, MOVES_SHARES, Event, Step, after


class View(Protocol):
    """Shows the state of a run to a person."""

    def say(self, sentence: str) -> None:
        """Show that something happened."""

    def show(self, ledger: Ledger, doing: Doing, progress: float | None) -> None:
        """Show the present state; called often. ``progress`` of the present step is 0 to 1; None: unknown."""


class RunState:
    """The state of one run."""

    def __init__(self, outcome: Outcome, nodes: Nodes, recorder: Recorder, view: View, step: Step) -> None:
        """``step``: SURVEYING for a run that begins here, RESUMING for one that another coordinator began."""
        self.outcome = outcome
        self.spec = outcome.spec
        self.nodes = nodes
        self.recorder = recorder
        self.view = view
        self.step = step
        self.began: float | None = None  # when the workers were asked to start, on the monotonic clock; None: they were not
        self.nothing = Ledger((), None)

    # -- what it is

    @property
    def clock(self) -> Clock:
        """The clock of the run."""
        return self.recorder.clock

    @property
    def ledger(self) -> Ledger:
        """The ledger; an empty one before the plan is made."""
        return self.outcome.ledger or self.nothing

    @property
    def started(self) -> bool:
        """Whether connections may have been opened."""
        return self.began is not None

    @property
    def closing(self) -> bool:
        """Whether connections are being closed: a node that closes was asked to."""
        return self.step in (Step.CLOSING, Step.ENDED)

    @property
    def moves_shares(self) -> bool:
        """Whether the share of a worker that is lost now is moved to others."""
        return self.step in MOVES_SHARES

    @property
    def elapsed(self) -> float:
        """The seconds since the schedule began, which include the time that the start took to reach the nodes; 0 before."""
        return 0.0 if self.began is None else self.clock.now() - self.began

    @property
    def doing(self) -> Doing:
        """What the run does at this step."""
        if self.step is Step.FOLLOWING and self.ledger.has_stages:
            return Doing.FOLLOWING
        return DOING[self.step]

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.nodes.run_id

    # -- what becomes of it

    def advance(self, event: Event) -> None:
        """Go on to the step to which the event leads. Raises IllegalTransitionError, and changes nothing, if none does."""
        self.step = after(self.step, event)

    def start(self) -> None:
        """Note that the workers are asked to start now."""
        self.advance(Event.STARTED)
        self.began = began = self.clock.now()
        self.recorder.began(began)
        self.ledger.timeline.begin(began, self.ledger.moment)

    def resume(self, was: Event, began: float) -> None:
        """Go on at the step where another coordinator left the run. ``began``: the start, on our monotonic clock."""
        self.advance(was)
        self.began = began
        self.nodes.engage(entry.name for entry in self.ledger.entries)

    def say(self, sentence: str) -> None:
        """Report something to a person and to the journal."""
        self.recorder.said(sentence)
        self.view.say(sentence)

    def turn(self, doing: Doing) -> None:
        """Record that the run does something else from now on.

        Findings are written first: a coordinator that takes the run over while it closes cannot compare any more.
        """
        now = self.clock.now()
        self.notice(at_once=True)
        self.recorder.turn(now, doing)
        self.ledger.timeline.turn(now, doing)

    def notice(self, *, at_once: bool = False) -> None:
        """Write what has changed in the outcome to the journal, if that is due or ``at_once`` is set."""
        if trouble := self.recorder.notice(self.clock.now(), at_once=at_once):
            self.view.say(trouble)

    def show(self, doing: Doing, progress: float | None) -> None:
        """Show the present state to a person. ``progress`` is 0 to 1; None: unknown."""
        self.view.show(self.ledger, doing, progress)

    # -- what nodes report, and what becomes of them

    def hear(self, entry: NodeRecord, received: ReceivedSample) -> None:
        """Put a sample into the journal and the ledger. Report what is new in it: ended processes and tight limits."""
        now, known = self.clock.now(), len(entry.sample.exit_reasons)
        self.recorder.sample(now, entry.name, received.message)
        self.ledger.hear(entry, received.sample, now)
        for exit_reason in received.sample.exit_reasons[known:]:
            self.say(f"{entry.name}: {exit_reason}")
        for sentence in self.outcome.limit_usages.look(entry.name, entry.history.first, entry.history.last):
            self.say(sentence)

    def read(self, entry: NodeRecord, reading: Reading) -> None:
        """Put a reading that a node took for a comparison into the journal and the ledger."""
        now = self.clock.now()
        self.recorder.reading(now, entry.name, reading)
        self.ledger.read(entry, reading, now)

    def lose(self, entry: NodeRecord, reason: LossReason) -> None:
        """Put the loss of a node into the ledger and the journal, and report it."""
        now = self.clock.now()
        loss = self.ledger.lose(entry, reason, now)
        self.recorder.lost(now, entry.name, reason)
        self.say(f"lost: {loss.reason}")

    def move(self, entry: NodeRecord, taken_by: Mapping[str, int], not_taken: str) -> None:
        """Record how much of a lost worker's share others have taken over, and why not all of it; empty: all."""
        self.ledger.move(entry.name, taken_by, not_taken)
        self.recorder.moved(self.clock.now(), entry.name, taken_by, not_taken)
        self.say(self.ledger.losses[entry.name].sentence())

    def end(self) -> None:
        """Record that no more samples come."""
        now = self.clock.now()
        self.recorder.over(now)
        self.ledger.timeline.end(now, self.ledger.moment)
