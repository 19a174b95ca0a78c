"""^C in commands without a run, and in phases of one that are over in a moment and are made to last until the signal is there.

What test_faults says of opening and holding is said here of asking, preparing, comparing and closing.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from programs import all_gone, children_of, coordinator, eventually, node, run_coord

from c1m.kernel import sockdiag
from c1m.v1 import worker_pb2
from c1m.v1.worker_pb2_grpc import WorkerServiceStub

# Ports of this file's own, so that nothing else's sockets are counted.
DATA_PORTS = range(24_000, 24_004)
WORKER, TARGET = "127.0.0.1:24010", "127.0.0.1:24020"
NODES = ("--worker", WORKER, "--target", TARGET)
SLOW_TO_CLOSE = ("--total", "400", "--hold", "0s", "--close-rate", "100")

Node = subprocess.Popen[str]


@contextmanager
def fleet() -> Iterator[tuple[Node, Node]]:
    ports = f"{DATA_PORTS[0]}-{DATA_PORTS[-1]}"
    with (
        node("worker", "--listen", WORKER) as worker,
        node("target", "--bind", "127.0.0.1", "--ports", ports, "--listen", TARGET) as target,
    ):
        yield worker, target


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """It does nothing for the length of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def until_it_says(process: Node, doing: str) -> None:
    assert process.stderr is not None
    assert any(line.startswith(doing) for line in process.stderr), f"it never said that it was {doing}"


def exit_code(process: Node) -> int:
    """Once it has ended, with what it says read on: a full pipe would hold it up."""
    assert process.stderr is not None
    process.stderr.read()
    return process.wait(60)


def busy_with(worker: str) -> str:
    with grpc.insecure_channel(worker) as channel:
        return WorkerServiceStub(channel).Describe(worker_pb2.DescribeRequest(), timeout=30).busy_with


def called_on(port: int) -> bool:
    return bool(sockdiag.count_by_port([(port, port)], "remote", 6))  # gRPC calls IPv4 from an IPv6 socket


def below(process: Node, name: str) -> int:
    return next(pid for pid, called in children_of(process.pid).items() if called.startswith(name))


def verdict_in(path: Path) -> tuple[Any, Any]:
    summary = json.loads(path.read_text())
    return summary["verdict"], summary["exit_code"]


def assert_free(worker: Node, target: Node) -> None:
    """No shard, no acceptor and no data port is left of a run."""
    for each in (worker, target):
        assert eventually(lambda: len(children_of(each.pid)) == 1), children_of(each.pid)  # the zygote
    for port in DATA_PORTS:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", port))  # without SO_REUSEADDR: any socket on that port is in the way


def test_while_a_node_does_not_answer_leaves_at_once() -> None:
    with fleet() as (worker, target):
        with stopped(worker.pid), coordinator(*NODES, "--total", "100") as coord:
            assert eventually(lambda: called_on(24_010))
            coord.send_signal(signal.SIGINT)

            assert exit_code(coord) == 130
        assert_free(worker, target)


def test_while_preparing_leaves_no_shard_behind(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    with fleet() as (worker, target):
        with coordinator(*NODES, "--total", "100", "--json", str(told)) as coord:
            with stopped(below(worker, "python")):  # the zygote, which is to fork the shards
                assert eventually(lambda: busy_with(WORKER) != "")
                coord.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):  # it may wait for the zygote
                    coord.wait(3)
            code = exit_code(coord)

        assert (code, *verdict_in(told)) == (130, "interrupted", 130)
        eventually(lambda: len(children_of(worker.pid)) > 1, 1)  # the zygote forks after all, and that may be brief
        assert_free(worker, target)
        again = run_coord(*NODES, "--total", "100", "--hold", "0s")
        assert again.returncode == 0, again.stdout + again.stderr


