"""Nodes that are killed or stopped while a run goes on: noticed, never counted any more, and nothing of them left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from programs import all_gone, children_of, coordinator, node, run_coord

from c1m.kernel import sockdiag

TARGET_PORTS = (27_600, 27_619)
TARGET = ("--bind", "127.0.0.1", "--ports", "27600-27619", "--listen", "127.0.0.1:27690")
CONTROL = tuple(f"127.0.0.1:2769{index}" for index in (1, 2, 3))
TOTAL = 3000
EACH = TOTAL // 3


class Fleet:
    """Three workers and a target of this file's own."""

    def __init__(self, workers: Sequence[subprocess.Popen[str]], target: subprocess.Popen[str]) -> None:
        self.workers = workers
        self.target = target

    def below(self) -> list[int]:
        return [pid for process in (*self.workers, self.target) for pid in children_of(process.pid)]


@contextmanager
def fleet() -> Iterator[Fleet]:
    source = [("--source", f"127.{60 + index}.0.1-127.{60 + index}.0.4") for index in range(3)]
    with (
        node("target", *TARGET) as target,
        node("worker", "--listen", CONTROL[0], *source[0]) as a,
        node("worker", "--listen", CONTROL[1], *source[1]) as b,
        node("worker", "--listen", CONTROL[2], *source[2]) as c,
    ):
        try:
            yield Fleet((a, b, c), target)
        finally:
            for process in (a, b, c, target):
                process.send_signal(signal.SIGCONT)  # a stopped one could not leave


NODES = tuple(word for control in CONTROL for word in ("--worker", control)) + ("--target", "127.0.0.1:27690")


class Coord:
    """A coordinator, read line by line."""

    def __init__(self, process: subprocess.Popen[str], told: Path) -> None:
        self.process = process
        self.told = told
        self.lines: list[str] = []

    def until(self, beginning: str) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if line.startswith(beginning):
                return line
        raise AssertionError("".join(self.lines))

    def end(self) -> tuple[int, dict[str, Any]]:
        assert self.process.stderr is not None
        self.lines.append(self.process.stderr.read())
        code = self.process.wait(60)
        found: dict[str, Any] = json.loads(self.told.read_text())
        assert found["exit_code"] == code, "".join(self.lines)
        return code, found


@contextmanager
def running(tmp_path: Path, *words: str) -> Iterator[Coord]:
    told = tmp_path / "summary.json"
    with coordinator(*NODES, "--total", str(TOTAL), "--json", str(told), *words) as process:
        yield Coord(process, told)


def established() -> int:
    return sum(sockdiag.count_by_port([TARGET_PORTS], "local").values())


def worker_of(summary: dict[str, Any], control: str) -> dict[str, Any]:
    return next(worker for worker in summary["workers"] if worker["node"] == f"worker {control}")


def test_a_killed_workers_share_is_neither_counted_nor_zero(tmp_path: Path) -> None:
    with fleet() as nodes:
        with running(tmp_path, "--hold", "5s") as coord:
            coord.until("holding")
            nodes.workers[0].kill()
            coord.until("lost")
            code, summary = coord.end()

        gone = worker_of(summary, CONTROL[0])
        assert (code, summary["verdict"]) == (4, "degraded")
        assert summary["established_at_hold_end"] == TOTAL - EACH
        assert gone["established_at_hold_end"] is None
        assert gone["last_known"] == {"opened": EACH, "open": EACH, "in_flight": 0}
        assert gone["lost_at_seconds"] > 0
        assert [loss["share"] for loss in summary["losses"]] == [EACH]
        assert any("is not counted since" in reason for reason in summary["reasons"])
        assert established() == 0


def test_a_stopped_worker_is_noticed_by_its_silence_and_when_it_comes_back_nothing_stays(tmp_path: Path) -> None:
    with fleet() as nodes:
        stopped = nodes.workers[1]
        shards = [pid for pid, name in children_of(stopped.pid).items()]
        with running(tmp_path, "--hold", "10m", "--lease", "10m") as coord:
            coord.until("holding")
            shards = [pid for pid, name in children_of(stopped.pid).items() if name.startswith("c1m-shard")]
            stopped.send_signal(signal.SIGSTOP)
            assert "has said nothing" in coord.until("lost") or "did not answer" in coord.lines[-1]
            assert not all_gone(shards, 0)  # they hold what they have: nobody told them otherwise

            stopped.send_signal(signal.SIGCONT)
            coord.until(f"worker {CONTROL[1]} could be reached again")
            assert all_gone(shards)  # its lease would have let it hold on for ten minutes
            coord.process.send_signal(signal.SIGINT)
            coord.end()

        again = run_coord(*NODES, "--total", "300", "--hold", "0s")
        assert again.returncode == 0, again.stderr


