"""^C in the phases that are over in a moment: each is made to last until the signal has arrived.

What test_faults says of opening and holding is said here of asking, preparing, comparing and closing.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
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
