"""A worker beside a program that has used up the ephemeral ports: its source addresses are this machine's nevertheless."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lab import Lab
from programs import node

HOG = """
import socket, sys
held = [socket.create_server(("10.200.0.3", port)) for port in range(40_000, 40_004)]
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def used_up(lab: Lab) -> Iterator[None]:
    """A program that listens on all ephemeral ports of worker1."""
    range_set = ["sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40003"]
    subprocess.run(lab.inside("worker1", *range_set), check=True, timeout=60)
    command = lab.inside("worker1", sys.executable, "-c", HOG)
    hog = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert hog.stdout is not None
        assert hog.stdout.readline() == "held\n"
        yield
    finally:
        hog.communicate(timeout=60)


def test_a_worker_starts_where_all_ephemeral_ports_are_used(hosts: Lab) -> None:
    with used_up(hosts), node("worker", "--source", "10.200.0.3", inside=hosts.inside("worker1")):
        pass  # it listens


def test_an_address_that_is_not_the_machines_is_refused(hosts: Lab) -> None:
    command = hosts.inside("worker1", sys.executable, "-m", "c1m.worker", "--source", "10.200.0.99")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 3
    assert "10.200.0.99 is not this machine's" in ended.stderr
