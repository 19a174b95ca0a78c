"""Causes on the server's machine, forced for real and named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from forced import (
    FEW,
    FORCED,
    PACED,
    TARGET,
    WORKER,
    Fleet,
    Stopped,
    a_fleet,
    cgroup,
    conduct,
    inside,
    lower_descriptors,
    program,
    sysctl,
)
from lab import Lab, address
from programs import children_of

pytestmark = FORCED


def test_an_accept_queue_that_is_too_short(fleet: Fleet, tmp_path: Path) -> None:
    with sysctl(fleet.hosts, "target", core__somaxconn="1"):
        told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "1000", "--connect-timeout", "2s", "--hold", "0s")

    assert ("accept queue", TARGET) in told.causes()
    assert ("SYN unanswered", WORKER) not in told.causes()
    assert any("net.core.somaxconn (1)" in reason for reason in [*told.summary["reasons"], *told.summary["notes"]])


def test_a_queue_of_handshakes_that_is_full(fleet: Fleet, tmp_path: Path) -> None:
    """On a slow link the ACKs stand in line behind hundreds of SYNs, and no cookies take the place of the queue."""
    slow = ["root", "tbf", "rate", "4mbit", "burst", "1600", "latency", "20s"]
    inside(fleet.hosts, "worker1", "tc", "qdisc", "add", "dev", "eth0", *slow)
    try:
        with sysctl(fleet.hosts, "target", core__somaxconn="16", ipv4__tcp_syncookies="0"):
            told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "600", "--connect-timeout", "1500ms", "--hold", "0s")
    finally:
        inside(fleet.hosts, "worker1", "tc", "qdisc", "del", "dev", "eth0", "root")

    assert ("SYN queue", TARGET) in told.causes()
    assert ("SYN unanswered", WORKER) not in told.causes()


def test_acceptors_that_are_stopped(fleet: Fleet, tmp_path: Path) -> None:
    acceptors, words = Stopped(fleet.acceptors), (*fleet.to_target, *PACED)
    with sysctl(fleet.hosts, "target", core__somaxconn="64"):
        told = conduct(fleet, tmp_path, *words, opening=acceptors.stop, named="state T", then=acceptors.go_on)

    assert told.causes() == [("process stopped", TARGET)]


def test_a_target_that_is_stopped_as_a_whole(hosts: Lab, tmp_path: Path) -> None:
    with sysctl(hosts, "target", core__somaxconn="64"), a_fleet(hosts) as fleet:
        whole, words = Stopped(lambda: [*fleet.acceptors(), fleet.target.pid]), (*fleet.to_target, *PACED)
        told = conduct(fleet, tmp_path, *words, opening=whole.stop, named="it sent nothing for a while", then=whole.go_on)

    assert told.causes() == [("node silent", TARGET)]


def test_a_target_without_descriptors(fleet: Fleet, tmp_path: Path) -> None:
    with sysctl(fleet.hosts, "target", core__somaxconn="64"):
        lower, words = lambda: lower_descriptors(fleet.acceptors()), (*fleet.to_target, *PACED)
        told = conduct(fleet, tmp_path, *words, opening=lower, named="no descriptor left")

    assert told.causes() == [("process descriptors", TARGET)]
    assert f"{FEW} of {FEW}" in told.summary["diagnosis"][0]["sentence"]


PROXY = """
import select, socket
upstream = socket.create_server(("127.0.0.1", 8081), backlog=1000)
server = socket.create_server(("0.0.0.0", 8080), backlog=1000)
print("ready", flush=True)
poll, other = select.poll(), {}
poll.register(server, select.POLLIN)
while True:
    for descriptor, _ in poll.poll():
        if descriptor != server.fileno():  # the client is gone
            poll.unregister(descriptor)
            for end in other.pop(descriptor):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
                end.close()
            continue
        client, _ = server.accept()
        try:
            inner = socket.create_connection(("127.0.0.1", 8081))
        except OSError:
            client.close()
            continue
        poll.register(client, select.POLLRDHUP)
        other[client.fileno()] = client, inner, upstream.accept()[0]
"""


@pytest.fixture(scope="module")
def observed(hosts: Lab) -> Iterator[Fleet]:
    """A proxy, and c1m-target observe beside it."""
    with (
        program(hosts, "target", PROXY),
        a_fleet(hosts, target=("observe", "--port", "8080"), control_port=7103) as made,
    ):
        yield made


@pytest.mark.parametrize(("ports", "reserved"), [("20000 20039", ""), ("20000 20999", "20040-20999")])
def test_a_proxy_whose_kernel_has_no_port_left_to_choose(observed: Fleet, ports: str, reserved: str, tmp_path: Path) -> None:
    endpoint = ("--endpoint", f"{address('target')}:8080")
    chosen = {"ipv4__ip_local_port_range": ports, "ipv4__ip_local_reserved_ports": reserved}
    with sysctl(observed.hosts, "target", **chosen):
        told = conduct(observed, tmp_path, *observed.to_target, *endpoint, "--total", "100", "--hold", "1s")

    assert told.causes() == [("kernel-chosen ports", TARGET)]
    assert "40 of 40 in use" in told.summary["diagnosis"][0]["sentence"]
    assert f"({reserved or 'none'})" in told.summary["diagnosis"][0]["sentence"]


def test_acceptors_that_are_killed_for_the_memory_of_their_cgroup(hosts: Lab, tmp_path: Path) -> None:
    with cgroup("memory") as group:
        join = hosts.entered("target", "sh", "-ec", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh")
        with a_fleet(hosts, in_target=join) as fleet:

            def tighten() -> None:
                for pid in {fleet.target.pid, *children_of(fleet.target.pid)} - {*fleet.acceptors()}:
                    (group.parent / "cgroup.procs").write_text(str(pid))  # they are to live, and tell
                used = int((group / "memory.usage_in_bytes").read_text())
                (group / "memory.limit_in_bytes").write_text(str(used + 2**19))

            told = conduct(
                fleet, tmp_path, *fleet.to_target, "--total", "8000", "--ramp", "2s", "--hold", "0s", opening=tighten
            )

    assert told.causes() == [("killed for memory", TARGET)]


FULL_UP = """
import socket
server = socket.create_server(("0.0.0.0", 8090), backlog=1000)
print("ready", flush=True)
held = []
while True:
    client, _ = server.accept()
    held.append(client)
    if len(held) > 50:
        held.pop().sendall(b"-ERR max number of clients reached")
        client.close()
"""


def test_a_server_that_hangs_up(fleet: Fleet, tmp_path: Path) -> None:
    with program(fleet.hosts, "target", FULL_UP):
        told = conduct(fleet, tmp_path, "--endpoint", f"{address('target')}:8090", "--total", "100", "--hold", "1s")

    assert told.causes() == [("server closes", WORKER)]
    assert "max number of clients reached" in told.summary["diagnosis"][0]["sentence"]
