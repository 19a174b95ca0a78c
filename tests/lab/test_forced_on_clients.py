"""Causes on the clients' own machine, forced for real and named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from forced import (
    FEW,
    FORCED,
    PACED,
    WORKER,
    Fleet,
    Stopped,
    a_fleet,
    cgroup,
    conduct,
    lower_descriptors,
    program,
    sysctl,
)
from lab import Lab, address
from programs import children_of

pytestmark = FORCED


def test_a_source_address_that_is_not_local(hosts: Lab, tmp_path: Path) -> None:
    hosts.on("worker1", "addr", "add", "10.200.0.5/32", "dev", "eth0")  # .4, in between, is another host's
    with a_fleet(hosts, worker=("--source", "10.200.0.3-10.200.0.5", "--ports", "20000-20099")) as fleet:
        told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "550", "--hold", "0s")
    hosts.on("worker1", "addr", "del", "10.200.0.5/32", "dev", "eth0")

    assert told.causes() == [("source address not local", WORKER)]


LISTENS = """
import socket, sys
held = [socket.create_server((sys.argv[1], port)) for port in range(int(sys.argv[2]), int(sys.argv[3]))]
print("ready", flush=True)
sys.stdin.read() or __import__("time").sleep(600)
"""
CONNECTS = """
import socket, sys
server = socket.create_server((sys.argv[1], 30000), backlog=1000)
held = [socket.create_connection((sys.argv[1], 30000)) for _ in range(int(sys.argv[2]))]
print("ready", flush=True)
__import__("time").sleep(600)
"""


@pytest.fixture(scope="module")
def narrow(hosts: Lab) -> Iterator[Fleet]:
    """A hundred client ports."""
    with a_fleet(hosts, worker=("--ports", "20000-20099"), control_port=7102) as made:
        yield made


def test_a_plan_whose_ports_have_holes(narrow: Fleet, tmp_path: Path) -> None:
    with program(narrow.hosts, "worker1", LISTENS, address("worker1"), "20010", "20060"):
        told = conduct(narrow, tmp_path, *narrow.to_target, "--total", "180", "--hold", "0s")

    assert told.causes() == [("client ports taken", WORKER)]
    assert told.summary["failed"]["EADDRINUSE"] == 80


def test_a_range_of_which_the_kernel_has_given_ports_away(narrow: Fleet, tmp_path: Path) -> None:
    with (
        sysctl(narrow.hosts, "worker1", ipv4__ip_local_port_range="20000 20099"),
        program(narrow.hosts, "worker1", CONNECTS, address("worker1"), "90"),
    ):
        told = conduct(narrow, tmp_path, *narrow.to_target, "--total", "100", "--hold", "0s")

    assert told.causes() == [("client ports taken", WORKER)]
    assert told.summary["failed"]["EADDRINUSE"] == 80  # ten ports left, to each of two destinations


def test_a_worker_without_descriptors(fleet: Fleet, tmp_path: Path) -> None:
    words = (*fleet.to_target, "--total", "4000", "--ramp", "4s", "--hold", "0s")
    told = conduct(fleet, tmp_path, *words, opening=lambda: lower_descriptors(fleet.shards()))

    assert told.causes() == [("process descriptors", WORKER)]
    assert f"{FEW} of {FEW}" in told.summary["diagnosis"][0]["sentence"]


def test_shards_that_are_stopped(fleet: Fleet, tmp_path: Path) -> None:
    shards, words = Stopped(fleet.shards), (*fleet.to_target, *PACED)
    told = conduct(fleet, tmp_path, *words, opening=shards.stop, named="state T", then=shards.go_on)

    assert told.causes() == [("process stopped", WORKER)]


BUSY = """
import os
os.sched_setaffinity(0, {0})
print("ready", flush=True)
while True: pass
"""


@pytest.mark.alone
def test_shards_that_get_no_cpu(fleet: Fleet, tmp_path: Path) -> None:
    shards: list[int] = []

    def starve() -> None:
        shards.extend(fleet.shards())
        for pid in shards:
            os.sched_setaffinity(pid, {0})
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))

    def feed() -> None:
        for pid in shards:
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))

    with program(fleet.hosts, "worker1", BUSY):
        told = conduct(
            fleet,
            tmp_path,
            *fleet.to_target,
            "--total",
            "20000",
            "--rate",
            "4000",
            opening=starve,
            named="ready to run but get no CPU",
            then=feed,
        )

    assert told.causes() == [("CPU", WORKER)]


def test_a_zygote_that_may_not_fork(hosts: Lab, tmp_path: Path) -> None:
    with cgroup("pids") as group, a_fleet(hosts, in_worker=hosts.entered("worker1")) as fleet:
        (group / "pids.max").write_text("1")
        for pid in children_of(fleet.worker.pid):
            (group / "cgroup.procs").write_text(str(pid))
        told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "200", "--hold", "0s")

    assert told.summary["verdict"] == "refused"
    (reason,) = told.summary["reasons"]
    assert reason.startswith(f"worker {address('worker1')}:7101: could start only 0 of 2 processes: fork failed with EAGAIN")
    assert "has 1 of at most 1 processes and threads (pids.max)" in reason
