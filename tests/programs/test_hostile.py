"""Strangers at the ports of nodes: garbage, floods, what is too large, too many or never ends; a run goes on beside them."""

from __future__ import annotations

import json
import resource
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from programs import children_of, holding_at, node, run_coord

from c1m.node.rpc_server import MOST_CALLS, MOST_WATCHERS
from c1m.traffic.proof import ANSWER_BYTES, challenge
from c1m.v1 import target_pb2
from c1m.v1.target_pb2_grpc import TargetServiceStub
from c1m.wire.grpc_options import CHANNEL_OPTIONS, HANDSHAKE_MS, LONGEST_MESSAGE_BYTES

WORKER, TARGET = "127.0.0.1:24610", "127.0.0.1:24620"
NODES = ("--worker", WORKER, "--target", TARGET)
CONTROL_PORTS = [24_610, 24_620]
DATA_PORT = 24_600
HALF_OPEN = 3000
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(200))
HTTP_1 = b"GET / HTTP/1.1\r\nHost: c1m\r\n\r\n"
NOISE = {
    "garbage": bytes(range(256)) * 40,
    "a TLS hello": CLIENT_HELLO,
    "HTTP/1.1": HTTP_1,
    "the first half of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\x06\x04",
    "HTTP/2 and a frame of 16 MB": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff\xff\xff\0\0\0\0\0\1",
    "a million bytes without an end": b"x" * 1_000_000,
}


@pytest.fixture(scope="module")
def nodes() -> Iterator[int]:
    """The pid of the target's control process."""
    where = ("--bind", "127.0.0.1", "--ports", f"{DATA_PORT}-{DATA_PORT + 3}")
    with node("worker", "--listen", WORKER), node("target", "--listen", TARGET, *where) as target:
        yield target.pid


@contextmanager
def target_stub(*options: tuple[str, int]) -> Iterator[TargetServiceStub]:
    with grpc.insecure_channel(TARGET, options=[*CHANNEL_OPTIONS, *options]) as channel:
        yield TargetServiceStub(channel)


def assert_runs(total: int, *words: str) -> None:
    ended = run_coord(*NODES, "--total", str(total), "--hold", "0s", "--json", "-", *words)
    summary = json.loads(ended.stdout)
    assert (summary["verdict"], summary["target"]["accepted"]) == ("passed", total), summary["reasons"]


@pytest.mark.parametrize("what", NOISE)
def test_noise_on_a_control_port_ends_that_connection_and_nothing_else(what: str, nodes: int) -> None:
    for port in CONTROL_PORTS:
        with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as stranger:
            try:
                stranger.sendall(NOISE[what])
                while stranger.recv(65_536):
                    pass
            except ConnectionError:
                pass  # a RST is an end, too
    with target_stub() as stub:
        assert not stub.Describe(target_pb2.TargetServiceDescribeRequest(), timeout=30).busy_with


