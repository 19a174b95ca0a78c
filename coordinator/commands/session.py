"""One command's work with nodes: start or connect to them, run, resume or survey, and handle ^C."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from c1m.app.collector import deferred
from c1m.coordinator.fleet.nodes import Nodes
from c1m.coordinator.fleet.opening import fleet
from c1m.coordinator.fleet.survey import preflight_of, survey
from c1m.coordinator.journal.journal import Journal, lock_of
from c1m.coordinator.journal.store import JournalStore
from c1m.coordinator.planning.preflight import Preflight
from c1m.coordinator.report.live import view
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.run.run import Run, new_outcome, until
from c1m.coordinator.run.state import View
from c1m.coordinator.run.takeover import LEASE_GOES_ON, Takeover, read_left
from c1m.coordinator.spec.spec import RunSpec
from c1m.errors import AbandonedError, C1mError, RefusedError, UsageError
from c1m.processes.priority import before_children

from .signals import interruption


async def conduct(settings: RunSpec, console: Console, shelf: JournalStore | None) -> tuple[Outcome, Journal | None]:
    """Do a whole run, and start the nodes that are not named. Return the outcome of the run and its open journal.

    The journal is None without a ``shelf``, or if a local node refused to start. A refusal of such a node is an outcome; other
    errors raise C1mError.
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
    except RefusedError as error:  # from a local node, before the run began
        return Outcome("none", settings, started_at, datetime.now(UTC), refusals=error.reasons), None


async def attach(path: Path, tls: Path | None, console: Console) -> tuple[Outcome, Journal]:
    """Finish a run whose coordinator has died. Return the outcome of the run and its open journal.

    ``path`` is the run's journal. ``tls`` is the operator's directory; None takes the run's own. Raises C1mError if the run
    cannot be taken over.
    """
    lock = lock_of(path)
    if lock is None:
        raise UsageError(
            f"run {path.stem} has a coordinator, which writes its journal; print its report with c1m-coord show {path.stem}, "
            f"or end that coordinator first (a coordinator stopped by ^Z counts too)"
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
            journal = Journal(path, lock, taken.known_until)
            return await Run(taken.outcome, nodes, shown, journal, taken).go(interrupted), journal


def journal_on(shelf: JournalStore | None, run_id: str, shown: View) -> Journal | None:
    """Return a new journal for the run in the store ``shelf``; None without a store.

    Old journals are deleted first if there are too many, and the user is shown how many.
    """
    if shelf is None:
        return None
    if told := shelf.tidy():
        shown.say(told)
    return Journal(shelf.path_of(run_id))


async def recorded(run: Run, interrupted: asyncio.Event) -> Outcome:
    """Do a run to its end and return its outcome.

    If the run ends with a C1mError, so that it never started, its journal is deleted and the error raised.
    """
    try:
        return await run.go(interrupted)
    except C1mError:
        if run.recorder.journal:
            run.recorder.journal.discard()
        raise


def new_run_id() -> str:
    """Return a new id for a run, which sorts by time: UTC date and time, and four random hexadecimal digits."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


async def look(settings: RunSpec) -> Preflight:
    """Return what the limits of all nodes mean for a run with the given settings, after surveying the nodes.

    Opens no connection of the run. Raises C1mError.
    """
    async with fleet(settings) as (workers, target):
        return preflight_of(settings, await survey(settings, workers, target))
