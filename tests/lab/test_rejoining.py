"""Nodes that are silent for a moment, longer than a gRPC connection lasts, and come back before they are taken for lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from lab import Lab, address, lab
from programs import children_of, coordinator, eventually, first, node, until_it_says

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
    subprocess.run(hosts.inside("worker1", *first(), "nft", "-f", "-"), input=SWALLOW, text=True, check=True, timeout=20)
    try:
        yield
    finally:
        subprocess.run(hosts.inside("worker1", *first(), "nft", "flush", "ruleset"), check=True, timeout=20)


@contextmanager
def fleet(hosts: Lab) -> Iterator[Process]:
    """A worker, beside a target. These, who calls them and what happens to them wait for no CPU: from a stream that is given up
    to a node that is lost it is a second."""
    listen_target = ("--bind", address("target"), "--listen", NODES[3], "--insecure")
    with (
        node("target", *listen_target, inside=hosts.inside("target", *first())),
        node("worker", "--listen", CONTROL, "--insecure", inside=hosts.inside("worker1", *first())) as worker,
    ):
        yield worker


def calls(coord: Process) -> set[str]:
    """A coordinator's connections to the worker, those that are being made included, by their own addresses and ports."""
    host, _, port = CONTROL.partition(":")
    remote = f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{int(port):04X}"  # as /proc writes it on such a machine
    of_its_namespace = Path(f"/proc/{coord.pid}/net")
    rows = [line.split() for name in ("tcp", "tcp6") for line in (of_its_namespace / name).read_text().splitlines()]
    return {row[1] for row in rows if row[2].endswith(remote)}  # gRPC's are ::ffff:10.200.0.3


def until_called_anew(before: set[str], coord: Process) -> None:
    """What was called is given up, and called over other connections."""
    while not calls(coord) - before:
        assert coord.poll() is None
        time.sleep(0.02)  # a bounded poll: the coordinator does not outlive its run


@pytest.mark.parametrize("stall", [stopped, cut_off])
@pytest.mark.parametrize("hold", ["8s", "1s"], ids=["watched", "asked to compare"])
def test_a_node_that_is_back_before_it_is_lost_goes_on(
    hold: str, stall: Callable[[Lab, Process], AbstractContextManager[None]], tmp_path: Path
) -> None:
    """Calls that wait for its answer meanwhile are made again, as its samples are."""
    told = tmp_path / "summary.json"
    words = (*NODES, "--total", "500", "--hold", hold, "--json", str(told))
    with lab() as hosts, fleet(hosts) as worker, coordinator(*words, inside=hosts.inside("coord", *first())) as coord:
        assert coord.stderr is not None
        until_it_says(coord, "holding")
        before = calls(coord)
        with stall(hosts, worker):
            until_called_anew(before, coord)
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
    words = (*NODES, "--total", "500", "--hold", "1s", "--json", str(told))
    with lab() as hosts, fleet(hosts) as worker:
        (zygote,) = children_of(worker.pid)
        os.kill(zygote, signal.SIGSTOP)  # it forks no shard yet
        with coordinator(*words, inside=hosts.inside("coord", *first())) as coord:
            assert coord.stderr is not None
            assert eventually(lambda: is_preparing(hosts))
            before = calls(coord)
            with stall(hosts, worker):
                until_called_anew(before, coord)
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
