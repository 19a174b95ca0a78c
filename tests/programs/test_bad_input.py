"""What the three programs answer to words that make no sense: one sentence that names them, and a code."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from programs import node

from c1m import __version__
from c1m.coordinator.fleet.clients import TargetClient, WorkerClient
from c1m.coordinator.fleet.nodes import Nodes
from c1m.coordinator.run.takeover import Takeover
from c1m.errors import UsageError
from c1m.net.endpoints import parse_host_port
from c1m.v1 import node_pb2, target_pb2, worker_pb2
from c1m.wire.grpc_options import PROTOCOL

RUN = ("run", "--total", "10")
NOBODY = "127.0.0.1:1"  # tcpmux, which nobody runs
NOT_OURS = "198.51.100.7"  # TEST-NET-2


def ask(program: str, *words: str, here: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "C1M_CONFIG"}
    leaving = () if program == "coordinator" else ("--with-parent",)  # a node that starts after all ends with its input
    return subprocess.run(
        [sys.executable, "-m", f"c1m.{program}", *words, *leaving],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        cwd=here,
        env={**clean, **environment},
    )


def assert_told_once(ended: subprocess.CompletedProcess[str], code: int, named: str) -> None:
    """A sentence with that in it is all of stderr, but for the settings that a coordinator may print before it."""
    said = [line for line in ended.stderr.splitlines() if not line.startswith("c1m-coord run ")]
    assert len(said) == 1, ended.stderr
    assert said[0].startswith("error: "), said
    assert named in said[0]
    assert ended.returncode == code


# (program, words, exit code, what the sentence names)
WRONG = [
    ("coordinator", ("run", "--total", "many"), 2, "'many'"),
    ("coordinator", ("run", "--total", "-5"), 2, "'-5'"),
    ("coordinator", ("run",), 2, "--total"),
    ("coordinator", (*RUN, "--rate", "5/x"), 2, "'5/x'"),
    ("coordinator", (*RUN, "--hold", "999999999999h"), 2, "longer than a year"),
    ("coordinator", ("run", "--stage", "5@9999999999999999999s"), 2, "longer than a year"),
    ("coordinator", ("run", "--total", "1G", "--rate", "1/h"), 2, "too little"),
    ("coordinator", ("run", "--total", "1G", "--rate", "1/s"), 2, "no run is longer than a year"),
    ("coordinator", ("run", "--total", "99999999999999999999G"), 2, "99999999999999999999G"),
    ("coordinator", ("run", "--stage", "99999999999999999999G@1s"), 2, "1,000,000,000,000"),
    ("coordinator", (*RUN, "--in-flight", "5000000000"), 2, "'5000000000'"),
    ("coordinator", (*RUN, "--lease", "25h"), 2, "'25h'"),
    ("coordinator", (*RUN, "--server-push", "1e9"), 2, "'1e9'"),
    ("coordinator", (*RUN, "--server-push", "1M/s"), 2, "too much"),
    ("coordinator", (*RUN, "--heartbeat", "1s", "--send", "x" * 70_000), 2, "a request of 70,000 B"),
    ("coordinator", (*RUN, "--require", "target.memory.bytes_per_connection < 5iB"), 2, "'5iB'"),
    ("coordinator", (*RUN, "--lease", "1s"), 2, "'1s'"),
    ("coordinator", ("run", "--stage", "100k"), 2, "'100k' is not a stage; write 100k@10s"),
    ("coordinator", ("run", "--stage", "5@soon"), 2, "'5@soon': 'soon' is not a duration"),
    ("coordinator", ("run", "--stage", "sine:5@10s"), 2, "two numbers and a period"),
    ("coordinator", ("run", "--stage", "0@10s"), 2, "never open a connection"),
    ("coordinator", (*RUN, "--stage", "5@1s"), 2, "--stage and --total exclude each other"),
    ("coordinator", (*RUN, "--arrival", "poisson"), 2, "give --rate or --ramp"),
    ("coordinator", (*RUN, "--arrival", "sometimes"), 2, "'sometimes'"),
    ("coordinator", (*RUN, "--close-order", "youngest"), 2, "'youngest'"),
    ("coordinator", (*RUN, "--seed", "5000000000"), 2, "'5000000000'"),
    ("coordinator", (*RUN, "--close", "slam"), 2, "'slam'"),
    ("coordinator", (*RUN, "--worker", "127.0.0.1:99999", "--target", NOBODY), 2, "'127.0.0.1:99999'"),
    ("coordinator", (*RUN, "--target", "[::1"), 2, "'[::1'"),
    ("coordinator", (*RUN, "--endpoint", "127.0.0.1:90-80"), 2, "90-80"),
    ("coordinator", (*RUN, "--endpoint", "no.such.host.invalid:80", "--worker", NOBODY), 2, "'no.such.host.invalid'"),
    ("coordinator", (*RUN, "--data-host", "a b"), 2, "'a b'"),
    ("coordinator", (*RUN, "--worker", NOBODY), 2, "--target"),  # and nothing to connect to
    ("coordinator", (*RUN, "--json", "missing/summary.json"), 2, "missing/summary.json"),
    ("coordinator", (*RUN, "--worker", NOBODY, "--target", NOBODY), 4, NOBODY),
    ("coordinator", (*RUN, "--worker", "no.such.host.invalid", "--endpoint", NOBODY), 4, "no.such.host.invalid"),
    ("coordinator", (*RUN, "--lifetime", "gauss:5s"), 2, "'gauss'"),
    ("coordinator", (*RUN, "--storm", "drop=5%"), 2, "'drop=5%' does not say when"),
    ("coordinator", (*RUN, "--storm", "at=5s,by=target"), 2, "--reopen"),
    ("worker", ("--allow-slow", "a b"), 2, "'a b' is no server"),
    ("worker", ("--source", "10.0.0.9-10.0.0.1"), 2, "'10.0.0.9-10.0.0.1'"),
    ("worker", ("--source", "nosuch0"), 2, "'nosuch0'"),
    ("worker", ("--source", NOT_OURS), 3, NOT_OURS),
    ("worker", ("--ports", "0-70000"), 2, "0-70000"),
    ("worker", ("--listen", "127.0.0.1:x"), 2, "'127.0.0.1:x'"),
    ("worker", ("--listen", "0.0.0.0:7100"), 2, "--insecure"),
    ("worker", ("--listen", "0.0.0.0:7100"), 2, "--tls DIR"),
    ("worker", ("--listen", f"{NOT_OURS}:7100", "--insecure"), 2, f"{NOT_OURS}:7100"),
    ("target", ("--bind", "nonsense"), 2, "'nonsense'"),
    ("target", ("--bind", NOT_OURS), 3, NOT_OURS),
    ("target", ("--ports", "80-70"), 2, "80-70"),
    ("target", ("--listen", "0.0.0.0:7200"), 2, "--insecure"),
    ("target", ("observe", "--port", "80-70"), 2, "80-70"),
    ("coordinator", (*RUN, "--hold", ""), 2, "nothing after --hold"),
    ("coordinator", ("runs", "--journal="), 2, "nothing after --journal="),
    ("coordinator", ("pki", "init", "--dir", ""), 2, "nothing after --dir"),
    ("coordinator", (*RUN, "--bogus"), 2, "no such option: --bogus; see "),
    ("coordinator", ("bogus",), 2, "no such command 'bogus'"),
    ("coordinator", ("run", "100k"), 2, "100k is not an option; did you mean --total 100k?"),
    ("coordinator", ("doctor", "1M"), 2, "1M is not an option; did you mean --total 1M?"),
    ("coordinator", ("run", "hold=5s"), 2, "hold=5s is not an option; did you mean --hold=5s?"),
    ("coordinator", (*RUN, "a b"), 2, "unexpected argument 'a b'; see "),
    ("coordinator", ("runs", "100k"), 2, "unexpected argument '100k'; see "),
    ("coordinator", ("explain", "ports", "more"), 2, "unexpected argument 'more'; see "),
    ("coordinator", ("pki", "init", "here"), 2, "unexpected argument 'here'; see "),
    ("worker", ("10.0.0.5",), 2, "unexpected argument '10.0.0.5'; see "),
    ("target", ("observe", "--port", "9", "80"), 2, "unexpected argument '80'; see "),
    ("target", ("9000",), 2, "no such command '9000'"),
    ("worker", ("--most-rate", ""), 2, "nothing after --most-rate"),
    ("worker", ("--most-connections", "0"), 2, "--most-connections: '0' is less than 1"),
    ("worker", ("--most-rate", "30/m"), 2, "--most-rate: '30/m' is less than 1"),
    ("worker", ("--most-bandwidth", "0"), 2, "--most-bandwidth: '0' is less than 1"),
    ("target", ("observe",), 2, "missing option '--port'"),
    ("target", ("--insecure", "observe", "--port", "9"), 2, "--insecure stands before observe"),
]


@pytest.mark.parametrize(
    ("program", "words", "code", "named"), WRONG, ids=[" ".join((program, *words))[:100] for program, words, _, _ in WRONG]
)
def test_wrong_words_are_named(program: str, words: tuple[str, ...], code: int, named: str, tmp_path: Path) -> None:
    assert_told_once(ask(program, *words, here=tmp_path), code, named)


@pytest.mark.parametrize(
    ("program", "option", "code"),
    [("worker", "--listen", 2), ("target", "--listen", 2), ("target", "--ports", 3)],
)
def test_a_port_that_is_taken_is_named(program: str, option: str, code: int, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        words = ("--bind", "127.0.0.1", "--ports", port) if option == "--ports" else (option, f"127.0.0.1:{port}")
        ended = ask(program, *words, here=tmp_path)

    assert_told_once(ended, code, port)


@pytest.mark.parametrize("given", ["by flag", "by C1M_CONFIG", "by the working directory"])
def test_a_typo_in_a_file_is_named_wherever_the_file_was_found(given: str, tmp_path: Path) -> None:
    file = tmp_path / ("c1m.toml" if given == "by the working directory" else "other.toml")
    file.write_text("totl = 5")
    flag = ("--config", str(file)) if given == "by flag" else ()
    environment = {"C1M_CONFIG": str(file)} if given == "by C1M_CONFIG" else {}

    ended = ask("coordinator", *RUN, *flag, here=tmp_path, **environment)

    assert_told_once(ended, 2, f"{file}: there is no setting 'totl'")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("total = " + "9" * 5000, "is not TOML: Exceeds the limit (4300 digits)"),
        ("total = " + "[" * 5000, "its brackets are too deep"),
        ("total = 0x" + "f" * 5000, "--total: Exceeds the limit (4300 digits)"),
        ('total = 5\ntls = "\\u0000"', "--tls: '\\x00' is no directory"),
        ("#" * 2_000_000, "has more than 1,000,000 characters"),
    ],
    ids=[
        "a number of 5,000 digits",
        "5,000 brackets",
        "a hexadecimal number of 5,000 digits",
        "a NUL",
        "a line of two million bytes",
    ],
)
def test_a_file_that_no_person_wrote_is_named(text: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_text(text)

    assert_told_once(ask("coordinator", "run", "--spec", str(file), here=tmp_path), 2, named)


def test_a_file_without_an_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    assert_told_once(ask("coordinator", "run", "--spec", "/dev/zero", here=tmp_path), 2, "/dev/zero has more than")


# -- places that are not what they should be


def test_a_working_directory_that_is_gone_is_none_of_anybodys_business(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f'rmdir "{gone}"; exec {sys.executable} -m c1m.coordinator run --total many'
    ended = subprocess.run(["sh", "-c", command], cwd=gone, capture_output=True, text=True, timeout=60)

    assert_told_once(ended, 2, "'many'")


@pytest.mark.parametrize("words", [("--version",), ("explain", "ports"), ("--help",)])
def test_a_full_disk_in_the_place_of_stdout_is_a_sentence(words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "c1m.coordinator", *words]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)

    assert (ended.returncode, ended.stderr) == (1, "error: cannot write to stdout: No space left on device\n")


@pytest.mark.parametrize("words", ["explain", "runs --json -"])
def test_a_reader_who_leaves_changes_no_exit_code(words: str) -> None:
    read, written = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "c1m.coordinator", *words.split()]
    with open(written, "w") as nobody:
        ended = subprocess.run(command, stdout=nobody, stderr=subprocess.PIPE, text=True, timeout=60)

    assert (ended.returncode, ended.stderr) == (0, "")


def test_rows_in_a_pipe_end_where_their_words_do() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "c1m.coordinator", "explain"], capture_output=True, text=True, check=True
    ).stdout

    assert [line for line in told.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "2>&1 >summary | head -1 >first"])
def test_a_run_does_not_depend_on_what_becomes_of_stderr(where: str, tmp_path: Path) -> None:
    run = f"{sys.executable} -m c1m.coordinator run --total 5 --hold 0s --no-journal --json {tmp_path}/summary.json {where}"
    subprocess.run(["sh", "-c", run], cwd=tmp_path, stdout=subprocess.DEVNULL, timeout=100, check=True)

    assert json.loads((tmp_path / "summary.json").read_text())["verdict"] == "passed"


# -- nodes that are not what the coordinator expects


class ForeignNode(grpc.GenericRpcHandler):
    """A worker and a target of another protocol version, at one address. They describe themselves, and have no other method."""

    def __init__(self, protocol: int) -> None:
        host = node_pb2.Host(protocol=protocol, version="99.0")
        self.answers: dict[str, worker_pb2.DescribeResponse | target_pb2.TargetServiceDescribeResponse] = {
            "/c1m.v1.WorkerService/Describe": worker_pb2.DescribeResponse(host=host),
            "/c1m.v1.TargetService/Describe": target_pb2.TargetServiceDescribeResponse(host=host, bind="127.0.0.1"),
        }
        self.called: set[str] = set()
        self.address = ""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        self.called.add(handler_call_details.method)
        answer = self.answers.get(handler_call_details.method)
        if answer is None:
            return None  # which gRPC answers with UNIMPLEMENTED
        return grpc.unary_unary_rpc_method_handler(lambda *_: answer, response_serializer=type(answer).SerializeToString)


@contextmanager
def foreign_node(protocol: int) -> Iterator[ForeignNode]:
    foreign = ForeignNode(protocol)
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([foreign])
    foreign.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield foreign
    finally:
        server.stop(grace=None).wait()


OLDER, NEWER = PROTOCOL - 1, PROTOCOL + 1
OURS = f"and this coordinator speaks protocol {PROTOCOL} (c1m {__version__})"
CURES = {OLDER: "upgrade c1m on that node and restart it", NEWER: "upgrade c1m on this machine"}


@pytest.mark.parametrize(
    ("command", "role", "protocol"),
    [
        *(("run", role, protocol) for role in ("worker", "target") for protocol in (OLDER, NEWER)),
        ("plan", "target", OLDER),
        ("doctor", "worker", OLDER),
        ("tune", "target", OLDER),
        ("tune --apply", "worker", OLDER),
        ("tune --undo", "worker", OLDER),
    ],
)
def test_a_node_that_speaks_another_protocol_is_refused(command: str, role: str, protocol: int, tmp_path: Path) -> None:
    total = () if "--undo" in command else ("--total", "10")
    with foreign_node(protocol) as foreign:
        other = ("--endpoint", NOBODY) if role == "worker" else ("--worker", foreign.address)
        ended = ask("coordinator", *command.split(), *total, f"--{role}", foreign.address, *other, here=tmp_path)

    named = f"{role} {foreign.address} speaks protocol {protocol} (c1m 99.0), {OURS}; {CURES[protocol]}"
    assert_told_once(ended, 2, named)
    assert foreign.called <= foreign.answers.keys(), "nothing was prepared or changed"


def test_a_run_on_workers_that_speak_another_protocol_is_not_retargeted(tmp_path: Path) -> None:
    with foreign_node(OLDER) as foreign:
        ended = ask("coordinator", "retarget", "--total", "5", "--worker", foreign.address, here=tmp_path)

    assert_told_once(ended, 2, f"worker {foreign.address} speaks protocol {OLDER} (c1m 99.0), {OURS}; {CURES[OLDER]}")
    assert foreign.called <= foreign.answers.keys()


def test_a_run_on_workers_that_speak_another_protocol_is_not_resumed(tmp_path: Path) -> None:
    async def resume(address: str) -> None:
        worker, target = WorkerClient(parse_host_port(address, 0)), TargetClient(parse_host_port(address, 0))
        try:
            await Takeover(tmp_path / "journal", Nodes("r", [worker], target)).take()
        finally:
            await worker.close()
            await target.close()

    with foreign_node(OLDER) as foreign, pytest.raises(UsageError) as refused:
        asyncio.run(resume(foreign.address))

    assert str(refused.value).startswith(f"worker {foreign.address} speaks protocol {OLDER} (c1m 99.0), {OURS}; ")
    assert foreign.called <= foreign.answers.keys()


def test_a_worker_in_the_place_of_a_target_is_refused(tmp_path: Path) -> None:
    address = "127.0.0.1:24030"
    with node("worker", "--listen", address):
        ended = ask("coordinator", *RUN, "--target", address, "--worker", address, here=tmp_path)

    assert_told_once(
        ended, 2, f"target {address} is another program or version of c1m (Method not found!), {OURS}; correct the address"
    )
