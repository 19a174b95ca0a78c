"""A host with low limits, whose nodes are told to raise them: a network namespace, with its own records of what was before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lab import ip
from programs import node

from c1m.limits.sysctls import path_of
from c1m.limits.tunable import PORT_RANGE

root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces take root")
SOMAXCONN, SYN_BACKLOG, CONNTRACK = "net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.netfilter.nf_conntrack_max"
WORKER, TARGET = "127.0.0.1:7100", "127.0.0.1:7200"
NODES = ("--worker", WORKER, "--target", TARGET)


class Host:
    """A network namespace, and a state directory of its own."""

    def __init__(self, name: str, state: Path) -> None:
        self.inside = ["ip", "netns", "exec", name, "env", f"XDG_STATE_HOME={state}"]
        self.state = state

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.inside, *command], capture_output=True, text=True, check=False, timeout=100)

    def python(self, program: str, *words: str) -> str:
        ended = self.run(sys.executable, "-c", program, *words)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def coord(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "c1m.coordinator", *words)

    def tune(self, *words: str, code: int = 0) -> dict[str, Any]:
        ended = self.coord("tune", *NODES, "--total", "100k", "--json", "-", *words)
        assert ended.returncode == code, ended.stdout + ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def changes(self, *words: str, code: int = 0) -> dict[str, tuple[str, str]]:
        """Setting -> before, after."""
        return {each["setting"]: (each["before"], each["after"]) for each in self.tune(*words, code=code)["changes"]}

    def set(self, name: str, value: str) -> None:
        self.run("sh", "-ec", f"echo {value} > {path_of(name)}").check_returncode()

    def get(self, name: str) -> str:
        return " ".join(self.run("cat", path_of(name)).stdout.split())

    @property
    def records(self) -> list[Path]:
        return list(self.state.rglob("*.json"))

    def target(self, *words: str) -> Any:
        return node("target", "--listen", TARGET, "--bind", "127.0.0.1", *words, inside=self.inside)

    @contextmanager
    def nodes(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Yields the target, which is who is asked about queues."""
        with self.target(*words) as target, node("worker", "--listen", WORKER, *words, inside=self.inside):
            yield target

    def call(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        """The target's answer to an RPC, or its status and sentence."""
        answer: dict[str, Any] = json.loads(self.python(CALL, method, json.dumps(request)))
        return answer


CALL = f"""
import json, sys
import grpc
from google.protobuf.json_format import MessageToDict
from c1m.v1 import target_pb2 as pb
from c1m.v1.target_pb2_grpc import TargetServiceStub
method, request = sys.argv[1], json.loads(sys.argv[2])
with grpc.insecure_channel("{TARGET}") as channel:
    stub = TargetServiceStub(channel)
    try:
        answer = getattr(stub, method)(getattr(pb, f"TargetService{{method}}Request")(**request), timeout=60)
    except grpc.RpcError as error:
        print(json.dumps({{"status": error.code().name, "sentence": error.details()}}))
    else:
        print(json.dumps(MessageToDict(answer)))
"""


@contextmanager
def namespace(state: Path, number: int = 0) -> Iterator[Host]:
    name = f"c1m{os.getpid()}-tune{number}"
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield Host(name, state)
    finally:
        ip("netns", "del", name)


@pytest.fixture
def low(tmp_path: Path) -> Iterator[Host]:
    """Short queues on both ways in: SYN cookies would make the second one matter to nobody."""
    with namespace(tmp_path / "state") as host:
        host.set(SOMAXCONN, "64")
        host.set(SYN_BACKLOG, "128")
        host.set("net.ipv4.tcp_syncookies", "0")
        host.set(PORT_RANGE, "20000 20009")
        yield host


LOW = {SOMAXCONN: "64", SYN_BACKLOG: "128"}
