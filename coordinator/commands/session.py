"""A coordinator at work for one command: its nodes, its run, and what ^C means meanwhile."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from c1m.app.collector import deferred
from c1m.coordinator.fleet.clients import Nodes
from c1m.coordinator.fleet.opening import fleet
from c1m.coordinator.fleet.survey import preflight_of, survey
from c1m.coordinator.journal.journal import Journal, lock_of
from c1m.coordinator.journal.store import JournalStore
from c1m.coordinator.planning.preflight import Preflight
from c1m.coordinator.report.live import view
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.run.run import Run, new_outcome, until
from c1m.coordinator.run.takeover import LEASE_GOES_ON, Takeover, read_left
from c1m.coordinator.run.watch import View
from c1m.coordinator.spec.spec import RunSpec
from c1m.errors import AbandonedError, C1mError, RefusedError, UsageError
from c1m.processes.priority import before_children

from .signals import interruption


async def conduct(settings: RunSpec, console: Console, shelf: JournalStore | None) -> tuple[Outcome, Journal | None]:
    """The whole run, with whatever nodes it has to start. Only a refusal makes an outcome of an error.

    Its journal, for which there is a place on the shelf, is still to be closed.
    """
    interrupted = interruption()
    started_at = datetime.now(UTC)
    try:
        async with fleet(settings) as (workers, target):
            before_children()
            with view(console) as shown, deferred():
                run_id = new_run_id()
                journal = journal_on(shelf, run_id, shown)
                run = Run(new_outcome(run_id, settings), Nodes(run_id, workers, target), shown, journal)
                return await recorded(run, interrupted), journal
    except RefusedError as error:  # a node of our own, before there was a run
        return Outcome("none", settings, started_at, datetime.now(UTC), refusals=error.reasons), None


async def attach(path: Path, tls: Path | None, console: Console) -> tuple[Outcome, Journal]:
    """The rest of a run whose coordinator is gone; ``path`` is its journal, which is still to be closed.

    ``tls``: the operator's directory; None: as the run had it. Raises C1mError where it cannot be taken over.
    """
    lock = lock_of(path)
    if lock is None:
        raise UsageError(
            f"run {path.stem} has a coordinator, which writes its journal; look at it with c1m-coord show {path.stem}, or end "
            f"that coordinator first (one that is stopped, by ^Z, still counts)"
        )
    interrupted = interruption()
    left = read_left(path)
    settings = replace(left.spec, tls=tls or left.spec.tls)
    async with fleet(settings) as (workers, target):
        with view(console) as shown, deferred():
            nodes = Nodes(left.run_id, workers, target)
            takeover = Takeover(path, nodes)
            if await until(takeover.take(), interrupted):
                raise AbandonedError(f"run {left.run_id} was not taken over; {LEASE_GOES_ON}")
            taken = takeover.taken
            journal = Journal(path, lock)
            journal.ends_at = taken.known_until
            return await Run(taken.outcome, nodes, shown, journal, taken).go(interrupted), journal


def journal_on(shelf: JournalStore | None, run_id: str, shown: View) -> Journal | None:
    if shelf is None:
        return None
    if told := shelf.tidy():
        shown.say(told)
    return Journal(shelf.path_of(run_id))


async def recorded(run: Run, interrupted: asyncio.Event) -> Outcome:
    """Of a run that never was no journal stays."""
    try:
        return await run.go(interrupted)
    except C1mError:
        if run.recorder.journal:
            run.recorder.journal.discard()
        raise


def new_run_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


async def look(settings: RunSpec) -> Preflight:
    """What the nodes say of themselves, and what that means for these settings; nothing is opened. Raises C1mError."""
    async with fleet(settings) as (workers, target):
        return preflight_of(settings, await survey(settings, workers, target))
