"""What stands in a journal, without folding it: its first record and its last."""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from c1m.errors import UsageError

from .journal import is_written, read_only
from .replay import check
from .shelf import bytes_of

RUNNING, ENDED, INCOMPLETE, UNREADABLE = "running", "ended", "incomplete", "unreadable"


@dataclass(frozen=True, slots=True)
class Contents:
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


def contents_of(path: Path) -> Contents:
    """Of a file that is no journal, that."""
    written, size = is_written(path), bytes_of(path)
    try:
        with closing(read_only(path)) as file:
            check(path, file)
            ends = [record(file, order) for order in ("ASC", "DESC")]
    except (sqlite3.Error, UsageError, OSError):
        return Contents(path.stem, RUNNING if written else UNREADABLE, size)
    first, last = ends
    if first is None or last is None:
        return Contents(path.stem, RUNNING if written else INCOMPLETE, size)
    header = json.loads(first[2])
    verdict = json.loads(last[2]) if last[1] == "verdict" else {}
    return Contents(
        run_id=header["run_id"],
        state=RUNNING if written else ENDED if verdict else INCOMPLETE,
        journal_bytes=size,
        started_at=header["started_at"],
        command=shlex.join(["c1m-coord", "run", *header["words"]]),
        verdict=verdict.get("verdict"),
        exit_code=verdict.get("exit_code"),
        seconds=round(last[0] - first[0], 2) if last[0] >= first[0] else None,
        settings=header["settings"],
    )


def record(file: sqlite3.Connection, order: str) -> tuple[float, str, bytes] | None:
    """(at, kind, body) of the first, or of the last."""
    found: tuple[float, str, bytes] | None = file.execute(
        f"SELECT at, kind, body FROM records ORDER BY number {order} LIMIT 1"
    ).fetchone()
    return found
