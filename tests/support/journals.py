"""What journals tell: by the commands that show them, and read by the test itself while a run goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from c1m.coordinator.journal.replay import replay
from c1m.coordinator.journal.store import JournalStore
from c1m.coordinator.results.summary import summarise
from c1m.coordinator.summary.codec import to_plain
from c1m.errors import UsageError


def coord(command: str, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "c1m.coordinator", command, *words, "--journal", str(directory)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


def shown(directory: Path, *words: str) -> dict[str, Any]:
    told = coord("show", directory, *words, "--json", "-")
    summary: dict[str, Any] = json.loads(told.stdout)
    assert told.returncode == summary["exit_code"]
    return summary


def known(directory: Path) -> dict[str, Any]:
    """What the journal tells of its only run by now."""
    with suppress(UsageError):
        return to_plain(summarise(replay(JournalStore(directory).find(""))))
    return {}


def doing(summary: dict[str, Any]) -> str:
    turns = (summary.get("timeline") or {"turns": []})["turns"]
    return str(turns[-1]["doing"]) if turns else ""
