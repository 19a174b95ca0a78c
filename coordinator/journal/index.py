"""What stands in a journal, without folding it: its first record and its last."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from c1m.errors import UsageError

from .codec import Header, JudgedRun, from_plain
from .journal import is_written, read_only
from .replay import UnpackedRecord, broken_told, check, plain
from .store import bytes_of

RUNNING, ENDED, INCOMPLETE, UNREADABLE = "running", "ended", "incomplete", "unreadable"


@dataclass(frozen=True, slots=True)
class JournalIndex:
    run_id: str
    state: str
    journal_bytes: int
    started_at: str | None = None  # None: nothing of the run is in it
    command: str | None = None
    verdict: str | None = None  # None: it did not come to one
    exit_code: int | None = None
    seconds: float | None = None  # from the first record to the last; None: two coordinators wrote them, by other clocks
    settings: Mapping[str, Any] = field(default_factory=dict)  # as a person writes them

    def to_summary(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "state": self.state,
            "started_at": self.started_at,
            "seconds": self.seconds,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "command": self.command,
            "journal_bytes": self.journal_bytes,
        }


def contents_of(path: Path) -> JournalIndex:
    """Of a file that is no journal, that."""
    written, size = is_written(path), bytes_of(path)
    found = JournalIndex(path.stem, RUNNING if written else INCOMPLETE, size)
    try:
        with broken_told(path), closing(read_only(path)) as file:
            check(path, file)
            first, last = record(file, "ASC"), record(file, "DESC")
            return told(found, first, last) if first and last else found
    except (UsageError, OSError):
        return found if written else replace(found, state=UNREADABLE)


def told(found: JournalIndex, first: UnpackedRecord, last: UnpackedRecord) -> JournalIndex:
    """With what both records say."""
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
    """The first, or the last."""
    found = file.execute(f"SELECT at, kind, node, body FROM records ORDER BY number {order} LIMIT 1").fetchone()
    return UnpackedRecord._make(found) if found else None
