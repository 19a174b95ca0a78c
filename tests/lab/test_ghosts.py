"""Connections that only their clients believe in, made by a real kernel: a short accept queue, and nobody who accepts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Lab, address
from programs import children_of, eventually, first, node

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

BACKLOG = 128
TOTAL = 2000
SLOW_LINK = "rate 4mbit burst 1600 latency 20s"


def test_ghosts_are_what_clients_have_and_the_server_has_not(hosts: Lab, tmp_path: Path) -> None:
    told, log = tmp_path / "summary.json", tmp_path / "target.log"
    target, worker = f"{address('target')}:7200", f"{address('worker1')}:7100"
    # A slow link: the ACKs stand in line behind hundreds of SYNs. Those overflow the SYN queue, the kernel answers with
    # cookies, and when their ACKs come, the accept queue is full: dropped, and nobody will ever send them again. A worker
    # that waited for a CPU would send SYNs no faster than the link takes them, and no ACK would have to stand in line.
    subprocess.run(hosts.inside("worker1", *f"tc qdisc add dev eth0 root tbf {SLOW_LINK}".split()), check=True)
    limit = ["sh", "-c", f'sysctl -qw net.core.somaxconn={BACKLOG} && exec "$@"', "sh"]
    listen = ("--listen", target, "--insecure", "--bind", address("target"))
    words = (
        "--total",
        str(TOTAL),
        "--target",
        target,
        "--worker",
        worker,
        "--hold",
        "3s",
        "--connect-timeout",
        "2s",
        "--probe-ghosts",
    )
    allow = ("--allow", address("target"))  # with nothing to prove: who is to prove it may be stopped already
    with (
        open(log, "w") as logged,
        node("target", *listen, inside=[*hosts.inside("target"), *limit], stderr=logged) as serving,
        node("worker", "--listen", worker, "--insecure", *allow, inside=hosts.inside("worker1", *first())) as working,
    ):
        zygote = list(children_of(working.pid))
        send(zygote, signal.SIGSTOP)  # it makes no shards, and nothing is opened, until nobody accepts
        command = [*hosts.inside("coord"), sys.executable, "-m", "c1m.coordinator", "run", *words, "--json", str(told)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as coord:
            assert eventually(lambda: "Watch of run" in log.read_text())  # as soon as all acceptors are ready
            acceptors = [pid for pid, name in children_of(serving.pid).items() if name.startswith("c1m-acceptor")]
            send(acceptors, signal.SIGSTOP)
            send(zygote, signal.SIGCONT)
            assert coord.stderr is not None
            for line in coord.stderr:
                if line.startswith("holding"):
                    send(acceptors, signal.SIGCONT)
            code = coord.wait(60)

    summary = json.loads(told.read_text())
    counted = summary["reconciliation"]
    assert acceptors
    assert (code, summary["verdict"]) == (1, "failed")
    assert counted["ghosts"] > 0
    known = counted["kernel_established"] + counted["in_syn_queues"]  # whose ACK may still come, when the server asks again
    assert counted["ghosts"] == counted["client_established"] - known
    assert counted["kernel_established"] == counted["target_open"]
    assert counted["unexplained"] == 0
    assert counted["probed"] == {"connections": counted["client_established"], "ghosts": counted["ghosts"]}
    assert any(f"{counted['ghosts']:,} connections are ghosts" in reason for reason in summary["reasons"])
    assert [(each["cause"], each["node"]) for each in summary["diagnosis"]] == [("process stopped", f"target {target}")]


def send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)
