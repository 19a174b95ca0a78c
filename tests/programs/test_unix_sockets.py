"""Control over Unix sockets: how they are written, whose they are, what may be in their way, and a run over two of them."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hosts import HOST
from programs import node, run_coord

from c1m.coordinator.fleet.clients import TargetClient
from c1m.coordinator.fleet.descriptions import DescribedTarget
from c1m.coordinator.fleet.survey import data_host
from c1m.coordinator.fleet.unreachable import cause
from c1m.coordinator.spec.layers import make_spec
from c1m.errors import UsageError
from c1m.net.control_address import LONGEST_PATH, SocketPath, parse_control_address
from c1m.net.endpoints import HostPort
from c1m.net.ports import PortRanges
from c1m.node.serve import check_exposure
from c1m.security.socket_file import claimed

NOBODY = 65_534
FITS = "/" + "x" * (LONGEST_PATH - 1)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/c1m/worker.sock", SocketPath("/run/c1m/worker.sock")),
        ("unix:///run/c1m/worker.sock", SocketPath("/run/c1m/worker.sock")),
        (" unix:/a b%20,c ", SocketPath("/a b%20,c")),
        (f"unix:{FITS}", SocketPath(FITS)),
        ("unix:7100", None),
        ("unix:", None),
        ("unix:worker.sock", None),
        ("unix://host/worker.sock", SocketPath("//host/worker.sock")),
        ("unix:/run/c1m/", None),
        ("unix:/a\0b", None),
        ("unix:/a\nb", None),
        (f"unix:{FITS}x", None),
        ("unix:/" + "ä" * 54, None),  # bytes count
        ("10.0.0.1", HostPort("10.0.0.1", 7100)),
        ("[::1]:9", HostPort("::1", 9)),
    ],
)
def test_how_control_addresses_are_written(text: str, address: object) -> None:
    if address is None:
        with pytest.raises(ValueError, match="write unix:/run/c1m/worker.sock|shorten it"):
            parse_control_address(text, 7100)
        return
    parsed = parse_control_address(text, 7100)

    assert parsed == address
    assert parse_control_address(str(parsed), 7100) == parsed


def test_a_socket_for_grpc_has_its_percent_signs_escaped() -> None:
    assert SocketPath("/a b%20").uri == "unix:/a%20b%2520"


# -- what may be there


@contextmanager
def listening(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        yield


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may do everything."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as refused, claimed(str(path)):
        pass
    return str(refused.value)


def test_a_socket_is_its_owners_whatever_the_umask_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    path, before = tmp_path / "a.sock", os.umask(0)
    try:
        with listening(path):
            pass
        assert path.exists()  # and nobody listens there any more

        with claimed(str(path)), socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))

        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.umask(0) == 0
    finally:
        os.umask(before)


def test_a_socket_at_which_somebody_listens_is_left_to_them_however_busy(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with listening(path), socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        for caller in (one, other):
            assert "another program already does; end it" in refusal(path)
            caller.setblocking(False)
            caller.connect_ex(str(path))
        assert path.exists()


def test_what_else_is_in_the_way_is_one_sentence_with_a_cure(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    assert "the path exists and is not a socket; give another --listen" in refusal(file)
    assert file.exists()
    assert f"there is no directory {tmp_path}/none; make it" in refusal(tmp_path / "none" / "a.sock")
    assert f"there is no directory {file}; make it" in refusal(file / "a.sock")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_where_another_user_may_not_is_one_sentence_with_a_cure() -> None:
    with TemporaryDirectory() as name:  # pytest's own have parents that are root's alone
        here, theirs = Path(name), Path(name) / "theirs"
        here.chmod(0o755)
        theirs.mkdir(0o700)
        with listening(theirs / "a.sock"), listening(here / "a.sock"), as_nobody():
            for path in (theirs / "a.sock", here / "a.sock", here / "b.sock"):
                assert f"uid {NOBODY} may not create, call or remove a socket there" in refusal(path)
            assert "takes calls of the user who started it, and of root" in cause(SocketPath(str(theirs / "a.sock")), None)


RACE = """
import socket, sys
from c1m.errors import UsageError
from c1m.net.ports import PortRanges
from c1m.node.serve import check_exposure
from c1m.security.socket_file import claimed
path = sys.argv[1]
listener = socket.socket(socket.AF_UNIX)
sys.stdin.readline()
try:
    with claimed(path):
        listener.bind(path)
        listener.listen()
