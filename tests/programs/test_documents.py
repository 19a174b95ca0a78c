"""The schema that c1m-coord prints, and the documents that its commands write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from json_schema import complaints
from programs import run_coord

EVERYTHING = ("--storm", "at=1s,drop=5%,return=200ms", "--heartbeat", "500ms", "--keepalive", "1s", "--server-push", "1/s")


def printed(*words: str) -> dict[str, Any]:
    """What a command of c1m-coord writes as JSON."""
    line = [sys.executable, "-m", "c1m.coordinator", *words]
    ended = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_a_run_writes_what_the_schema_describes(tmp_path: Path) -> None:
    written = tmp_path / "summary.json"
    words = ("--total", "500", "--hold", "2s", "--require", "always dropped == 0", "--journal", str(tmp_path))

    ended = run_coord(*words, *EVERYTHING, "--json", str(written))

    schema = printed("schema", "summary")
    assert ended.returncode == 0, ended.stdout
    assert complaints(json.loads(written.read_text()), schema) == []
    assert complaints(printed("show", "--json", "-", "--journal", str(tmp_path)), printed("schema")) == []
    assert complaints(printed("runs", "--json", "-", "--journal", str(tmp_path)), printed("schema", "runs")) == []


@pytest.mark.parametrize("command", ["plan", "doctor", "tune"])
def test_other_commands_write_what_their_schemas_describe(command: str) -> None:
    assert complaints(printed(command, "--total", "100", "--json", "-"), printed("schema", command)) == []
