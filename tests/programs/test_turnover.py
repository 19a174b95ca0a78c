"""Connections that come and go while a run goes on: real processes, the real kernel, and every count exact at the end."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from programs import all_gone, children_of, coordinator, node, summary_of, until_it_says

from c1m.kernel import sockdiag

# Ports and sources of this file's own, so that nothing else's sockets are counted or in the way.
WORKER, TARGET = "127.0.0.1:26310", "127.0.0.1:26320"
NODES = ("--worker", WORKER, "--target", TARGET)
# Nodes of one test alone, beside those that are there for all.
OWN_WORKER, OWN_TARGET = "127.0.0.1:26330", "127.0.0.1:26340"
OWN_NODES = ("--worker", OWN_WORKER, "--target", OWN_TARGET)
DATA_PORTS, OWN_DATA_PORTS = (26_300, 26_305), (26_350, 26_355)
SOURCES = ("--source", "127.0.12.1-127.0.12.8")
TIME_WAIT = 6


@contextmanager
def target(address: str, ports: tuple[int, int], inside: tuple[str, ...] = ()) -> Iterator[None]:
    where = ("--bind", "127.0.0.1", "--ports", f"{ports[0]}-{ports[1]}")
    with node("target", "--listen", address, *where, inside=inside):
        yield


@pytest.fixture(scope="module")
def nodes() -> Iterator[None]:
    with node("worker", "--listen", WORKER, *SOURCES), target(TARGET, DATA_PORTS):
        yield


def left_behind() -> dict[int, int]:
    """Sockets of the common data ports that the kernel has, by state, but for listeners."""
    states = {sockdiag.ESTABLISHED, sockdiag.CLOSE_WAIT, TIME_WAIT}
    return dict(sockdiag.count_by_state([DATA_PORTS], "remote", states, 4))


def assert_exact(summary: dict[str, Any], total: int) -> None:
    """Every seat is filled or away, every count is the same, and whoever came and went did so on both sides."""
    counted = summary["reconciliation"]
    held = summary["established_at_hold_end"]
    assert summary["verdict"] == "passed", summary["reasons"]
    assert held + summary["away_at_hold_end"] == total
    assert counted["client_established"] == counted["client_kernel_established"] == held
    assert counted["target_open"] == counted["kernel_established"] == held
    assert (counted["ghosts"], counted["never_accepted"], counted["unexplained"]) == (0, 0, 0)
    assert summary["target"]["accepted"] == summary["attempted"] - sum(summary["failed"].values())
    assert summary["closed"] + sum(summary["dropped"].values()) == summary["attempted"]
    assert left_behind() == {}


@pytest.mark.usefixtures("nodes")
def test_who_has_lived_is_replaced_and_the_schedule_stays_filled() -> None:
    summary = summary_of(*NODES, "--total", "2000", "--ramp", "1s", "--hold", "4s", "--lifetime", "exp:2s", "--seed", "7")

    assert_exact(summary, 2000)
    assert summary["away_at_hold_end"] == 0
    assert summary["replaced"] > 2000
    assert summary["attempted"] == 2000 + summary["replaced"]
    assert summary["established_peak"] <= 2000
    assert summary["spec"]["lifetime"] == "exp:2s"


@pytest.mark.usefixtures("nodes")
def test_with_a_downtime_some_are_away_and_stages_count_them() -> None:
    words = ("--stage", "2000@1s", "--stage", "2000@3s", "--stage", "500@1s", "--hold", "1s")
    summary = summary_of(*NODES, *words, "--lifetime", "uniform:1s-2s", "--downtime", "fixed:500ms")

    assert_exact(summary, 500)
    assert summary["away_at_hold_end"] > 0
    assert all(stage["reached_seconds"] for stage in summary["stages"])
    line = summary["timeline"]
    assert max(line["away"]) > 200
    assert max(map(sum, zip(line["established"], line["away"], strict=True))) <= 2000


@pytest.mark.usefixtures("nodes")
def test_storms_are_over_when_everybody_is_back() -> None:
    storms = ("--storm", "at=2s,drop=100%,return=1s", "--storm", "at=4s,drop=25%")
    summary = summary_of(*NODES, "--total", "2000", "--hold", "6s", *storms)

    assert_exact(summary, 2000)
    everybody, some = summary["storms"]
    assert (everybody["dropped"], everybody["returned"]) == (2000, 2000)
    assert everybody["recovery_seconds"] > 0.5
    assert everybody["slowest_connect_us"] > 0
    assert abs(some["dropped"] - 500) <= summary["plan"]["workers"][0]["shards"]
    assert some["returned"] == some["dropped"]
    assert some["accept_queues"].keys() >= {"ListenOverflows", "TCPReqQFullDoCookies"}


@pytest.mark.usefixtures("nodes")
def test_a_storm_on_a_schedule_that_falls_is_over_when_those_are_back_who_should_be() -> None:
    words = ("--stage", "2k@1s", "--stage", "400@4s", "--stage", "400@5s", "--storm", "at=1500ms,drop=100%,return=8s")
    summary = summary_of(*NODES, *words)

    assert_exact(summary, 400)
    (storm,) = summary["storms"]
    assert storm["returned"] + storm["forgone"] == storm["dropped"]
    assert storm["forgone"] > 0


@pytest.mark.usefixtures("nodes")
def test_who_the_target_drops_comes_back() -> None:
    words = ("--storm", "at=2s,drop=50%,by=target", "--reopen", "--backoff", "200ms-2s", "--require", "storms.returned >= 900")
    summary = summary_of(*NODES, "--total", "2000", "--hold", "5s", *words)

    assert_exact(summary, 2000)
    (storm,) = summary["storms"]
    assert sum(summary["dropped"].values()) == storm["dropped"] == storm["returned"] == summary["reopened"]
    assert abs(storm["dropped"] - 1000) <= summary["plan"]["acceptors"]


@pytest.mark.usefixtures("nodes")
def test_a_storm_that_does_not_come_fails_the_run() -> None:
    summary = summary_of(*NODES, "--total", "100", "--hold", "0s", "--storm", "at=1h")

    assert summary["verdict"] == "failed"
    assert any("dropped no" in reason for reason in summary["reasons"])


@pytest.mark.usefixtures("nodes")
def test_interrupted_amid_turnover_nothing_is_left(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    words = ("--total", "2000", "--hold", "60s", "--lifetime", "exp:1s", "--downtime", "exp:1s", "--json", str(told))
    with coordinator(*NODES, *words) as coord:
        assert coord.stderr is not None
        assert any("replaced" in line for line in coord.stderr)
        below = list(children_of(coord.pid))
        coord.send_signal(signal.SIGINT)
        coord.stderr.read()
        code = coord.wait(60)

    assert (code, json.loads(told.read_text())["verdict"]) == (130, "interrupted")
    assert left_behind() == {}
    assert all_gone(below)
    assert summary_of(*NODES, "--total", "100", "--hold", "0s")["verdict"] == "passed"  # the nodes are free


def test_few_tuples_go_round_and_round_whichever_way_they_are_closed() -> None:
    """60 connections from 80 client ports; FINs leave TIME_WAITs on them, which over loopback last a second."""
    few = ("--source", "127.0.12.1", "--ports", "26400-26479")
    words = ("--total", "60", "--ramp", "200ms", "--hold", "2s", "--lifetime", "uniform:300ms-800ms")
    with node("worker", "--listen", OWN_WORKER, *few), target(OWN_TARGET, OWN_DATA_PORTS):
        after_rst = summary_of(*OWN_NODES, *words)
        after_fin = summary_of(*OWN_NODES, *words, "--close", "fin")

    assert_exact(after_rst, 60)
    assert after_rst["replaced"] > 80
    assert after_rst["skipped_ports"] == 0
    assert after_fin["reconciliation"]["unexplained"] == 0
    assert after_fin["failed"] == {}
    assert after_fin["established_at_hold_end"] + after_fin["away_at_hold_end"] == 60


def test_an_acceptor_that_strangers_fill_does_not_wedge_turnover(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    words = ("--total", "150", "--hold", "3s", "--lifetime", "exp:1s", "--downtime", "fixed:200ms", "--json", str(told))
    few = ("prlimit", "--nofile=200")
    with (
        node("worker", "--listen", OWN_WORKER, *SOURCES),
        target(OWN_TARGET, OWN_DATA_PORTS, few),
        coordinator(*OWN_NODES, *words) as coord,
    ):
        assert coord.stderr is not None
        until_it_says(coord, "holding")
        with ExitStack() as strangers:
            for port in range(OWN_DATA_PORTS[0], OWN_DATA_PORTS[1] + 1):
                with ExitStack() as some:
                    try:
                        for _ in range(200):
                            stranger = socket.create_connection(("127.0.0.1", port), timeout=30)
                            some.enter_context(closing(stranger))
                    except ConnectionRefusedError:
                        continue  # nobody listens there
                    strangers.enter_context(some.pop_all())
        coord.stderr.read()
        coord.wait(60)

    summary = json.loads(told.read_text())
    assert summary["verdict"] == "passed", summary["reasons"]
    assert summary["plan"]["spare_per_acceptor"] > 0
    assert summary["established_at_hold_end"] + summary["away_at_hold_end"] == 150


# -- servers that are not ours


@contextmanager
def server(serve: Any) -> Iterator[int]:
    """Its port. ``serve`` takes each connection in a thread of its own."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def drops_whoever_is_slow(connection: socket.socket) -> None:
    """It wants a line of ten bytes within half a second."""
    with connection, suppress(OSError):
        connection.settimeout(0.5)
        received = b""
        while len(received) < 10:
            received += connection.recv(10)