def test_a_worker_that_was_stopped_for_longer_than_its_lease_is_free_when_it_goes_on(tmp_path: Path) -> None:
    with fleet() as nodes:
        stopped = nodes.workers[1]
        with running(tmp_path, "--hold", "60s", "--lease", "4s") as coord:
            coord.until("holding")
            shards = [pid for pid, name in children_of(stopped.pid).items() if name.startswith("c1m-shard")]
            stopped.send_signal(signal.SIGSTOP)
            coord.until("lost")  # by now it has been stopped for longer than its lease
            coord.process.kill()  # nobody tells it anything
            stopped.send_signal(signal.SIGCONT)

            assert all_gone(shards)
        assert all_gone([pid for pid in nodes.below() if pid in shards])


@pytest.mark.parametrize("hold", ["4s", "60s"])
def test_a_coordinator_that_was_stopped_until_leases_ended_says_so_and_blames_nobody(hold: str, tmp_path: Path) -> None:
    """When it goes on, its hold is over, or is not."""
    with fleet() as nodes:
        with running(tmp_path, "--hold", hold, "--lease", "5s") as coord:
            coord.until("holding")
            below = {pid: name for each in (*nodes.workers, nodes.target) for pid, name in children_of(each.pid).items()}
            coord.process.send_signal(signal.SIGSTOP)
            assert all_gone([pid for pid, name in below.items() if name.startswith(("c1m-shard", "c1m-acceptor"))])
            coord.process.send_signal(signal.SIGCONT)
            code, summary = coord.end()

    assert (code, summary["verdict"]) == (4, "degraded")
    assert summary["established_at_hold_end"] is None
    assert [worker["last_known"]["open"] for worker in summary["workers"]] == [EACH] * 3
    assert {loss["node"] for loss in summary["losses"]} == {f"worker {each}" for each in CONTROL} | {"target 127.0.0.1:27690"}
    for loss in summary["losses"]:
        assert "its lease of 5 s ended; this coordinator did not run meanwhile, for " in loss["reason"]
    assert summary["diagnosis"] == []
    assert not any("reached again" in line for line in coord.lines)


def test_who_is_heard_last_after_a_pause_is_lost_as_the_others_are(tmp_path: Path) -> None:
    """The run ends with its last worker; what has become of the target meanwhile is heard before it is asked to close."""
    with fleet() as nodes:
        with running(tmp_path, "--hold", "60s", "--lease", "5s") as coord:
            coord.until("holding")
            below = {pid: name for each in (*nodes.workers, nodes.target) for pid, name in children_of(each.pid).items()}
            coord.process.send_signal(signal.SIGSTOP)
            assert all_gone([pid for pid, name in below.items() if name.startswith(("c1m-shard", "c1m-acceptor"))])
            nodes.target.send_signal(signal.SIGSTOP)
            coord.process.send_signal(signal.SIGCONT)
            coord.until("no worker is left")
            nodes.target.send_signal(signal.SIGCONT)
            code, summary = coord.end()

    assert code == 4
    assert {loss["node"] for loss in summary["losses"]} == {f"worker {each}" for each in CONTROL} | {"target 127.0.0.1:27690"}


def test_a_worker_that_is_told_to_leave_says_so_and_is_not_counted(tmp_path: Path) -> None:
    with fleet() as nodes, running(tmp_path, "--hold", "5s") as coord:
        coord.until("holding")
        nodes.workers[2].terminate()
        code, summary = coord.end()

    assert code == 4
    assert [loss["reason"] for loss in summary["losses"]] == [
        f"worker {CONTROL[2]} closed what it had of the run: it is shutting down"
    ]
    assert summary["established_at_hold_end"] == TOTAL - EACH


@pytest.mark.parametrize("end", ["abort", "every worker"])
def test_a_run_that_cannot_go_on_ends_at_once_and_says_why(end: str, tmp_path: Path) -> None:
    words = ("--on-loss", "abort") if end == "abort" else ()
    with fleet() as nodes:
        with running(tmp_path, "--hold", "10m", *words) as coord:
            coord.until("holding")
            for worker in nodes.workers[: 1 if end == "abort" else 3]:
                worker.kill()
            code, summary = coord.end()

        assert (code, summary["verdict"]) == (4, "degraded")
        assert summary["established_at_hold_end"] is None
        assert any(re.match("aborted" if end == "abort" else "no worker is left", reason) for reason in summary["reasons"])
        assert established() == 0


