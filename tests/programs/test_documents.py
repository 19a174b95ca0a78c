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


def output_of(*words: str) -> str:
    """What a command of c1m-coord writes to stdout."""
    line = [sys.executable, "-m", "c1m.coordinator", *words]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60).stdout


def printed(*words: str) -> dict[str, Any]:
    """What a command of c1m-coord writes as JSON."""
    found: dict[str, Any] = json.loads(output_of(*words))
    return found


def test_a_run_writes_what_the_schema_describes(tmp_path: Path) -> None:
    written = tmp_path / "summary.json"
    words = ("--total", "500", "--hold", "2s", "--require", "always dropped == 0", "--journal", str(tmp_path))

    ended = run_coord(*words, *EVERYTHING, "--json", str(written))

    schema = printed("schema", "summary")
    assert ended.returncode == 0, ended.stdout
    assert complaints(json.loads(written.read_text()), schema) == []
    assert complaints(printed("show", "--json", "-", "--journal", str(tmp_path)), printed("schema")) == []
    schema, lines = printed("schema", "events"), output_of("show", "--events", "--journal", str(tmp_path)).splitlines()
    events = [json.loads(line) for line in lines]
    assert [found for event in events for found in complaints(event, schema)] == []
    steps = [event["event"] for event in events if event["event"] not in ("sample", "said")]
    assert steps[:4] == ["run", "nodes", "planned", "began"]
    assert (events[-1]["event"], events[-1]["verdict"]) == ("verdict", "passed")
    assert max(event["established"] for event in events if event["event"] == "sample") == 500
    assert {"turn", "over"} <= {event["event"] for event in events}
    assert complaints(printed("runs", "--json", "-", "--journal", str(tmp_path)), printed("schema", "runs")) == []


@pytest.mark.parametrize("command", ["plan", "doctor", "tune"])
def test_other_commands_write_what_their_schemas_describe(command: str) -> None:
    assert complaints(printed(command, "--total", "100", "--json", "-"), printed("schema", command)) == []
