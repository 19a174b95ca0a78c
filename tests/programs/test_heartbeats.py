"""Connections that prove to be alive: against c1m-target, and servers that stop, corrupt, hang up or speak in their own way."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from programs import children_of, coordinator, eventually, node, summary_of, until_it_says

WORKER, TARGET = "127.0.0.1:24410", "127.0.0.1:24420"
NODES = ("--worker", WORKER, "--target", TARGET)
COUNTS = ("sent", "answered", "missing", "cut_off", "under_way")


def assert_every_beat_is_accounted_for(beats: dict[str, int]) -> None:
    assert beats["sent"] == sum(beats[name] for name in COUNTS[1:])
    assert beats["late"] <= beats["answered"]
    assert beats["recovered"] <= beats["missing"]


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server with a thread for each connection; its HOST:PORT."""

    def accept() -> None:
        with suppress(OSError):  # the test is over
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def server(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """One with an answer of its own to whatever comes."""

    def serve(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):  # the client is gone
            while (data := connection.recv(65536)) and (told := answer(data)):
                connection.sendall(told)

    with serving(serve) as endpoint:
        yield endpoint


def beating(endpoint: str, *words: str) -> dict[str, Any]:
    """A summary of some connections that beat every other second for more than one interval."""
    return summary_of("--total", "50", "--endpoint", endpoint, "--heartbeat", "2s", "--hold", "3s", *words)


@pytest.mark.parametrize("payload", ["16", "64", "40k"])  # the longest one takes several reads
def test_every_heartbeat_is_answered_and_both_sides_agree_on_every_byte(payload: str) -> None:
    summary = summary_of("--total", "400", "--heartbeat", "2s", "--payload", payload, "--hold", "5s")

    beats, target = summary["heartbeats"], summary["target"]
    assert summary["verdict"] == "passed", summary["reasons"]
    assert beats["sent"] == beats["answered"] > 400
    assert [beats[name] for name in ("missing", "wrong", "cut_off", "unasked_bytes", "under_way")] == [0] * 5
    assert summary["heartbeat_rtt_us"]["count"] == beats["answered"]
    assert summary["first_byte_us"]["count"] == 400
    assert summary["bytes_sent"] == target["bytes_received"] == target["bytes_sent"] == summary["bytes_received"]


def test_a_server_that_is_stopped_answers_nothing_and_everything_is_said_of_it(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    words = (*NODES, "--total", "100", "--heartbeat", "1s", "--hold", "5s", "--json", str(told))
    with node("worker", "--listen", WORKER), node("target", "--listen", TARGET) as target, coordinator(*words) as coord:
        assert coord.stderr is not None
        until_it_says(coord, "holding")
        acceptors = [pid for pid, name in children_of(target.pid).items() if name.startswith("c1m-acceptor")]
        for acceptor in acceptors:
            os.kill(acceptor, signal.SIGSTOP)
        try:
            assert any(line.startswith(("comparing", "closing")) for line in coord.stderr)
        finally:
            for acceptor in acceptors:
                os.kill(acceptor, signal.SIGCONT)
        coord.stderr.read()
        coord.wait(60)

    summary = json.loads(told.read_text())
    assert_every_beat_is_accounted_for(summary["heartbeats"])
    assert summary["heartbeats"]["missing"] == 100  # one each: nothing is sent after one that is not answered
    assert (summary["verdict"], summary["exit_code"]) == ("failed", 1)
    assert any("heartbeats were not answered" in reason for reason in summary["reasons"])


def corrupted(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def test_an_echo_with_one_wrong_bit_is_found() -> None:
    with server(corrupted) as endpoint:
        summary = beating(endpoint)

    beats = summary["heartbeats"]
    assert_every_beat_is_accounted_for(beats)
    assert beats["wrong"] == beats["answered"] > 0
    assert summary["heartbeat_rtt_us"]["count"] == 0
    assert any("an unexpected answer" in reason for reason in summary["reasons"])


def test_an_echo_that_comes_twice_is_found() -> None:
    with server(lambda data: data + data) as endpoint:
        beats = beating(endpoint)["heartbeats"]

    assert beats["unasked_bytes"] > 0


def test_a_request_of_ones_own_and_how_its_answer_begins() -> None:
    with server(lambda data: b"+PONG\r\n" if data == b"PING\r\n" else b"-ERR\r\n") as endpoint:
        right = beating(endpoint, "--send", r"PING\r\n", "--expect", "+PONG")
        wrong = beating(endpoint, "--send-hex", b"PONG\r\n".hex(), "--expect", "+PONG")

    assert right["verdict"] == "passed", right["reasons"]
    assert right["heartbeats"]["answered"] == right["heartbeat_rtt_us"]["count"] > 0
    assert wrong["heartbeats"]["wrong"] == wrong["heartbeats"]["answered"] > 0


@pytest.mark.parametrize("expect", [("--expect", "250"), ()], ids=["prefix", "any"])
def test_a_greeting_is_no_answer(expect: tuple[str, ...]) -> None:
    answers: list[float] = []

    def serve(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            # As slow as a mail server that looks up the client's name
            time.sleep(0.4)
            connection.sendall(b"220 mail.example ESMTP\r\n")
            while connection.recv(65536):
                time.sleep(0.05)
                connection.sendall(b"250 OK\r\n")
                answers.append(time.monotonic())

    with serving(serve) as endpoint:
        found = beating(endpoint, "--send", r"NOOP\r\n", *expect)

    assert found["verdict"] == "passed", found["reasons"]
    assert found["heartbeats"]["wrong"] == found["heartbeats"]["missing"] == 0
    assert found["heartbeats"]["answered"] == len(answers) > 0
    assert found["heartbeat_rtt_us"]["min"] >= 50_000
    assert found["workers"][0]["server_said_first"].startswith("220 ")


def test_who_expects_nothing_waits_for_nothing() -> None:
    with server(lambda _: b"whatever") as endpoint:
        beats = beating(endpoint, "--expect", "none")["heartbeats"]

    assert beats["sent"] >= 50
    assert beats["answered"] is None


def test_how_old_connections_were_that_a_server_hung_up() -> None:
    with server(lambda _: b"") as endpoint:  # at the first heartbeat, within an interval
        summary = beating(endpoint, "--expect", "any")

    assert summary["dropped"] == {"peer_closed": 50}
    assert summary["alive_after_us"]["count"] == 50
    assert summary["alive_after_us"]["max"] > summary["alive_after_us"]["min"]  # each at a phase of its own
    assert_every_beat_is_accounted_for(summary["heartbeats"])
    assert summary["heartbeats"]["cut_off"] == 50


def test_how_long_a_server_puts_up_with_silence() -> None:
    """Found as a NAT's or a firewall's idle timeout would be: by the ages of those that were dropped."""

    def impatient(connection: socket.socket) -> None:
        connection.settimeout(0.4)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with closing(connection), suppress(TimeoutError):
            connection.recv(1)

    with serving(impatient) as endpoint:
        summary = summary_of("--total", "50", "--endpoint", endpoint, "--heartbeat", "60s", "--hold", "5s")

    assert summary["dropped"] == {"peer_reset": 50}
    assert 400_000 * 0.99 < summary["alive_after_us"]["min"] <= summary["alive_after_us"]["p50"] < 5_000_000


@pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")
def test_redis_answers_a_ping(tmp_path: Path) -> None:
    port = 24_440
    words = ["redis-server", "--port", str(port), "--dir", str(tmp_path), "--protected-mode", "no", "--save", ""]
    redis = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert redis.stdout is not None
        assert any("Ready to accept connections" in line for line in redis.stdout)
        summary = beating(f"127.0.0.1:{port}", "--send", r"PING\r\n", "--expect", "+PONG")
    finally:
        redis.terminate()
        redis.communicate()

    assert summary["verdict"] == "passed", summary["reasons"]
    assert summary["heartbeats"]["answered"] == summary["heartbeats"]["sent"] > 0


def timers(port: int) -> list[str]:
    """The keepalive timers of the connections to a port, as ss shows them."""
    words = ["ss", "-Htno", "state", "established", f"dport = :{port}"]
    return re.findall(r"timer:\(keepalive,([^,]+),", subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def test_keepalive_timers_are_spread_over_the_interval(tmp_path: Path) -> None:
    told, port = tmp_path / "summary.json", 24_430
    words = (*NODES, "--total", "100", "--keepalive", "2s", "--hold", "6s", "--json", str(told))
    target = ("--listen", TARGET, "--bind", "127.0.0.1", "--ports", f"{port}")
    with node("worker", "--listen", WORKER), node("target", *target), coordinator(*words) as coord:
        assert coord.stderr is not None
        until_it_says(coord, "holding")
        found = list[str]()

        def all_have_one() -> bool:
            found[:] = timers(port)  # while a probe is under way its socket has another timer
            return len(found) == 100

        assert eventually(all_have_one)
        coord.stderr.read()
        coord.wait(60)

    summary = json.loads(told.read_text())
    assert len(set(found)) > 10  # of 2 s, in steps of some milliseconds
    assert summary["verdict"] == "passed", summary["reasons"]
    assert summary["keepalive"]["probes_sent"] >= 100
    assert summary["keepalive"]["timed_out"] == 0


@pytest.mark.parametrize("close", ["rst", "fin"])
def test_what_a_target_pushes_arrives_to_the_last_byte(close: str) -> None:
    words = ("--total", "300", "--server-push", "4/s", "--heartbeat", "2s", "--hold", "4s", "--close", close)
    summary = summary_of(*words)

    pushes, target = summary["pushes"], summary["target"]
    assert summary["verdict"] == "passed", summary["reasons"]
    assert pushes["sent"] == pushes["received"] > 2 * 300
    assert (pushes["held_back"], pushes["wrong_bytes"]) == (0, 0)
    assert summary["heartbeats"]["answered"] == summary["heartbeats"]["sent"] > 0
    assert target["bytes_sent"] == summary["bytes_received"] == 64 * (pushes["received"] + summary["heartbeats"]["answered"])
