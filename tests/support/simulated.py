"""Whole runs of the coordinator over simulated nodes, in virtual time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from c1m.coordinator.journal.journal import Journal, lock_of
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.results.summary import summarise
from c1m.coordinator.run.run import Run, new_outcome
from c1m.coordinator.run.takeover import Takeover
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.summary.codec import to_plain
from c1m.errors import C1mError
from c1m.testing.simulated_fleet import SimulatedFleet
from c1m.testing.virtual_time import VirtualClock, run_virtually

RUN_ID = "20261201T000000-beef"
USUAL = {"total": "100", "rate": "20", "hold": "10s"}  # five seconds of opening, ten of holding

Action = Callable[[], object]


@dataclass
class Watched:
    """A view that keeps what it is told, and acts when the run comes to a step. An action happens once."""

    on: dict[str, Action] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def show(self, ledger: Ledger, doing: str, progress: float | None) -> None:
        if doing not in self.steps[-1:]:
            self.steps.append(doing)
        if act := self.on.pop(doing, None):
            act()


@dataclass
class Ran:
    """A run that is over."""

    outcome: Outcome
    view: Watched
    summary: dict[str, Any]

    @property
    def verdict(self) -> str:
        return str(self.summary["verdict"])

    @property
    def reasons(self) -> str:
        return "\n".join(self.summary["reasons"])


@dataclass
class Scene:
    """A run to be: its fleet, its settings, and what happens meanwhile."""

    fleet: SimulatedFleet = field(default_factory=SimulatedFleet)
    settings: Mapping[str, Any] = field(default_factory=lambda: USUAL)
    on: dict[str, Action] = field(default_factory=dict)  # step -> what happens when the run comes to it
    at: dict[float, Action] = field(default_factory=dict)  # seconds from the beginning -> what happens then
    journal: Journal | None = None
    interrupted: asyncio.Event = field(default_factory=asyncio.Event)

    def play(self) -> Ran:
        """Do the run."""
        return run_virtually(self.go())

    async def go(self) -> Ran:
        spec = make_spec([("test", {"seed": "1", **self.settings})])
        view, clock = Watched(dict(self.on)), VirtualClock()
        nodes = self.fleet.nodes(RUN_ID, target=spec.endpoint is None)
        run = Run(new_outcome(RUN_ID, spec, clock), nodes, view, self.journal, clock=clock)
        for seconds, act in self.at.items():
            asyncio.get_running_loop().call_later(seconds, act)
        outcome = await run.go(self.interrupted)
        return Ran(outcome, view, to_plain(summarise(outcome)))


def play(settings: Mapping[str, Any] | None = None, **scene: Any) -> Ran:
    """Do a run with these settings beside the usual ones."""
    return Scene(settings={**USUAL, **(settings or {})}, **scene).play()


@dataclass
class Left:
    """What a coordinator that dies now leaves behind: nodes that go on, and its journal."""

    fleet: SimulatedFleet
    journal: Path
    at: float  # on the loop's clock

    @classmethod
    def by(cls, fleet: SimulatedFleet, journal: Journal, copy: Path) -> Left:
        journal.commit()
        with closing(sqlite3.connect(journal.path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        now = asyncio.get_running_loop().time()
        left = cls(deepcopy(fleet), copy, now)
        for node in (*left.fleet.workers, left.fleet.target):
            node.watchers, node.unwatched_since = 0, now
        return left

    def taken_over(self, after: float = 2.0, **on: Action) -> Ran:
        """Let another coordinator finish the run, so many seconds later. Raises C1mError if it cannot."""
        return run_virtually(self.attach(on), self.at + after)

    async def attach(self, on: dict[str, Action]) -> Ran:
        lock = lock_of(self.journal)
        assert lock
        clock, view, nodes = VirtualClock(), Watched(on), self.fleet.nodes(RUN_ID)
        takeover = Takeover(self.journal, nodes, clock)
        try:
            await takeover.take()
        except C1mError:
            lock.close()
            raise
        taken = takeover.taken
        journal = Journal(self.journal, lock, taken.known_until)
        outcome = await Run(taken.outcome, nodes, view, journal, taken, clock=clock).go(asyncio.Event())
        journal.close()
        return Ran(outcome, view, to_plain(summarise(outcome)))
