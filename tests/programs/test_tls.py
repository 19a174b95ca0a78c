"""Who may command: what nodes and coordinators say to each other's certificates, over real gRPC."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from programs import eventually, holding_at, node, run_coord

from c1m.coordinator.fleet.unreachable import cause
from c1m.net.endpoints import HostPort
from c1m.security.authority import Authority, found_authority, make_private, replace
from c1m.security.certificates import Pair, issue, make_authority
from c1m.security.grpc_credentials import channel_credentials
from c1m.security.handshake_log import sentence_of
from c1m.security.identity import Identity, checked_identity, read_identity
from c1m.security.roles import IDENTITY_FILE, Bearer, Role
from c1m.v1 import target_pb2, worker_pb2
from c1m.v1.target_pb2_grpc import TargetServiceStub
from c1m.wire.grpc_options import CHANNEL_OPTIONS

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
WORKER, TARGET = HostPort("127.0.0.1", 24_310), HostPort("127.0.0.1", 24_311)


@dataclass
class World:
    """Two nodes with TLS, and the certificates of those who call them."""

    directory: Path
    authority: Authority
    logs: dict[str, Path]

    def identity(self, name: str) -> Identity:
        return read_identity(self.directory / name)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    here = tmp_path_factory.mktemp("pki")
    authority = found_authority(here / "ours", NOW, 3650)
    rogue = found_authority(here / "theirs", NOW, 3650)
    authority.issue(Bearer(Role.NODE, "a"), ["127.0.0.1"], NOW, 365)
    authority.issue(Bearer(Role.OPERATOR, "alice"), [], NOW, 365)
    authority.issue(Bearer(Role.OPERATOR, "late"), [], NOW - 400 * DAY, 365)
    authority.issue(Bearer(Role.OPERATOR, "early"), [], NOW + 2 * DAY, 365)
    rogue.issue(Bearer(Role.OPERATOR, "rogue"), [], NOW, 365)
    (here / "ours" / "rogue").mkdir(0o700)
    foreign = rogue.directory / "rogue"
    replace(here / "ours" / "rogue" / IDENTITY_FILE, (foreign / IDENTITY_FILE).read_bytes(), 0o600)
    replace(here / "ours" / "rogue" / "ca.crt", (here / "ours" / "ca.crt").read_bytes(), 0o644)
    logs = {name: here / f"{name}.log" for name in ("worker", "target")}
    tls = ("--tls", str(here / "ours" / "a"))
    with (
        open(logs["worker"], "w") as worker_log,
        open(logs["target"], "w") as target_log,
        node("worker", "--listen", str(WORKER), *tls, stderr=worker_log),
        node("target", "--bind", "127.0.0.1", "--ports", "24300-24309", "--listen", str(TARGET), *tls, stderr=target_log),
    ):
        yield World(here / "ours", authority, logs)


def commands() -> list[tuple[str, str, bool]]:
    """(program, full name, whether it answers with a stream) of every RPC that there is, and that there will be."""
    files = {"worker": worker_pb2, "target": target_pb2}
    return [
        (program, f"/{service.full_name}/{method.name}", method.server_streaming)
        for program, file in files.items()
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]


COMMANDS = commands()
# (who calls, what gRPC answers, what our coordinator makes of it, what the node's log says)
REFUSED = [
    ("nobody", grpc.StatusCode.UNAVAILABLE, "wants TLS, and was called without", "it called without TLS"),
    ("no certificate", grpc.StatusCode.UNAVAILABLE, "", "it sent no certificate"),
    ("rogue", grpc.StatusCode.UNAVAILABLE, "does not take the certificate of operator rogue", "that this node does not trust"),
    ("late", grpc.StatusCode.UNAVAILABLE, "does not take the certificate of operator late", "has expired"),
    ("early", grpc.StatusCode.UNAVAILABLE, "does not take the certificate of operator early", "is not valid yet"),
    ("a", grpc.StatusCode.PERMISSION_DENIED, "", "node a is not an operator"),
]


@contextmanager
def channel(world: World, who: str, address: HostPort) -> Iterator[grpc.Channel]:
    if who == "nobody":
        opened = grpc.insecure_channel(str(address), options=CHANNEL_OPTIONS)
    elif who == "no certificate":
        opened = grpc.secure_channel(
            str(address), grpc.ssl_channel_credentials(world.identity("alice").authority), options=CHANNEL_OPTIONS
        )
    else:
        opened = grpc.secure_channel(str(address), channel_credentials(world.identity(who)), options=CHANNEL_OPTIONS)
    with opened:
        yield opened


def call(opened: grpc.Channel, command: str, *, streams: bool) -> grpc.StatusCode:
    """How it ends, with a request in which nothing is said."""
    try:
        if streams:
            list(opened.unary_stream(command, bytes)(b"", timeout=30))
        else:
            opened.unary_unary(command, bytes)(b"", timeout=30)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK


@pytest.mark.parametrize(("program", "command", "streams"), COMMANDS, ids=[name for _, name, _ in COMMANDS])
def test_every_command_is_refused_to_whoever_is_no_operator(world: World, program: str, command: str, streams: bool) -> None:
    address = WORKER if program == "worker" else TARGET
    for who, code, _, _ in REFUSED:
        with channel(world, who, address) as opened:
            assert call(opened, command, streams=streams) is code, who
    with channel(world, "alice", address) as opened:  # the test could not fail otherwise
        assert call(opened, command, streams=streams) not in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.PERMISSION_DENIED,
            grpc.StatusCode.UNIMPLEMENTED,
        )


def says(log: Path, sentence: str) -> bool:
    """Whether a node does after a while: it hears of handshakes from another thread."""
    return eventually(lambda: sentence in log.read_text())


@pytest.mark.parametrize("who", [who for who, *_ in REFUSED])
def test_both_sides_say_why(world: World, who: str) -> None:
    _, _, said, logged = next(row for row in REFUSED if row[0] == who)
    if said:
        identity = None if who == "nobody" else world.identity(who)
        assert said in cause(WORKER, identity)
    with channel(world, who, WORKER) as opened:
        call(opened, COMMANDS[0][1], streams=False)

    assert says(world.logs["worker"], logged)


def test_the_cause_of_what_the_node_shows(world: World, tmp_path: Path) -> None:
    alice = world.identity("alice")

    assert cause(WORKER, alice) == ""
    assert "does not name localhost" in cause(HostPort("localhost", WORKER.port), alice)
    theirs = world.directory.parent / "theirs" / "rogue"
    assert "of an authority that --tls here does not trust" in cause(WORKER, read_identity(theirs))
    assert cause(HostPort("127.0.0.1", 1), alice) == ""  # nobody is there: no matter of TLS
    assert says(world.logs["worker"], "a peer called this node localhost, a name that is not in its certificate")
    assert says(world.logs["worker"], "refused a peer: it rejected this node's certificate")
    with node("worker", "--listen", "127.0.0.1:24320"):
        assert "speaks without" in cause(HostPort("127.0.0.1", 24_320), alice)
        assert cause(HostPort("127.0.0.1", 24_320), None) == ""


@pytest.mark.parametrize(
    ("begins", "said"),
    [(-400 * DAY, "shows a certificate that has expired; renew it"), (2 * DAY, "is not valid yet; set the clocks")],
)
def test_the_cause_of_a_node_that_has_outlived_its_certificate_or_is_early(world: World, begins: timedelta, said: str) -> None:
    """No node of ours starts with one, but it may run for longer than that."""
    own = issue(world.authority.pair, Bearer(Role.NODE, "b"), ["127.0.0.1"], NOW + begins, 365).pem
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(own, own)]))
    server.start()
    try:
        assert said in cause(HostPort("127.0.0.1", port), world.identity("alice"))
    finally:
        server.stop(None).wait()


def test_a_run_outlives_the_certificates_that_it_began_with(tmp_path: Path) -> None:
    """Those are looked at when a channel is opened: what comes to be of them later, another authority even, ends no run."""
    first, second = (found_authority(tmp_path / name, NOW, 100) for name in ("first", "second"))
    for authority in (first, second):
        authority.issue(Bearer(Role.NODE, "a"), ["127.0.0.1"], NOW, 90)
        authority.issue(Bearer(Role.OPERATOR, "alice"), [], NOW, 90)
    tls, worker, target = ("--tls", str(tmp_path / "first" / "a")), HostPort("127.0.0.1", 24_330), HostPort("127.0.0.1", 24_331)
    told = tmp_path / "summary.json"
    before, after = (read_identity(tmp_path / name / "alice") for name in ("first", "second"))
    words = ("--total", "100", "--hold", "5s", "--tls", str(tmp_path / "first" / "alice"), "--json", str(told))
    with (
        node("worker", "--listen", str(worker), *tls),
        node("target", "--bind", "127.0.0.1", "--ports", "24332-24339", "--listen", str(target), *tls),
        holding_at(("--worker", str(worker), "--target", str(target)), *words),
    ):
        for name, mode in (("ca.crt", 0o644), (IDENTITY_FILE, 0o600)):
            replace(tmp_path / "first" / "a" / name, (tmp_path / "second" / "a" / name).read_bytes(), mode)
        assert busy_with(target, before) is None
        assert "of alice since" in (busy_with(target, after) or "")

    summary = json.loads(told.read_text())
    assert (summary["verdict"], summary["established_at_hold_end"]) == ("passed", 100), summary["reasons"]


def test_a_run_whose_certificates_are_renewed_goes_on_with_the_new_ones(tmp_path: Path) -> None:
    """Of another authority even. Whose stream breaks is called anew, with what is in the operator's directory by then."""
    for name in ("old", "new"):
        authority = found_authority(tmp_path / name, NOW, 100)
        authority.issue(Bearer(Role.NODE, "a"), ["127.0.0.1"], NOW, 90)
        authority.issue(Bearer(Role.OPERATOR, "alice"), [], NOW, 90)
    tls, worker, target = ("--tls", str(tmp_path / "old" / "a")), HostPort("127.0.0.1", 24_340), HostPort("127.0.0.1", 24_341)
    told = tmp_path / "summary.json"
    words = ("--total", "100", "--hold", "8s", "--tls", str(tmp_path / "old" / "alice"), "--json", str(told))
    with (
        node("worker", "--listen", str(worker), *tls) as stopped,
        node("target", "--bind", "127.0.0.1", "--ports", "24342-24349", "--listen", str(target), *tls),
        holding_at(("--worker", str(worker), "--target", str(target)), *words),
    ):
        for who in ("a", "alice"):
            for name, mode in (("ca.crt", 0o644), (IDENTITY_FILE, 0o600)):
                replace(tmp_path / "old" / who / name, (tmp_path / "new" / who / name).read_bytes(), mode)
        before = connections_to(worker)
        stopped.send_signal(signal.SIGSTOP)
        try:
            assert eventually(lambda: bool(connections_to(worker) - before))  # what there was is given up
        finally:
            stopped.send_signal(signal.SIGCONT)

    summary = json.loads(told.read_text())
    assert (summary["verdict"], summary["losses"]) == ("passed", []), summary["reasons"]