def test_without_the_targets_word_clients_go_on_and_its_side_is_unknown_since_then(tmp_path: Path) -> None:
    with fleet() as nodes:
        with running(tmp_path, "--hold", "12s") as coord:
            coord.until("holding")
            nodes.target.send_signal(signal.SIGSTOP)  # its acceptors go on
            coord.until("lost")
            code, summary = coord.end()
        nodes.target.send_signal(signal.SIGCONT)

        assert code == 4
        assert summary["established_at_hold_end"] == TOTAL
        assert summary["dropped"] == {}
        assert (summary["target"]["accepted"], summary["target"]["open_at_hold_end"]) == (None, None)
        assert summary["target"]["last_known"]["open"] == TOTAL
        assert (summary["reconciliation"]["target_open"], summary["reconciliation"]["kernel_established"]) == (None, None)
        assert any("hat the server holds is unknown since then" in each for each in summary["reconciliation"]["explanation"])


def test_a_node_that_is_lost_while_a_run_closes_is_not_waited_for(tmp_path: Path) -> None:
    with fleet() as nodes:
        with running(tmp_path, "--hold", "0s", "--close-rate", "300") as coord:
            coord.until("closing")
            nodes.workers[2].kill()
            code, summary = coord.end()

        assert code == 4
        assert [loss["node"] for loss in summary["losses"]] == [f"worker {CONTROL[2]}"]
        assert summary["established_at_hold_end"] == TOTAL


def test_a_control_process_runs_before_its_children() -> None:
    """Where the kernel lets it, which is tried here as the node tries it."""
    with node("worker", "--listen", "127.0.0.1:27694") as worker:
        zygote = next(iter(children_of(worker.pid)))
        own, theirs = niceness(worker.pid), niceness(zygote)

    assert theirs == os.getpriority(os.PRIO_PROCESS, 0)
    assert own == (theirs - 10 if may_raise() else theirs)


def shown(journals: Path) -> dict[str, Any]:
    """The last run there, out of its journal."""
    command = [sys.executable, "-m", "c1m.coordinator", "show", "--journal", str(journals), "--json", "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def niceness(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16])


def may_raise() -> bool:
    probe = "import os; os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) - 10)"
    return subprocess.run(["python3", "-c", probe], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(("when", "number"), [("opening", signal.SIGKILL), ("holding", signal.SIGSTOP)])
def test_a_lost_share_is_taken_over_and_the_run_passes(when: str, number: int, tmp_path: Path) -> None:
    words = ("--on-loss", "redistribute", "--hold", "12s", *(("--ramp", "6s") if when == "opening" else ()))
    with fleet() as nodes:
        with running(tmp_path, *words, "--journal", str(tmp_path)) as coord:
            coord.until(when)
            nodes.workers[0].send_signal(number)
            code, summary = coord.end()
        counted = summary["reconciliation"]
        if number == signal.SIGSTOP:  # its shards go on, and the target has their connections besides
            assert counted["target_open"] == TOTAL + EACH
            assert any("may be those of lost workers" in told for told in counted["explanation"])
            nodes.workers[0].send_signal(signal.SIGCONT)
            assert all_gone([pid for pid, name in children_of(nodes.workers[0].pid).items() if "shard" in name])
        else:
            assert counted["target_open"] == TOTAL

        (loss,) = summary["losses"]
        assert (code, summary["verdict"]) == (0, "passed"), summary["reasons"]
        assert summary["established_at_hold_end"] == TOTAL
        assert loss["taken_by"] == {f"worker {control}": EACH // 2 for control in CONTROL[1:]}
        assert [worker["planned"] for worker in summary["workers"]] == [EACH, EACH * 3 // 2, EACH * 3 // 2]
        assert any("others have taken over" in reason for reason in summary["reasons"])
        assert shown(tmp_path)["losses"] == summary["losses"]
        assert established() == 0


def test_a_worker_that_took_a_share_may_be_lost_with_it(tmp_path: Path) -> None:
    with fleet() as nodes:
        with running(tmp_path, "--on-loss", "redistribute", "--hold", "8s") as coord:
            coord.until("holding")
            for worker in nodes.workers[:2]:
                worker.kill()
                coord.until("lost ")  # its sentence, when others have it
            code, summary = coord.end()

        assert (code, summary["established_at_hold_end"]) == (0, TOTAL), summary["reasons"]
        assert [loss["share"] for loss in summary["losses"]] == [EACH, EACH * 3 // 2]
        assert [worker["planned"] for worker in summary["workers"]] == [EACH, EACH * 3 // 2, TOTAL]
