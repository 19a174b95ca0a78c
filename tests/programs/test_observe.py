"""Beside a server that is not c1m's: nginx is observed while it is loaded, and a server that hangs up is quoted."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nginx import NGINX, PORT, nginx
from programs import node, run_coord

from c1m.kernel.host import network_namespace

CONTROL = "127.0.0.1:23209"
SORRY = b"-DENIED come back later\r\n"


@pytest.mark.alone
@pytest.mark.skipif(os.geteuid() != 0 or not NGINX.exists(), reason="needs root and Debian's nginx-light")
def test_an_observed_server_is_counted_by_its_kernel_and_billed(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    words = ("--total", "7000", "--endpoint", f"127.0.0.1:{PORT}", "--target", CONTROL, "--hold", "3s", "--json", str(told))
    with nginx(tmp_path), node("target", "observe", "--port", str(PORT), "--listen", CONTROL):
        ended = run_coord(*words)

    summary = json.loads(told.read_text())
    counted, target = summary["reconciliation"], summary["target"]
    assert (ended.returncode, summary["verdict"]) == (0, "passed"), ended.stdout
    assert (target["accepted"], counted["target_open"]) == (None, None)  # only nginx could say
    assert counted["client_established"] == counted["kernel_established"] == 7000
    assert counted["at_ramp_end"]["kernel_established"] == 7000
    assert target["memory"]["user_bytes_per_connection"] > 100
    assert 3000 < target["memory"]["slab_bytes_per_socket"] < 6000
    (name,) = (name for name in summary["timeline"]["nodes"] if name.startswith("target"))
    assert any(summary["timeline"]["nodes"][name]["cpu_percent"])  # nginx's, which has no processes of ours
    # Caches that sockets alone are in: others' files come and go in those of files and names.
    assert {"TCP", "sock_inode_cache"} <= {cache["name"] for cache in target["memory"]["caches"]}


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
def test_a_server_in_another_network_namespace_cannot_be_observed_from_here() -> None:
    with subprocess.Popen(["unshare", "--net", "sleep", "60"]) as server:
        try:
            while network_namespace(server.pid) == network_namespace("self"):
                assert server.poll() is None
            with node("target", "observe", "--port", "9", "--pid", str(server.pid), "--listen", CONTROL):
                ended = run_coord("--total", "10", "--target", CONTROL, "--endpoint", "127.0.0.1:9")
        finally:
            server.kill()

    assert ended.returncode == 3
    assert f"nsenter --net --target {server.pid} c1m-target observe" in " ".join(ended.stdout.split())


SERVER = """
import signal, socket, sys, time
count, seconds = int(sys.argv[1]), float(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
print(listener.getsockname()[1], flush=True)
accepted = []
while len(accepted) < count:
    accepted.append(listener.accept())
    time.sleep(seconds)
signal.pause()
"""


@contextmanager
def accepts(count: int, seconds: float) -> Iterator[tuple[int, int]]:
    """The process and the port of a server that accepts so many connections, one in so many seconds, and then no more."""
    command = [sys.executable, "-c", SERVER, str(count), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.pid, int(server.stdout.readline())
        finally:
            server.kill()


def judged(count: int, seconds: float, total: int, told: Path) -> tuple[int, dict[str, Any]]:
    """The exit code and the summary of a run against such a server, which is observed."""
    with (
        accepts(count, seconds) as (pid, port),
        node("target", "observe", "--port", str(port), "--pid", str(pid), "--listen", CONTROL),
    ):
        words = ("--total", str(total), "--hold", "1s", "--json", str(told))
        ended = run_coord(*words, "--endpoint", f"127.0.0.1:{port}", "--target", CONTROL)
    return ended.returncode, json.loads(told.read_text())


def test_a_server_that_accepts_two_and_no_more_fails_the_run(tmp_path: Path) -> None:
    code, summary = judged(2, 0.0, 300, tmp_path / "summary.json")

    assert (code, summary["verdict"], summary["established_at_hold_end"]) == (1, "failed", 300)
    assert summary["reconciliation"]["awaiting_accept"] == 298
    assert summary["reasons"][0] == "the server accepted 2 of 300 connections that clients hold; 298 wait in its accept queues"


def test_a_server_that_accepts_slowly_is_waited_for(tmp_path: Path) -> None:
    code, summary = judged(300, 0.015, 300, tmp_path / "summary.json")  # 4.5 s or more, and the hold is shorter

    assert (code, summary["verdict"]) == (0, "passed"), summary["reasons"]
    assert summary["reconciliation"]["in_accept_queues"] == 0


@contextmanager
def hangs_up() -> Iterator[int]:
    """A server that accepts everybody, says why it will not serve them, and closes."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1000)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.sendall(SORRY)
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_server_that_accepts_and_hangs_up_is_quoted(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    with hangs_up() as port:
        ended = run_coord("--total", "200", "--endpoint", f"127.0.0.1:{port}", "--hold", "1s", "--json", str(told))

    summary = json.loads(told.read_text())
    assert (ended.returncode, summary["verdict"]) == (1, "failed")
    assert summary["dropped"] == {"peer_closed": 200}
    assert any("the server said: -DENIED come back later" in reason for reason in summary["reasons"]), summary["reasons"]


@pytest.mark.parametrize(
    ("observed", "words", "told"),
    [
        (("observe", "--port", "9"), ("--endpoint", "127.0.0.1:9"), "nothing listens on port 9 here"),
        (("observe", "--port", "9"), (), "only observes a server on port 9"),
        ((), ("--endpoint", "127.0.0.1:9"), "serves connections of its own"),
        (("observe", "--port", "9", "--pid", "4194304"), ("--endpoint", "127.0.0.1:9"), "there is no process 4194304"),
    ],
)
def test_what_cannot_be_observed_is_a_sentence(observed: tuple[str, ...], words: tuple[str, ...], told: str) -> None:
    with node("target", *observed, "--listen", CONTROL):
        ended = run_coord("--total", "10", "--target", CONTROL, *words)

    assert ended.returncode in (2, 3)
    assert told in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