def connections_to(address: HostPort) -> set[str]:
    """By the ports of whoever calls."""
    told = subprocess.check_output(["ss", "-Htan", "dst", str(address)], text=True, timeout=20)
    return {line.split()[3] for line in told.splitlines()}


def busy_with(address: HostPort, identity: Identity) -> str | None:
    """What a target says of itself; None: it does not speak with whoever has this certificate."""
    with grpc.secure_channel(str(address), channel_credentials(identity), options=CHANNEL_OPTIONS) as opened:
        try:
            return TargetServiceStub(opened).Describe(target_pb2.TargetServiceDescribeRequest(), timeout=30).busy_with
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            return None


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("Traceback (most recent call last):", None),
        ("F1124 19:21:08.5 24780 server_chttp2.cc:1] the core aborts", None),
        ("I1124 19:21:08.5 24780 log.cc:102] Log level INFO is not suitable for production.", ""),
        (
            "I1124 1 1 ssl.cc:1] Handshake failed with error SSL_ERROR_SSL: error:1:SSL: NEW_REASON: x",
            "refused a peer: the TLS ",
        ),
    ],
)
def test_lines_of_the_core(line: str, sentence: str | None) -> None:
    found = sentence_of(line)

    assert found == sentence if not sentence else (found or "").startswith(sentence)