except UsageError as error:
    print("already" if "another program already does" in str(error) else error, flush=True)
else:
    print("listens", flush=True)
sys.stdin.readline()
"""


def test_of_several_that_start_at_once_one_listens(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with listening(path):
        pass  # a stale one, which each of them would take away
    racers = [
        subprocess.Popen([sys.executable, "-c", RACE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.stdout.readline().strip() for racer in racers if racer.stdout]
    for racer in racers:
        racer.communicate("leave\n", timeout=30)

    assert sorted(said) == ["already"] * 5 + ["listens"]


def test_what_a_coordinator_says_of_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"

    assert "is not started: there is no such socket" in cause(SocketPath(str(path)), None)
    with listening(path):
        assert cause(SocketPath(str(path)), None) == ""
    assert "has ended, and left its socket behind" in cause(SocketPath(str(path)), None)


def test_there_is_no_tls_on_a_socket(tmp_path: Path) -> None:
    check_exposure(SocketPath("/run/a.sock"), None, insecure=False)
    with pytest.raises(UsageError, match="leave --tls out"):
        check_exposure(SocketPath("/run/a.sock"), tmp_path, insecure=False)


def test_where_connections_go_has_to_be_said_when_the_control_address_does_not() -> None:
    async def asked(bind: str, **words: str) -> str:
        target = TargetClient(SocketPath("/run/c1m-target/control.sock"))
        described = DescribedTarget(HOST, bind, PortRanges(((9000, 9000),)), single_port=False, busy_with="")
        try:
            return (await data_host(make_spec([("flags", {"total": "1", **words})]), target, described)).address
        finally:
            await target.close()

    assert asyncio.run(asked("10.0.0.1")) == "10.0.0.1"
    assert asyncio.run(asked("0.0.0.0", data_host="10.0.0.2")) == "10.0.0.2"
    with pytest.raises(
        UsageError, match=r"\(0.0.0.0\), and a Unix socket .* with --data-host, or start the target with --bind"
    ):
        asyncio.run(asked("0.0.0.0"))


# -- with real programs


def test_a_node_that_cannot_listen_says_why_and_leaves() -> None:
    words = ("--listen", "unix:/nowhere/a.sock")
    ended = subprocess.run([sys.executable, "-m", "c1m.target", *words], capture_output=True, text=True, timeout=60)

    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1), ended.stderr
    assert "there is no directory /nowhere" in ended.stderr


def test_a_run_over_two_sockets(tmp_path: Path) -> None:
    worker, target, log = tmp_path / "w.sock", tmp_path / "t.sock", tmp_path / "target.log"
    nodes = ("--worker", f"unix:{worker}", "--target", f"unix:{target}")
    with listening(target):
        pass  # that of one that was killed
    with (
        open(log, "w") as told,
        node("worker", "--listen", f"unix:{worker}"),
        node("target", "--listen", f"unix:{target}", "--bind", "127.0.0.1", "--ports", "24940-24949", stderr=told),
    ):
        ended = run_coord(*nodes, "--total", "200", "--hold", "0s", "--json", "-")

    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert summary["target"]["accepted"] == 200
    assert [each["node"] for each in summary["workers"]] == [f"worker unix:{worker}"]
    assert f"Prepare of run {summary['run_id']} by a caller over the Unix socket" in log.read_text()
    assert not (worker.exists() or target.exists())
