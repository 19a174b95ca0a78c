"""SIGTERM to all processes of a node at once, as systemd and timeout(1) send it: the control process leaves in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from programs import PATIENCE_SECONDS, all_gone, children_of, first_line, holding_at, run_coord


def started(program: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"c1m.{program}", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


@pytest.mark.parametrize("program", ["worker", "target"])
def test_a_node_without_a_run_leaves_with_0(program: str) -> None:
    process = started(program, "--listen", "127.0.0.1:0")
    first_line(process)
    os.killpg(process.pid, signal.SIGTERM)
    _, stderr = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 0, stderr
    assert "error" not in stderr


@pytest.mark.parametrize("program", ["worker", "target"])
def test_a_node_that_holds_connections_closes_them_and_leaves_with_0(program: str) -> None:
    processes = {each: started(each, "--listen", "127.0.0.1:0") for each in ("worker", "target")}
    addresses = {each: first_line(process).split()[-1] for each, process in processes.items()}
    nodes = [word for each, address in addresses.items() for word in (f"--{each}", address)]
    try:
        with holding_at(nodes, "--total", "200", "--hold", "2s"):
            family = [processes[program].pid, *children_of(processes[program].pid)]
            os.killpg(processes[program].pid, signal.SIGTERM)
            _, stderr = processes[program].communicate(timeout=PATIENCE_SECONDS)

        assert processes[program].returncode == 0, stderr
        assert "error" not in stderr
        assert all_gone(family)
    finally:
        for process in processes.values():
            process.terminate()
            process.communicate(timeout=PATIENCE_SECONDS)


def test_nodes_that_a_run_starts_are_silent() -> None:
    ended = run_coord("--total", "10", "--hold", "0s")

    assert ended.returncode == 0, ended.stderr
    assert "leaving" not in ended.stderr
