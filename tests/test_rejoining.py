"""Nodes that are silent for a moment, longer than a gRPC connection lasts, and come back before they are taken for lost."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from lab import Lab, address, lab
from programs import coordinator, node

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


@pytest.mark.parametrize("stall", [stopped, cut_off])
def test_a_node_that_is_back_before_it_is_lost_goes_on(
    stall: Callable[[Lab, Process], AbstractContextManager[None]], tmp_path: Path
) -> None:
    told = tmp_path / "summary.json"
    with (
        lab() as hosts,
        node("target", "--bind", address("target"), "--listen", NODES[3], "--insecure", inside=hosts.inside("target")),
        node("worker", "--listen", CONTROL, "--insecure", inside=hosts.inside("worker1")) as worker,
        coordinator(*NODES, "--total", "500", "--hold", "8s", "--json", str(told), inside=hosts.inside("coord")) as coord,
    ):
        assert coord.stderr is not None
        while not coord.stderr.readline().startswith("holding"):
            assert coord.poll() is None
        before = calls(hosts)
        with stall(hosts, worker):
            while not calls(hosts) - before:  # its stream is given up, and it is called anew
                assert coord.poll() is None
                time.sleep(0.02)  # a bounded poll: the coordinator does not outlive its hold
        said = coord.stderr.read()
        code = coord.wait(60)

    assert (code, json.loads(told.read_text())["verdict"]) == (0, "passed"), said
    assert "lost" not in said