def test_a_run_works_beside_thousands_who_connected_and_say_nothing_and_those_are_sent_away(nodes: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with ExitStack() as flood:
            silent = [flood.enter_context(closing(socket.socket())) for _ in range(HALF_OPEN)]
            for index, stranger in enumerate(silent):
                stranger.connect(("127.0.0.1", CONTROL_PORTS[index % 2]))

            assert_runs(1000)

            assert left_open(silent, 10 * HANDSHAKE_MS / 1000) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def left_open(silent: list[socket.socket], seconds: float) -> int:
    """How many the other side has not closed within the time."""
    with closing(select.epoll()) as epoll:
        open_ones = {stranger.fileno(): stranger for stranger in silent}
        for descriptor in open_ones:
            epoll.register(descriptor, select.EPOLLIN | select.EPOLLRDHUP)
        deadline = time.monotonic() + seconds
        while open_ones and time.monotonic() < deadline:
            for descriptor, _ in epoll.poll(1.0):
                if ended(open_ones[descriptor]):
                    epoll.unregister(descriptor)
                    del open_ones[descriptor]
        return len(open_ones)


def ended(stranger: socket.socket) -> bool:
    try:
        return not stranger.recv(65_536)  # a server says its settings first
    except ConnectionError:
        return True


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as refusal:
        call()
    assert isinstance(refusal.value, grpc.Call)
    return refusal.value.code(), refusal.value.details() or ""


def test_a_message_that_is_too_large_is_refused_before_it_is_read(nodes: int) -> None:
    request = target_pb2.TargetServiceStopRequest(run_id="x" * (LONGEST_MESSAGE_BYTES + 1))
    with target_stub(("grpc.max_send_message_length", -1)) as stub:
        code, _ = refused(lambda: stub.Stop(request, timeout=60))

        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        stub.Describe(target_pb2.TargetServiceDescribeRequest(), timeout=30)


@pytest.mark.parametrize(
    ("request_", "code", "named"),
    [
        ({"acceptors": 10**9}, "FAILED_PRECONDITION", "cannot start 1,000,000,000 processes"),
        ({"acceptors": 0}, "FAILED_PRECONDITION", "cannot start 0 processes"),
        ({"lease_seconds": float("nan")}, "INVALID_ARGUMENT", "a lease in seconds of nan"),
        ({"lease_seconds": float("inf")}, "INVALID_ARGUMENT", "a lease in seconds of inf"),
        ({"run_id": ""}, "INVALID_ARGUMENT", "'' is no run id"),
        ({"run_id": "a\nb"}, "INVALID_ARGUMENT", r"'a\nb' is no run id"),
        ({"run_id": "x" * 1000}, "INVALID_ARGUMENT", "is no run id; send 1 to 100 characters"),
        ({"close": 99}, "INVALID_ARGUMENT", "99 is not a value of Close"),
        ({"push_rate": 1e308}, "INVALID_ARGUMENT", "pushes a second"),
    ],
)
def test_what_no_target_can_do_is_a_sentence_and_leaves_it_free(
    request_: dict[str, object], code: str, named: str, nodes: int
) -> None:
    asked: dict[str, Any] = {"run_id": "r", "acceptors": 1, "lease_seconds": 15.0, **request_}
    with target_stub() as stub:
        refusal, sentence = refused(lambda: stub.Prepare(target_pb2.TargetServicePrepareRequest(**asked), timeout=60))

        assert (refusal.name, named in sentence) == (code, True), sentence
        assert not stub.Describe(target_pb2.TargetServiceDescribeRequest(), timeout=30).busy_with


def test_watchers_have_seats_and_whoever_finds_none_is_told_while_others_are_served(nodes: int) -> None:
    run: dict[str, Any] = {"run_id": "watched"}
    with target_stub() as stub:
        stub.Prepare(target_pb2.TargetServicePrepareRequest(**run, acceptors=1, lease_seconds=600), timeout=60)
        streams = [stub.Watch(target_pb2.TargetServiceWatchRequest(**run), timeout=100) for _ in range(MOST_WATCHERS)]
        for stream in streams:
            assert next(stream).sample.processes == 1

        code, sentence = refused(lambda: next(stub.Watch(target_pb2.TargetServiceWatchRequest(**run), timeout=60)))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert sentence.startswith(f"{MOST_WATCHERS} watchers are connected")

        answers = [stub.Describe.future(target_pb2.TargetServiceDescribeRequest(), timeout=60) for _ in range(100)]
        codes = [answer.code() for answer in answers]
        assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert codes.count(grpc.StatusCode.OK) >= MOST_CALLS - MOST_WATCHERS

        streams.pop().cancel()
        stub.Stop(target_pb2.TargetServiceStopRequest(**run), timeout=60)
        for stream in streams:
            assert [answer.sample.phase for answer in stream][-1] == 5  # CLOSED, and the seats are free again
        assert not stub.Describe(target_pb2.TargetServiceDescribeRequest(), timeout=30).busy_with


def rss_of(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def ask_twice() -> list[int]:
    """Bytes that came back for each of two challenges on one connection; an honest worker sends one, and leaves."""
    with closing(socket.create_connection(("127.0.0.1", DATA_PORT), timeout=30)) as asking:
        heard = []
        for _ in range(2):
            asking.sendall(challenge(bytes(16)))
            try:
                heard.append(len(asking.recv(ANSWER_BYTES, socket.MSG_WAITALL)))
            except ConnectionError:
                heard.append(0)
        return heard


def test_who_sends_for_ever_and_never_reads_costs_an_acceptor_no_memory_and_the_run_is_exact(
    nodes: int, tmp_path: Path
) -> None:
    told = tmp_path / "summary.json"
    with ExitStack() as strangers, holding_at(NODES, "--total", "300", "--hold", "8s", "--json", str(told)):
        acceptors = [pid for pid, name in children_of(nodes).items() if name.startswith("c1m-acceptor")]
        before = sum(map(rss_of, acceptors))
        greedy = [strangers.enter_context(closing(socket.create_connection(("127.0.0.1", DATA_PORT)))) for _ in range(10)]
        for each in greedy:
            each.setblocking(False)
        sent = 0
        for noise in (*NOISE.values(), *[b"y" * 1_000_000] * 50):
            for each in greedy:
                try:
                    sent += each.send(noise)
                except BlockingIOError:
                    pass  # nobody reads what comes back, so nobody takes more
        grown = sum(map(rss_of, acceptors)) - before
        assert ask_twice() == [ANSWER_BYTES, 0]

    summary = json.loads(told.read_text())
    assert sent > 10 * 1_000_000  # and they would have sent 500 MB
    assert grown < 5_000_000  # 16 KiB each is what an acceptor keeps
    assert summary["established_at_hold_end"] == summary["reconciliation"]["client_established"] == 300
    assert (summary["reconciliation"]["ghosts"], summary["reconciliation"]["unexplained"]) == (0, 0)
    assert (summary["reconciliation"]["not_ours"], summary["verdict"]) == (10, "passed")
    assert summary["target"]["accepted"] == 310  # who asked for a proof is not among them, however often
