"""What happens to a run when a process of it is killed, or a person has had enough."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from programs import all_gone, children_of, coordinator, node, run_coord

from c1m.kernel import sockdiag

# Ports of this file's own, so that nothing else's sockets are counted.
TARGET_PORTS = (23_000, 23_009)
TARGET = ("--bind", "127.0.0.1", "--ports", "23000-23009", "--listen", "127.0.0.1:23200")
WORKER = ("--listen", "127.0.0.1:23100")
NODES = ("--worker", "127.0.0.1:23100", "--target", "127.0.0.1:23200")
TOTAL = 2000


@contextmanager
def fleet() -> Iterator[tuple[subprocess.Popen[str], subprocess.Popen[str]]]:
    with node("worker", *WORKER) as worker, node("target", *TARGET) as target:
        yield worker, target


@contextmanager
def running_coord(doing: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A coordinator that has said that it is doing that."""
    with coordinator(*words) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(doing):
                break
        yield process


def established() -> int:
    return sum(sockdiag.count_by_port([TARGET_PORTS], "local").values())


def ended(process: subprocess.Popen[str]) -> int:
    """Its exit code, with what it says read on: a full pipe would hold it up."""
    assert process.stderr is not None
    process.stderr.read()
    return process.wait(60)


def summary_in(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize(
    ("doing", "words"),
    [("opening", ("--rate", "200", "--hold", "1s")), ("holding", ("--hold", "60s"))],
)
def test_interrupted_closes_everything_and_still_tells(doing: str, words: tuple[str, ...], tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    with running_coord(doing, "--total", str(TOTAL), *words, "--json", str(told)) as coord:
        nodes = list(children_of(coord.pid))
        coord.send_signal(signal.SIGINT)
        code = ended(coord)

    summary = summary_in(told)
    assert (code, summary["verdict"], summary["exit_code"]) == (130, "interrupted", 130)
    assert nodes
    assert all_gone(nodes)


def kill_a(name: str) -> Callable[[subprocess.Popen[str], subprocess.Popen[str]], None]:
    def kill(worker: subprocess.Popen[str], target: subprocess.Popen[str]) -> None:
        below = children_of(worker.pid) | children_of(target.pid)
        os.kill(next(pid for pid, called in below.items() if called == name), signal.SIGKILL)

    return kill


@pytest.mark.parametrize(
    ("kill", "reason"),
    [
        (lambda worker, _: worker.kill(), "worker 127.0.0.1:23100"),
        (lambda _, target: target.kill(), "target 127.0.0.1:23200"),
        (kill_a("c1m-acceptor 0"), "acceptor 0 (pid"),
    ],
    ids=["worker", "target", "acceptor"],
)
def test_a_killed_process_degrades_the_run_and_is_named(
    kill: Callable[[subprocess.Popen[str], subprocess.Popen[str]], None], reason: str, tmp_path: Path
) -> None:
    told = tmp_path / "summary.json"
    with fleet() as (worker, target):
        words = (*NODES, "--total", str(TOTAL), "--hold", "5s", "--json", str(told))
        with running_coord("holding", *words) as coord:
            below = [*children_of(worker.pid), *children_of(target.pid)]
            kill(worker, target)
            code = ended(coord)
        killed_with_a_node = worker.poll() is not None or target.poll() is not None

    summary = summary_in(told)
    assert (code, summary["verdict"]) == (4, "degraded")
    assert any(reason in sentence for sentence in summary["reasons"]), summary["reasons"]
    assert killed_with_a_node or any("SIGKILL" in sentence for sentence in summary["reasons"])
    assert all_gone(below)
    assert established() == 0


def test_a_killed_acceptors_connections_are_drops_with_a_cause(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    with fleet() as (worker, target):
        words = (*NODES, "--total", str(TOTAL), "--hold", "5s", "--json", str(told))
        with running_coord("holding", *words) as coord:
            kill_a("c1m-acceptor 0")(worker, target)
            ended(coord)

    summary = summary_in(told)
    assert sum(summary["dropped"].values()) == TOTAL // 2
    assert [(each["cause"], each["node"]) for each in summary["diagnosis"]] == [("acceptor ended", "target 127.0.0.1:23200")]
    assert summary["established_at_hold_end"] == TOTAL // 2


def test_killed_nodes_embedded_in_a_killed_coordinator_leave() -> None:
    with running_coord("holding", "--total", str(TOTAL), "--hold", "60s") as coord:
        below = list(children_of(coord.pid))
        coord.kill()
        coord.wait()

        assert below
        assert all_gone(below)


def test_nodes_leave_though_nobody_reads_what_they_say_any_more() -> None:
    """The coordinator and whoever read its stderr died together, as in a terminal that was closed."""
    with running_coord("holding", "--total", str(TOTAL), "--hold", "60s") as coord:
        below = list(children_of(coord.pid))
        coord.kill()
        assert coord.stderr is not None
        coord.stderr.close()
        coord.wait()

    assert below
    assert all_gone(below)


def test_a_killed_coordinator_leaves_the_nodes_free_within_the_lease() -> None:
    with fleet():
        words = (*NODES, "--total", str(TOTAL), "--hold", "60s", "--lease", "2s")
        with running_coord("holding", *words) as coord:
            coord.kill()
            coord.wait()
            for _ in range(20):  # each try takes a second or so; the lease, two
                again = run_coord(*NODES, "--total", "500", "--hold", "0s")
                if again.returncode != 3:
                    break
                assert "busy" in again.stdout + again.stderr

        assert again.returncode == 0, again.stdout + again.stderr
        assert established() == 0


@pytest.mark.parametrize("sources", [("127.1.0.1-127.1.0.9", "127.2.0.1-127.2.0.9"), ("127.1.0.1-127.1.0.9",) * 2])
def test_two_workers_of_one_namespace_count_their_own_connections_to_one_port(sources: tuple[str, str], tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    target = ("--bind", "127.0.0.1", "--single-port", "--ports", "23300", "--listen", "127.0.0.1:23301")
    workers = [("--listen", f"127.0.0.1:2330{2 + index}", "--source", source) for index, source in enumerate(sources)]
    with node("target", *target), node("worker", *workers[0]), node("worker", *workers[1]):
        named = ("--worker", "127.0.0.1:23302", "--worker", "127.0.0.1:23303", "--target", "127.0.0.1:23301")
        ended = run_coord(*named, "--total", "1001", "--hold", "0s", "--json", str(told))

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [each["kernel_established_at_hold_end"] for each in summary_in(told)["workers"]] == [501, 500]
