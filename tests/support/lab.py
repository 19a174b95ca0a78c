"""Test hosts: network namespaces joined by a bridge in one of its own. Nothing outside of them is touched."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

HOSTS = ("coord", "target", "worker1", "worker2")  # 10.200.0.1 to .4, fd00:200::1 to ::4
PREFIXES = {"worker1": ("10.201.0.0/24", "fd00:201::/120"), "worker2": ("10.202.0.0/24", "fd00:202::/120")}


def address(host: str, version: int = 4) -> str:
    number = HOSTS.index(host) + 1
    return f"10.200.0.{number}" if version == 4 else f"fd00:200::{number}"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=60, capture_output=True)


class Lab:
    """Names are this process's own, so that two suites do not meet."""

    def __init__(self) -> None:
        self.prefix = f"c1m{os.getpid()}"

    def name(self, host: str) -> str:
        return f"{self.prefix}-{host}"

    def inside(self, host: str, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.name(host), *command]

    def entered(self, host: str, *command: str) -> list[str]:
        """As ``inside``, but with the /sys that is there already, cgroups included."""
        return ["nsenter", f"--net=/run/netns/{self.name(host)}", *command]

    def on(self, host: str, *words: str) -> None:
        ip("-n", self.name(host), *words)

    def build(self) -> None:
        for host in ("switch", *HOSTS):
            ip("netns", "add", self.name(host))
            self.on(host, "link", "set", "lo", "up")
        self.on("switch", "link", "add", "br0", "type", "bridge")
        self.on("switch", "link", "set", "br0", "up")
        for host in HOSTS:
            self.on("switch", "link", "add", f"v-{host}", "type", "veth", "peer", "name", "eth0", "netns", self.name(host))
            self.on("switch", "link", "set", f"v-{host}", "master", "br0", "up")
            self.on(host, "addr", "add", f"{address(host)}/24", "dev", "eth0")
            self.on(host, "addr", "add", f"{address(host, 6)}/64", "dev", "eth0", "nodad")
            self.on(host, "link", "set", "eth0", "up")
        for worker, (ipv4, ipv6) in PREFIXES.items():
            for prefix, version in ((ipv4, 4), (ipv6, 6)):
                # AnyIP: the whole prefix is the worker's, without one address added.
                self.on(worker, "route", "add", "local", prefix, "dev", "lo")
                self.on("target", "route", "add", prefix, "via", address(worker, version))

    def remove(self) -> None:
        for host in ("switch", *HOSTS):
            subprocess.run(["ip", "netns", "del", self.name(host)], check=False, timeout=60, capture_output=True)


@contextmanager
def lab() -> Iterator[Lab]:
    made = Lab()
    try:
        made.build()
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def hosts() -> Iterator[Lab]:
    with lab() as made:
        yield made
