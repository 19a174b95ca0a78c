"""A coordinator with very many nodes: it never stands still for long, and loses none that is well.

The nodes are simulated (tests/support/fake_fleet.py): they answer over gRPC as workers do, and open nothing. So a fleet that no
machine here could run still makes the coordinator work as hard as a real one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import loop_watchdog
import pytest
from programs import PATIENCE_SECONDS, first_line, node

SUPPORT = Path(__file__).parents[1] / "support"
FIRST_PORT = 21_000
OPENING_SECONDS = 3
PROCESSES = 4
EACH = 1_000  # connections of a worker
MOST_SECONDS = 5 * loop_watchdog.MOST_SECONDS  # of CPU for one callback: this machine may be full of work


@contextmanager
def fleet(nodes: int, directory: Path) -> Iterator[Path]:
    """Simulated workers. Yields the path of a configuration file that names them."""
    with ExitStack() as stack:
        stack.enter_context(node("worker", "--listen", f"127.0.0.1:{FIRST_PORT - 1}"))
        share = nodes // PROCESSES
        processes = [
            stack.enter_context(fakes(f"127.0.0.1:{FIRST_PORT - 1}", share, FIRST_PORT + number * share))
            for number in range(PROCESSES)
        ]
        assert [first_line(process) for process in processes] == ["ready\n"] * PROCESSES
        config = directory / "fleet.toml"
        names = ", ".join(f'"127.0.0.1:{FIRST_PORT + number}"' for number in range(share * PROCESSES))
        config.write_text(f"worker = [{names}]\n", encoding="utf-8")
        yield config


@contextmanager
def fakes(worker: str, nodes: int, first_port: int) -> Iterator[subprocess.Popen[str]]:
    words = [worker, str(nodes), str(first_port), str(OPENING_SECONDS)]
    command = [sys.executable, str(SUPPORT / "fake_fleet.py"), *words]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.communicate(timeout=PATIENCE_SECONDS)


def ran(nodes: int, directory: Path) -> tuple[dict[str, Any], list[dict[str, Any]], float]:
    """Let a coordinator run all nodes of a fleet. Return the summary, what blocked its loop, and the seconds from the end of
    the hold to its end.
    """
    blocked, summary = directory / "blocked.json", directory / "summary.json"
    with fleet(nodes, directory) as config:
        words = ["run", "--total", str(nodes * EACH), "--endpoint", "127.0.0.1:9", "--config", str(config), "--hold", "5s"]
        command = [sys.executable, str(SUPPORT / "loop_watchdog.py"), str(blocked), "c1m.coordinator", *words]
        environment = {**os.environ, "C1M_CONFIG": ""}
        ended = subprocess.run(
            [*command, "--json", str(summary)], capture_output=True, text=True, timeout=200, check=False, env=environment
        )
        over = time.time()
    assert ended.returncode == 0, ended.stderr[-2000:]
    found = json.loads(summary.read_text(encoding="utf-8"))
    held = next(turn["seconds"] for turn in found["timeline"]["turns"] if turn["doing"] == "holding") + 5
    return found, json.loads(blocked.read_text(encoding="utf-8")), over - epoch(found["started_at"]) - held


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def check(nodes: int, summary: dict[str, Any], blocked: list[dict[str, Any]]) -> None:
    assert summary["losses"] == []
    assert summary["verdict"] == "passed"
    assert summary["established_at_hold_end"] == nodes * EACH
    assert summary["connect_latency_us"]["count"] == nodes * EACH
    assert len(summary["workers"]) == nodes
    during = [each for each in blocked if not re.search(r"shutdown_asyncgens|import_module", each["stack"])]
    assert all(each["seconds"] <= MOST_SECONDS for each in during), during


def test_a_coordinator_of_a_hundred_nodes_never_stands_still(tmp_path: Path) -> None:
    summary, blocked, _ = ran(100, tmp_path)
    check(100, summary, blocked)


@pytest.mark.acceptance
@pytest.mark.alone
@pytest.mark.timeout(600)
@pytest.mark.parametrize("time_of_ten", range(10))
def test_a_thousand_nodes_are_never_lost_and_reported_soon(tmp_path: Path, time_of_ten: int) -> None:
    summary, blocked, seconds = ran(1_000, tmp_path)
    check(1_000, summary, blocked)
    print(f"{seconds:.1f} s from the end of the hold to the report; blocked: {blocked}")
