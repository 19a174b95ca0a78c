"""Nodes that are silent for a moment, longer than a gRPC connection lasts, and come back before they are taken for lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from lab import Lab, address, lab
from programs import children_of, coordinator, eventually, node

CONTROL = f"{address('worker1')}:7100"
NODES = ("--worker", CONTROL, "--target", f"{address('target')}:7200")
HOOKS = "".join(
    f"chain {hook} {{\ntype filter hook {hook} priority 0;\nip {side} {address('coord')} drop\n}}\n"
    for hook, side in (("input", "saddr"), ("output", "daddr"))
)
SWALLOW = f"table inet f {{\n{HOOKS}}}\n"

Process = subprocess.Popen[str]


@contextmanager
def stopped(_: Lab, worker: Process) -> Iterator[None]:
    worker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.send_signal(signal.SIGCONT)


@contextmanager
def cut_off(hosts: Lab, _: Process) -> Iterator[None]:
    """Its packets are dropped, and nobody is told."""
    subprocess.run(hosts.inside("worker1", "nft", "-f", "-"), input=SWALLOW, text=True, check=True, timeout=20)
    try:
        yield
    finally:
        subprocess.run(hosts.inside("worker1", "nft", "flush", "ruleset"), check=True, timeout=20)


def calls(hosts: Lab) -> set[str]:
    """The coordinator's connections to the worker, those that are being made included, by their ports."""
    told = subprocess.check_output(hosts.inside("coord", "ss", "-Htan", "dst", CONTROL), text=True, timeout=20)
    return {line.split()[3] for line in told.splitlines()}


def until_called_anew(hosts: Lab, before: set[str], coord: Process) -> None:
    """What was called is given up, and called over other connections."""
    while not calls(hosts) - before:
        assert coord.poll() is None
        time.sleep(0.02)  # a bounded poll: the coordinator does not outlive its run


@pytest.mark.parametrize("stall", [stopped, cut_off])
@pytest.mark.parametrize("hold", ["8s", "1s"], ids=["watched", "asked to compare"])
def test_a_node_that_is_back_before_it_is_lost_goes_on(
    hold: str, stall: Callable[[Lab, Process], AbstractContextManager[None]], tmp_path: Path
) -> None:
    """Calls that wait for its answer meanwhile are made again, as its samples are."""
    told = tmp_path / "summary.json"
    with (
        lab() as hosts,
        node("target", "--bind", address("target"), "--listen", NODES[3], "--insecure", inside=hosts.inside("target")),
        node("worker", "--listen", CONTROL, "--insecure", inside=hosts.inside("worker1")) as worker,
        coordinator(*NODES, "--total", "500", "--hold", hold, "--json", str(told), inside=hosts.inside("coord")) as coord,
    ):
        assert coord.stderr is not None
        while not coord.stderr.readline().startswith("holding"):
            assert coord.poll() is None
        before = calls(hosts)
        with stall(hosts, worker):
            until_called_anew(hosts, before, coord)
        said = coord.stderr.read()
        code = coord.wait(60)

    summary = json.loads(told.read_text())
    assert (code, summary["verdict"]) == (0, "passed"), said
    assert summary["workers"][0]["kernel_established_at_hold_end"] == 500
    assert "lost" not in said


@pytest.mark.parametrize("stall", [stopped, cut_off])
def test_a_node_that_is_silent_while_it_prepares_is_asked_again(
    stall: Callable[[Lab, Process], AbstractContextManager[None]], tmp_path: Path
) -> None:
    told = tmp_path / "summary.json"
    with (
        lab() as hosts,
        node("target", "--bind", address("target"), "--listen", NODES[3], "--insecure", inside=hosts.inside("target")),
        node("worker", "--listen", CONTROL, "--insecure", inside=hosts.inside("worker1")) as worker,
    ):
        (zygote,) = children_of(worker.pid)
        os.kill(zygote, signal.SIGSTOP)  # it forks no shard yet
        with coordinator(*NODES, "--total", "500", "--hold", "1s", "--json", str(told), inside=hosts.inside("coord")) as coord:
            assert coord.stderr is not None
            assert eventually(lambda: is_preparing(hosts))
            before = calls(hosts)
            with stall(hosts, worker):
                until_called_anew(hosts, before, coord)
            os.kill(zygote, signal.SIGCONT)
            said = coord.stderr.read()
            code = coord.wait(60)

    summary = json.loads(told.read_text())
    assert (code, summary["verdict"], summary["attempted"]) == (0, "passed", 500), said


def is_preparing(hosts: Lab) -> bool:
    """Whether the worker has a run, and so has been asked to prepare it."""
    told = subprocess.check_output(hosts.inside("worker1", sys.executable, "-c", BUSY, CONTROL), text=True, timeout=60)
    return bool(told.strip())


BUSY = """
import sys, grpc
from c1m.v1 import worker_pb2
from c1m.v1.worker_pb2_grpc import WorkerServiceStub
with grpc.insecure_channel(sys.argv[1]) as channel:
    print(WorkerServiceStub(channel).Describe(worker_pb2.DescribeRequest(), timeout=30).busy_with)
"""
