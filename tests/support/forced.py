"""What forces a cause for real: a fleet on hosts of its own, a run during which something happens, ways to be in the way."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, address
from programs import children_of, coordinator, first_line, node

FORCED = [  # the marks of every test that does so
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"), reason="needs root, iproute2 and nftables"
    ),
]

WORKER, TARGET = "worker", "target"
# Where a machine is full of other work nodes wait for a CPU, which is a cause of its own: these run before the others, and
# before other tests' control processes (c1m/processes/priority.py). In real time acceptors would wait 100 ms for a turn:
# full queues.
FIRST = ("nice", "-n", "-20")
PACED = ("--total", "8000", "--ramp", "8s")  # long enough for a test that is late to do something to a run that opens
FEW = 600  # descriptors, which a process of a paced run has in use a second after it began, or later


@dataclass
class Fleet:
    """A worker and a target on hosts of their own."""

    hosts: Lab
    worker: subprocess.Popen[str]
    target: subprocess.Popen[str]
    control_port: int  # of the worker; the target's is 100 higher

    @property
    def words(self) -> tuple[str, ...]:
        return ("--worker", f"{address('worker1')}:{self.control_port}")

    @property
    def to_target(self) -> tuple[str, ...]:
        return ("--target", f"{address('target')}:{self.control_port + 100}")

    def shards(self) -> list[int]:
        return [pid for pid, name in children_of(self.worker.pid).items() if name.startswith("c1m-shard")]

    def acceptors(self) -> list[int]:
        return [pid for pid, name in children_of(self.target.pid).items() if name.startswith("c1m-acceptor")]


@contextmanager
def a_fleet(
    hosts: Lab,
    *,
    worker: Sequence[str] = (),
    target: Sequence[str] = ("--bind", address("target")),
    in_target: Sequence[str] = (),
    in_worker: Sequence[str] = (),
    control_port: int = 7101,
) -> Iterator[Fleet]:
    allow = ("--allow", "10.0.0.0/8")  # servers that are no target of c1m's, and targets that cannot be reached
    listen_worker = ("--listen", f"{address('worker1')}:{control_port}", "--insecure", *allow)
    listen_target = ("--listen", f"{address('target')}:{control_port + 100}", "--insecure")
    with (
        node("worker", *worker, *listen_worker, inside=[*(in_worker or hosts.inside("worker1")), *FIRST]) as client,
        node("target", *target, *listen_target, inside=[*(in_target or hosts.inside("target")), *FIRST]) as server,
    ):
        yield Fleet(hosts, client, server, control_port)


@pytest.fixture(scope="module")
def fleet(hosts: Lab) -> Iterator[Fleet]:
    """For the tests that need no node of their own."""
    with a_fleet(hosts, worker=("--source", address("worker1")), control_port=7100) as made:
        yield made


@dataclass
class Told:
    summary: dict[str, Any]
    lines: list[str]  # what was said meanwhile

    def causes(self) -> list[tuple[str, str]]:
        """Each with the role of the node that it names; there is one of each."""
        return [(each["cause"], each["node"].split()[0]) for each in self.summary["diagnosis"]]


def conduct(
    fleet: Fleet,
    tmp_path: Path,
    *words: str,
    opening: Callable[[], object] = lambda: None,
    named: str = "",
    then: Callable[[], object] = lambda: None,
) -> Told:
    """A run. ``opening`` happens when it says that it opens; as soon as it says what is ``named``, ``then`` does, and ^C."""
    told = tmp_path / "summary.json"
    lines: list[str] = []
    opened = False
    with ExitStack() as after, ExitStack() as undone:
        undone.callback(then)
        coord = after.enter_context(coordinator(*fleet.words, *words, "--json", str(told), inside=fleet.hosts.inside("coord")))
        assert coord.stderr is not None
        for line in coord.stderr:
            lines.append(line.rstrip())
            if not opened and line.startswith("opening"):
                opened = True
                opening()
            if named and named in line:
                named = ""
                undone.close()
                coord.send_signal(signal.SIGINT)
        coord.wait(60)
    return Told(json.loads(told.read_text()), lines)


class Stopped:
    """Processes that are stopped for a while; who they are is asked when it comes to that."""

    def __init__(self, who: Callable[[], list[int]]) -> None:
        self.who = who
        self.pids: list[int] = []

    def stop(self) -> None:
        self.pids = self.who()
        assert self.pids
        self.send(signal.SIGSTOP)

    def go_on(self) -> None:
        self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        for pid in self.pids:
            os.kill(pid, number)


def lower_descriptors(pids: list[int]) -> None:
    assert pids
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEW, 20_000))


def inside(hosts: Lab, host: str, *command: str) -> None:
    subprocess.run(hosts.inside(host, *command), check=True, timeout=60, capture_output=True)


@contextmanager
def filtered(hosts: Lab, host: str, rules: str) -> Iterator[None]:
    """nft rules on a host, one statement a line."""
    subprocess.run(hosts.inside(host, "nft", "-f", "-"), input=rules, text=True, check=True, timeout=60)
    try:
        yield
    finally:
        inside(hosts, host, "nft", "flush", "ruleset")


@contextmanager
def sysctl(hosts: Lab, host: str, **values: str) -> Iterator[None]:
    """Settings of a host's network namespace, with _ for the slashes of their paths under net/."""
    paths = {name: f"/proc/sys/net/{name.replace('__', '/')}" for name in values}
    before = {name: subprocess.check_output(hosts.inside(host, "cat", path), text=True) for name, path in paths.items()}

    def write(name: str, value: str) -> None:
        inside(hosts, host, "sh", "-c", f"printf '%s' '{value.strip()}' > {paths[name]}")

    try:
        for name, value in values.items():
            write(name, value)
        yield
    finally:
        for name, value in before.items():
            write(name, value)


@contextmanager
def program(hosts: Lab, host: str, text: str, *words: str, before: Sequence[str] = ()) -> Iterator[None]:
    """A Python program on a host, once it has written a line."""
    command = hosts.inside(host, *before, sys.executable, "-c", text, *words)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert first_line(process)
            yield
        finally:
            process.kill()


@contextmanager
def cgroup(controller: str) -> Iterator[Path]:
    made = Path(f"/sys/fs/cgroup/{controller}/c1m-forced-{os.getpid()}")
    if not os.access(made.parent / "cgroup.procs", os.W_OK):
        pytest.skip(f"there is no {controller} cgroup (v1) to write")
    made.mkdir()
    try:
        yield made
    finally:
        made.rmdir()
