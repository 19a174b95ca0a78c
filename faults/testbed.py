"""The machines of one cell: network namespaces on two switches, control and data, so that either link of each can fail alone.

The switches are bridges in a namespace of their own: nothing outside of what is made here is touched.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

COORDINATOR, TARGET = "coordinator", "target"
WORKERS = ("worker1", "worker2", "worker3")
MACHINES = (COORDINATOR, TARGET, *WORKERS)
CONTROL, DATA = "eth0", "eth1"  # of every machine
NETWORKS = {CONTROL: "10.210.0", DATA: "10.211.0"}
SWITCH = "switch"

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def address(machine: str, link: str) -> str:
    return f"{NETWORKS[link]}.{MACHINES.index(machine) + 1}"


def call(*command: str, given: str = "") -> None:
    """Raises RuntimeError with what the command says."""
    ended = subprocess.run(command, input=given, text=True, check=False, timeout=20, capture_output=True)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)}: {ended.stderr.strip()}")


class Testbed:
    """``name`` is this one's own among those that are there at the same time."""

    def __init__(self, name: str) -> None:
        self.name = name

    def namespace(self, machine: str) -> str:
        return f"c1m-faults-{os.getpid()}-{self.name}-{machine}"

    def command(self, machine: str, words: Sequence[str]) -> list[str]:
        """The same command on that machine; the process is the command's own."""
        return ["nsenter", f"--net=/run/netns/{self.namespace(machine)}", *words]

    def on(self, machine: str, *lines: str) -> None:
        """Some lines of ip(8) there."""
        call("ip", "-n", self.namespace(machine), "-batch", "-", given="\n".join(lines))

    def within(self, machine: str, look: Callable[[], T]) -> T:
        """What is to be seen there: in a thread of its own, since a thread is in one namespace."""

        def enter() -> T:
            with open(f"/run/netns/{self.namespace(machine)}") as namespace:
                if libc.setns(namespace.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"cannot enter {machine}")
            return look()

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(enter).result()

    # -- what can happen to a link

    def cut(self, machine: str, link: str) -> None:
        self.on(machine, f"link set {link} down")

    def join(self, machine: str, link: str) -> None:
        self.on(machine, f"link set {link} up")

    def swallow(self, machine: str, link: str) -> None:
        """The switch drops what comes from there and goes there, and tells nobody; only ARP passes, as behind a router."""
        drops = "".join(f"{side} {port(machine, link)} ether type ip drop; " for side in ("iifname", "oifname"))
        rules = f"table bridge {port(machine, link)} {{ chain hole {{ type filter hook forward priority 0; {drops}}}; }}"
        self.nft(rules)

    def release(self, machine: str, link: str) -> None:
        self.nft(f"delete table bridge {port(machine, link)}")

    def nft(self, rules: str) -> None:
        call(*self.command(SWITCH, ["nft", "-f", "-"]), given=rules)

    # -- its own life

    def build(self) -> None:
        for machine in (SWITCH, *MACHINES):
            call("ip", "netns", "add", self.namespace(machine))
            self.on(machine, "link set lo up")
        for link in NETWORKS:
            self.on(SWITCH, f"link add {link} type bridge", f"link set {link} up")
            for machine in MACHINES:
                there = self.namespace(machine)
                self.on(
                    SWITCH,
                    f"link add {port(machine, link)} type veth peer name {link} netns {there}",
                    f"link set {port(machine, link)} master {link} up",
                )
                self.on(machine, f"addr add {address(machine, link)}/24 dev {link}", f"link set {link} up")

    def remove(self) -> None:
        for machine in (SWITCH, *MACHINES):
            subprocess.run(["ip", "netns", "del", self.namespace(machine)], check=False, timeout=20, capture_output=True)


def port(machine: str, link: str) -> str:
    """The switch's end of a link."""
    return f"{machine}_{link[-1]}"


@contextmanager
def testbed(name: str) -> Iterator[Testbed]:
    made = Testbed(name)
    try:
        made.build()
        yield made
    finally:
        made.remove()