def test_while_comparing_closes_and_still_tells(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    words = ("--total", "400", "--hold", "0s", "--json", str(told))
    with fleet() as (worker, target):
        with coordinator(*NODES, *words) as coord, ExitStack() as meanwhile:
            with stopped(below(worker, "python")):  # nothing is opened before an acceptor is stopped
                assert eventually(lambda: busy_with(WORKER) != "")
                meanwhile.enter_context(stopped(below(target, "c1m-acceptor")))  # what it does not accept is waited for
            with meanwhile:
                until_it_says(coord, "comparing")
                coord.send_signal(signal.SIGINT)
                until_it_says(coord, "interrupted")
            code = exit_code(coord)

        assert (code, *verdict_in(told)) == (130, "interrupted", 130)
        assert_free(worker, target)


def test_while_closing_is_not_a_run_that_passed(tmp_path: Path) -> None:
    with coordinator(*SLOW_TO_CLOSE, "--json", str(tmp_path / "summary.json")) as coord:
        until_it_says(coord, "closing")
        nodes = list(children_of(coord.pid))
        coord.send_signal(signal.SIGINT)
        code = exit_code(coord)

    assert (code, *verdict_in(tmp_path / "summary.json")) == (130, "interrupted", 130)
    assert nodes
    assert all_gone(nodes)


def waits(path: Path) -> None:
    """Whoever reads it: a pipe into which nobody writes."""
    os.mkfifo(path, 0o600)


def journals(here: Path) -> Sequence[str]:
    waits(here / "20261130T000000-beef.journal")
    return ("--journal", str(here))


def authority(here: Path) -> Sequence[str]:
    waits(here / "ca.key")
    waits(here / "ca.crt")
    return ("--dir", str(here))


def fleet_of_one(_: Path) -> Sequence[str]:
    return ("--worker", WORKER)


def whole_fleet(_: Path) -> Sequence[str]:
    return (*NODES, "--total", "100")


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (("plan",), whole_fleet),
        (("doctor",), whole_fleet),
        (("tune",), whole_fleet),
        (("retarget", "--total", "5"), fleet_of_one),
        (("runs",), journals),
        (("show",), journals),
        (("attach",), journals),
        (("pki", "show"), authority),
        (("pki", "issue", "operator", "alice"), authority),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_a_command_without_a_run_is_left_at_once(
    words: tuple[str, ...], more: Callable[[Path], Sequence[str]], nodes: tuple[Node, Node], tmp_path: Path
) -> None:
    """It waits for what does not come: for an answer of a node that is stopped, or for the content of a file."""
    command = [sys.executable, "-m", "c1m.coordinator", *words, *more(tmp_path)]
    with stopped(nodes[0].pid), stopped(nodes[1].pid):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                assert eventually(lambda: called_on(24_010) or called_on(24_020) or reads_a_pipe(process.pid))
                process.send_signal(signal.SIGINT)
                said, _ = process.communicate(timeout=60)
            finally:
                process.kill()
        assert eventually(lambda: not called_on(24_010) and not called_on(24_020))

    assert process.returncode == 130, said
    assert "Traceback" not in said


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Node, Node]]:
    with fleet() as found:
        yield found


def reads_a_pipe(pid: int) -> bool:
    """Whether it waits for somebody to write into one (fs/pipe.c)."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/wchan").read_text() == "wait_for_partner"
    return False


@pytest.mark.parametrize("program", ["coordinator", "worker", "target"])
def test_a_program_that_is_still_being_imported_ends_without_a_traceback(program: str, tmp_path: Path) -> None:
    """A module of ours stands in its way, and reads from a pipe into which nobody writes."""
    waits(tmp_path / "pipe")
    (tmp_path / "typer.py").write_text(f"open({str(tmp_path / 'pipe')!r})")
    command = [sys.executable, "-m", f"c1m.{program}"]
    found = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=found) as process:
        try:
            assert eventually(lambda: reads_a_pipe(process.pid))
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=60)
        finally:
            process.kill()

    assert (process.returncode, said) == (-signal.SIGINT, "")  # 130, as a shell has it
