"""What a run does with ports that are taken, ports that are shared, and a target that is full."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from programs import children_of, coordinator, eventually, holding_at, node, run_coord, summary_of, until_it_says

# Ports and sources of this file's own, so that nothing else's sockets are counted or in the way.
WORKER, TARGET = "127.0.0.1:24110", "127.0.0.1:24120"
NODES = ("--worker", WORKER, "--target", TARGET)
DATA_PORT = 24_100
SOURCE = "127.0.11.1"
CLIENT_PORTS = range(24_200, 24_300)


@contextmanager
def fleet(*target: str, worker: tuple[str, ...] = (), descriptors: int | None = None) -> Iterator[None]:
    """A worker, and a target on DATA_PORT alone unless it is told otherwise; the target may have few descriptors."""
    inside = ("prlimit", f"--nofile={descriptors}") if descriptors else ()
    where = ("--bind", "127.0.0.1", "--ports", str(DATA_PORT), *target)
    with node("worker", "--listen", WORKER, *worker), node("target", "--listen", TARGET, *where, inside=inside):
        yield


def holding(*words: str) -> AbstractContextManager[subprocess.Popen[str]]:
    return holding_at(NODES, *words)


def stranger() -> socket.socket:
    return socket.create_connection(("127.0.0.1", DATA_PORT), timeout=30)


def assert_all_agree(summary: dict[str, Any], total: int) -> None:
    counted = summary["reconciliation"]
    assert summary["verdict"] == "passed", summary["reasons"]
    assert summary["established_at_hold_end"] == summary["target"]["accepted"] == total
    assert counted["client_established"] == counted["client_kernel_established"] == total
    assert counted["target_open"] == counted["kernel_established"] == total
    assert (counted["ghosts"], counted["unexplained"]) == (0, 0)


def listeners(ports: range) -> ExitStack:
    stack = ExitStack()
    for port in ports:
        stack.enter_context(closing(socket.create_server((SOURCE, port))))
    return stack


FEW_TUPLES = ("--source", SOURCE, "--ports", f"{CLIENT_PORTS[0]}-{CLIENT_PORTS[-1]}")


def test_client_ports_that_somebody_listens_on_are_skipped_and_counted() -> None:
    with fleet(worker=FEW_TUPLES), listeners(CLIENT_PORTS[:2]):
        summary = summary_of(*NODES, "--total", "50", "--hold", "0s")

    assert summary["skipped_ports"] == 2
    assert_all_agree(summary, 50)


def test_where_no_other_port_is_left_a_taken_one_is_a_failure_with_a_name() -> None:
    with fleet(worker=FEW_TUPLES), listeners(CLIENT_PORTS[:2]):
        summary = summary_of(*NODES, "--total", str(len(CLIENT_PORTS)), "--hold", "0s")

    assert (summary["verdict"], summary["failed"]) == ("failed", {"EADDRINUSE": 2})
    assert summary["established_at_hold_end"] == len(CLIENT_PORTS) - 2


def test_acceptors_that_share_one_port_accept_everything_between_them() -> None:
    with fleet("--single-port", descriptors=400):
        summary = summary_of(*NODES, "--total", "1000", "--hold", "0s")

    assert summary["plan"]["acceptors"] >= 3
    assert summary["plan"]["destinations"] == 1
    assert_all_agree(summary, 1000)


def test_ipv6_over_loopback() -> None:
    worker, target = "[::1]:24110", "[::1]:24120"
    with (
        node("worker", "--listen", worker),
        node("target", "--listen", target, "--bind", "::1", "--ports", f"{DATA_PORT}-{DATA_PORT + 1}"),
    ):
        summary = summary_of("--worker", worker, "--target", target, "--total", "1000", "--hold", "0s")

    assert_all_agree(summary, 1000)


def test_the_same_nodes_take_the_next_run_at_once() -> None:
    with fleet():
        _, after_reset, after_fin = [
            summary_of(*NODES, "--total", "500", "--hold", "0s", "--close", close) for close in ("rst", "fin", "rst")
        ]

    assert_all_agree(after_reset, 500)
    assert after_reset["skipped_ports"] == 0
    assert_all_agree(after_fin, 500)  # past the TIME_WAITs that FINs leave behind


def test_more_than_the_targets_descriptors_allow_is_refused_with_the_cure() -> None:
    with fleet(descriptors=200):
        ended = run_coord(*NODES, "--total", "1000", "--json", "-")

    reason, ranked = json.loads(ended.stdout)["reasons"]
    assert ended.returncode == 3
    assert all(told in reason for told in ("1,000", "--ports", "ulimit -Hn", "--single-port")), reason
    assert ranked.startswith("1st at"), ranked


def test_an_acceptor_that_strangers_filled_accepts_no_more_and_says_so(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    with fleet(descriptors=200), ExitStack() as strangers:  # 200 are fewer than both need
        with holding("--total", "100", "--hold", "5s", "--json", str(told)) as coord:
            for _ in range(100):
                strangers.enter_context(closing(stranger()))
            until_it_says(coord, "closing")
            strangers.close()

    summary = json.loads(told.read_text())
    assert summary["target"]["open_at_hold_end"] + summary["reconciliation"]["in_accept_queues"] == 200
    assert summary["reconciliation"]["in_accept_queues"] > 0
    assert summary["target"]["acceptors_full"] == 1


def test_a_run_in_which_the_target_stops_accepting_fails_with_the_numbers(tmp_path: Path) -> None:
    """Its acceptor has no more descriptors from the start of the run on than a few connections take."""
    told = tmp_path / "summary.json"
    with fleet(), coordinator(*NODES, "--total", "300", "--rate", "100", "--hold", "1s", "--json", str(told)) as coord:
        acceptors: list[int] = []

        def found() -> bool:
            acceptors[:] = [pid for pid, name in children_of(os.getpid()).items() if name.startswith("c1m-acceptor")]
            return bool(acceptors)

        assert eventually(found)
        resource.prlimit(acceptors[0], resource.RLIMIT_NOFILE, (40, 40))
        assert coord.stderr is not None
        coord.stderr.read()
        assert coord.wait(60) == 1

    summary = json.loads(told.read_text())
    accepted, waiting = summary["target"]["accepted"], summary["reconciliation"]["awaiting_accept"]
    assert summary["established_at_hold_end"] == accepted + waiting == 300
    assert summary["verdict"] == "failed"
    assert summary["reasons"][0] == (
        f"the server accepted {accepted:,} of 300 connections that clients hold; {waiting:,} wait in its accept queues"
    )


def test_a_target_echoes_what_it_gets_and_waits_for_who_does_not_read(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    numbers = b"".join(number.to_bytes(4, "big") for number in range(2**18))
    sent, received = bytearray(), bytearray()
    with fleet(), holding("--total", "100", "--hold", "60s", "--json", str(told)) as coord:
        with closing(stranger()) as talking:
            while select.select([], [talking], [], 0.5)[1]:  # until no buffer between the two has any room
                sent += numbers[: talking.send(numbers)]
            while len(received) < len(sent) and (some := talking.recv(2**20)):
                received += some
        coord.send_signal(signal.SIGINT)

    target = json.loads(told.read_text())["target"]
    assert received == sent
    assert target["bytes_received"] == target["bytes_sent"] == len(sent)