def test_a_log_has_no_words_of_the_core_of_its_own(world: World) -> None:
    for log in world.logs.values():
        assert [line for line in log.read_text().splitlines() if "log.cc" in line] == []


def test_a_run_with_certificates_that_are_renewed_between_two(world: World, tmp_path: Path) -> None:
    config = tmp_path / "c1m.toml"
    config.write_text(
        f'worker = "{WORKER}"\ntarget = "{TARGET}"\ntls = "{world.directory / "alice"}"\ntotal = 400\nhold = "0s"\n'
    )
    first = run_coord("--json", "-", "--config", str(config))
    world.authority.renew("a", datetime.now(UTC), 20)
    world.authority.renew("alice", datetime.now(UTC), 20)
    second = run_coord("--json", "-", "--config", str(config))

    for ended in (first, second):
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout)["reconciliation"]["target_open"] == 400
    assert "warning" not in first.stderr
    assert "warning: the certificate of operator alice expires in 19 days" in second.stderr
    log = world.logs["worker"].read_text()
    run = json.loads(second.stdout)["run_id"]
    assert "c1m-worker: uses the new certificate of node a" in log
    assert "the certificate of node a expires in 19 days" in log
    for command in ("Prepare", "Start", "Watch", "Stop"):
        assert log.count(f"{command} of run {run} by operator alice at 127.0.0.1:") == 1
    checked_identity(world.directory / "alice")


