"""Terminals that are closed while a run goes on, and operators who cannot wait: real terminals, real signals."""

from __future__ import annotations

import os
import pty
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from journals import doing, known, shown
from programs import all_gone, children_of, coordinator, eventually, until_it_says

from c1m.coordinator.fleet.local_nodes import LEAVE_SECONDS


@contextmanager
def in_terminal(directory: Path, *words: str, before: Sequence[str] = ()) -> Iterator[tuple[int, int]]:
    """A coordinator that leads a terminal's session, and the terminal's other side, which the test closes."""
    command = [*before, sys.executable, "-m", "c1m.coordinator", "run", *words, "--journal", str(directory)]
    pid, terminal = pty.fork()
    if not pid:
        os.execvp(command[0], command)
    try:
        yield pid, terminal
    finally:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def exit_code(pid: int) -> int:
    """Once it has ended; it is still to be waited for."""
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert found is not None
    return found.si_status


def test_a_closed_terminal_closes_the_run_and_the_journal_has_its_summary(tmp_path: Path) -> None:
    with in_terminal(tmp_path, "--total", "300", "--hold", "60s") as (pid, terminal):
        assert eventually(lambda: doing(known(tmp_path)) == "holding")
        nodes = list(children_of(pid))
        os.close(terminal)

        assert exit_code(pid) == 130
        assert all_gone(nodes)

    summary = shown(tmp_path)
    assert (summary["verdict"], summary["closed"]) == ("interrupted", 300)
    assert summary["journal"]["complete"]


def test_a_run_that_is_to_outlive_its_terminal_does(tmp_path: Path) -> None:
    """SIGHUP is ignored, as nohup(1) has it; what the run says to its terminal goes nowhere from then on."""
    words = ("--total", "300", "--hold", "5s")
    with in_terminal(tmp_path, *words, before=("sh", "-c", "trap '' HUP; exec \"$@\"", "sh")) as (pid, terminal):
        assert eventually(lambda: doing(known(tmp_path)) in ("opening", "holding"))
        os.close(terminal)

        assert exit_code(pid) == 0

    assert shown(tmp_path)["verdict"] == "passed"


def test_c_twice_leaves_at_once_and_nothing_behind(tmp_path: Path) -> None:
    """While closing takes long."""
    words = ("--total", "400", "--hold", "60s", "--close-rate", "1", "--journal", str(tmp_path))
    with coordinator(*words) as process:
        assert process.stderr is not None
        until_it_says(process, "holding")
        nodes = list(children_of(process.pid))
        process.send_signal(signal.SIGINT)
        until_it_says(process, "closing")
        process.send_signal(signal.SIGINT)
        assert all_gone(nodes, 0.9 * LEAVE_SECONDS)  # none was killed for taking its time
        said = process.stderr.read()
        code = process.wait(60)

    assert (code, "Traceback" in said) == (130, False), said
    assert shown(tmp_path)["verdict"] == "incomplete"