def closes_its_side(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


def test_where_nobody_listens_tries_are_counted_and_some_still_wait() -> None:
    words = ("--endpoint", "127.0.0.1:1", "--total", "50", "--hold", "2s", "--reopen", "--backoff", "50ms-500ms")
    summary = summary_of(*words)

    assert summary["verdict"] == "failed"
    assert summary["reopened"] > 50
    assert summary["failed"] == {"ECONNREFUSED": 50 + summary["reopened"]}
    assert summary["waiting_at_hold_end"] == 50
    assert any("50 were waiting to be reopened" in reason for reason in summary["reasons"])


def test_slow_clients_are_refused_toward_whom_the_worker_does_not_know() -> None:
    with server(drops_whoever_is_slow) as port, node("worker", "--listen", OWN_WORKER):
        summary = summary_of("--worker", OWN_WORKER, "--endpoint", f"127.0.0.1:{port}", "--total", "10", "--trickle", "1/s")

    assert (summary["verdict"], summary["exit_code"], summary["attempted"]) == ("refused", 3, 0)
    assert f"--allow-slow 127.0.0.1:{port}" in summary["reasons"][0]


def test_what_a_server_does_with_slow_clients_is_counted() -> None:
    words = ("--total", "40", "--hold", "4s")
    with ExitStack() as stack:
        strict, polite = (stack.enter_context(server(each)) for each in (drops_whoever_is_slow, closes_its_side))
        allowed = ("--allow-slow", f"127.0.0.1:{strict}", "--allow-slow", "127.0.0.1:" + str(polite))
        stack.enter_context(node("worker", "--listen", OWN_WORKER, *allowed))
        dropped = summary_of("--worker", OWN_WORKER, "--endpoint", f"127.0.0.1:{strict}", *words, "--trickle", "1/s")
        halved = summary_of("--worker", OWN_WORKER, "--endpoint", f"127.0.0.1:{polite}", *words, "--half-open")

    assert sum(dropped["dropped"].values()) == 40
    assert dropped["alive_after_us"]["count"] == 40
    assert dropped["alive_after_us"]["min"] >= 500_000
    assert dropped["bytes_sent"] > 0
    assert halved["dropped"] == {}
    assert (halved["half_closed_at_hold_end"], halved["half_closed_after_us"]["count"]) == (40, 40)
    assert halved["reconciliation"]["client_kernel_established"] == halved["established_at_hold_end"] == 0
    assert "held to the end; 40 stayed after the server had closed its side; dropped: none" in halved["reasons"][0]


@pytest.mark.usefixtures("nodes")
def test_a_target_may_be_held_up_by_slow_clients_and_echoes_each_byte() -> None:
    summary = summary_of(*NODES, "--total", "200", "--hold", "2s", "--trickle", "5/s", "--send", "GET / HTTP/1.1\\r\\n")

    assert summary["verdict"] == "passed", summary["reasons"]
    assert summary["bytes_sent"] >= 200 * 5
    assert summary["target"]["bytes_received"] <= summary["bytes_sent"]
    assert summary["target"]["bytes_received"] > 200
