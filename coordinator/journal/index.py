"""The index of a journal: what its first and last records say, without replaying it."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from c1m.coordinator.summary.documents import RunSummary
from c1m.errors import UsageError

from .codec import Header, JudgedRun, from_plain
from .journal import is_written, read_only
from .replay import UnpackedRecord, broken_told, check, plain
from .store import bytes_of

RUNNING, ENDED, INCOMPLETE, UNREADABLE = "running", "ended", "incomplete", "unreadable"


@dataclass(frozen=True, slots=True)
class JournalIndex:
    """One run as the command ``c1m-coord runs`` lists it: id, state, start, duration, verdict, and size of its journal."""

    run_id: str
    state: str  # RUNNING, ENDED, INCOMPLETE or UNREADABLE
    journal_bytes: int
    started_at: str | None = None  # ISO 8601; None: the journal is empty
    command: str | None = None
    verdict: str | None = None  # None: the run has none
    exit_code: int | None = None
    seconds: float | None = None  # from the first record to the last; None: two coordinators wrote them, with different clocks
    settings: Mapping[str, str | list[str]] = field(default_factory=dict)  # as the user wrote them

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the run, KEY=VALUE each."""
        found = self.settings.get("label", ())
        return tuple(map(str, found)) if isinstance(found, (list, tuple)) else (str(found),)

    def to_summary(self) -> RunSummary:
        """Return the run as ``c1m-coord runs`` lists it."""
        return RunSummary(
            run_id=self.run_id,
            state=self.state,
            started_at=self.started_at,
            seconds=self.seconds,
            verdict=self.verdict,
            exit_code=self.exit_code,
            command=self.command,
            labels=self.labels,
            journal_bytes=self.journal_bytes,
        )


def contents_of(path: Path) -> JournalIndex:
    """Return the entry of a journal for the list of runs, made from its first and last record.

    For a file that is not a journal, the state of the entry is UNREADABLE.
    """
    written, size = is_written(path), bytes_of(path)
    found = JournalIndex(path.stem, RUNNING if written else INCOMPLETE, size)
    try:
        with broken_told(path), closing(read_only(path)) as file:
            check(path, file)
            first, last = record(file, "ASC"), record(file, "DESC")
            return described(found, first, last) if first and last else found
    except (UsageError, OSError):
        return found if written else replace(found, state=UNREADABLE)


def described(found: JournalIndex, first: UnpackedRecord, last: UnpackedRecord) -> JournalIndex:
    """Return the list entry of a run, completed from the first and the last record of its journal."""
    header = from_plain(plain(first), Header)
    judged = from_plain(plain(last), JudgedRun) if last.kind == "verdict" else None
    return replace(
        found,
        state=ENDED if judged and found.state == INCOMPLETE else found.state,
        started_at=header.started_at.isoformat(),
        command=shlex.join(["c1m-coord", "run", *header.words]),
        verdict=judged.verdict if judged else None,
        exit_code=judged.exit_code if judged else None,
        seconds=round(last.at - first.at, 2) if last.at >= first.at else None,
        settings=header.settings,
    )


def record(file: sqlite3.Connection, order: str) -> UnpackedRecord | None:
    """Return the first record of an open journal if ``order`` is "ASC", the last if it is "DESC"; None if there is none."""
    found = file.execute(f"SELECT at, kind, node, body FROM records ORDER BY number {order} LIMIT 1").fetchone()
    return UnpackedRecord._make(found) if found else None