def test_a_busy_node_says_whose_run_it_is_on(world: World) -> None:
    words = ("--worker", str(WORKER), "--target", str(TARGET), "--tls", str(world.directory / "alice"), "--total", "10")
    with channel(world, "alice", TARGET) as opened:
        prepare = target_pb2.TargetServicePrepareRequest(run_id="other", acceptors=1, lease_seconds=30)
        opened.unary_unary("/c1m.v1.TargetService/Prepare", target_pb2.TargetServicePrepareRequest.SerializeToString)(prepare)
        ended = run_coord(*words)
        stop = target_pb2.TargetServiceStopRequest(run_id="other")
        opened.unary_unary("/c1m.v1.TargetService/Stop", target_pb2.TargetServiceStopRequest.SerializeToString)(stop)

    assert ended.returncode == 3
    assert "is busy with run other of alice since" in ended.stderr + ended.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tls", "missing"), "cannot read missing/ca.crt"),
        (("--tls", ".", "--insecure"), "give one of them"),
    ],
)
def test_nodes_do_not_start_without_what_they_need(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    for program in ("worker", "target"):
        ended = subprocess.run(
            [sys.executable, "-m", f"c1m.{program}", *words], capture_output=True, text=True, timeout=60, cwd=tmp_path
        )
        assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
        assert said in ended.stderr


def test_an_expired_certificate_starts_no_node_and_no_run(tmp_path: Path) -> None:
    authority = make_authority(NOW - 400 * DAY)
    made = tmp_path / "late"
    make_private(made)
    expired: Pair = issue(authority, Bearer(Role.OPERATOR, "late"), [], NOW - 400 * DAY, 100)
    replace(made / "ca.crt", authority.certificate_pem, 0o644)
    replace(made / IDENTITY_FILE, expired.pem, 0o600)

    ended = run_coord("--total", "10", "--worker", str(WORKER), "--target", str(TARGET), "--tls", str(made))

    assert ended.returncode == 2
    assert "the certificate of operator late expired on" in ended.stderr
