"""Strangers at the data port of a c1m-target, in numbers: those who ask and stay, who come from elsewhere, who never finish a
handshake. The run's own counts are exact beside them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import grpc
import pytest
from lab import address, lab
from programs import coordinator, node, run_coord, until_it_says

from c1m.target.acceptor.proof_guests import MOST, SECONDS, ProofGuests
from c1m.traffic.proof import ANSWER_BYTES, answer, challenge
from c1m.v1 import target_pb2
from c1m.v1.target_pb2_grpc import TargetServiceStub
from c1m.wire.grpc_options import CHANNEL_OPTIONS

WORKER, TARGET = "127.0.0.1:24710", "127.0.0.1:24720"
DATA_PORT = 24_700
LISTEN_TARGET = ("--listen", TARGET, "--bind", "127.0.0.1", "--ports", f"{DATA_PORT}-{DATA_PORT + 3}")
NONCE = b"n" * 32
ASKING = 3 * MOST


# -- who ask for a proof, and stay


def test_the_oldest_leaves_when_there_are_too_many_and_each_when_its_time_is_over() -> None:
    proof_guests = ProofGuests()
    assert (proof_guests.next_end, proof_guests.over(1e9)) == (float("inf"), [])
    for descriptor in range(MOST):
        proof_guests.add(descriptor, 100.0)
    assert (proof_guests.next_end, proof_guests.over(100.0)) == (100.0 + SECONDS, [])

    proof_guests.add(MOST, 101.0)
    assert (proof_guests.next_end, proof_guests.over(101.0)) == (0.0, [0])
    proof_guests.remove(0)

    assert proof_guests.over(100.0 + SECONDS) == list(range(1, MOST))
    assert proof_guests.over(101.0 + SECONDS) == list(range(1, MOST + 1))
    proof_guests.remove(7_000)  # whoever was none


def test_who_asks_and_stays_is_answered_and_sent_away_and_counts_for_nothing() -> None:
    asked = challenge(bytes(16))
    with node("target", *LISTEN_TARGET), closing(grpc.insecure_channel(TARGET, options=CHANNEL_OPTIONS)) as channel:
        stub = TargetServiceStub(channel)
        prepare = target_pb2.TargetServicePrepareRequest(run_id="r", acceptors=1, lease_seconds=600, nonce=NONCE)
        stub.Prepare(prepare, timeout=60)
        with ExitStack() as stack:
            staying = [stack.enter_context(closing(connected())) for _ in range(ASKING)]
            for each in staying:
                each.sendall(asked)
            assert [each.recv(ANSWER_BYTES, socket.MSG_WAITALL) for each in staying] == [answer(NONCE, asked)] * ASKING
            mine = stack.enter_context(closing(connected()))
            mine.sendall(b"hello")
            assert mine.recv(5, socket.MSG_WAITALL) == b"hello"
            assert all(ended(each) for each in staying)  # the first because they are too many, the last after a while

            sample = next(stub.Watch(target_pb2.TargetServiceWatchRequest(run_id="r"), timeout=60)).sample
            assert (sample.tally.opened, sample.tally.bytes_received) == (1, 5)
        stub.Stop(target_pb2.TargetServiceStopRequest(run_id="r"), timeout=60)


def connected() -> socket.socket:
    return socket.create_connection(("127.0.0.1", DATA_PORT), timeout=60)


def ended(stranger: socket.socket) -> bool:
    try:
        return not stranger.recv(1)
    except ConnectionError:
        return True


# -- who come from elsewhere


@contextmanager
def crowd(port: int) -> Iterator[None]:
    """Connects again and again from an address that is none of the run's, until the block ends."""
    over = threading.Event()

    def come() -> None:
        while not over.is_set():
            with socket.socket() as stranger:
                stranger.bind(("127.0.0.99", 0))
                stranger.connect_ex(("127.0.0.1", port))

    threads = [threading.Thread(target=come) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_crowd_from_elsewhere_keeps_nobody_of_the_run_out(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    words = ("--worker", WORKER, "--target", TARGET, "--total", "1000", "--ramp", "2s", "--hold", "1s", "--json", str(told))
    with (
        node("worker", "--listen", WORKER, "--source", "127.0.0.50-127.0.0.59"),
        node("target", *LISTEN_TARGET, "--only-run-sources"),
        coordinator(*words) as run,
    ):
        assert run.stderr is not None
        with crowd(DATA_PORT):
            until_it_says(run, "holding")
        run.stderr.read()
        run.wait(60)

    summary = json.loads(told.read_text())
    assert (summary["verdict"], summary["target"]["accepted"]) == ("passed", 1000), summary["reasons"]
    assert summary["target"]["from_elsewhere"] > 100


# -- who never finish a handshake

# SYNs from addresses of the network that nobody has: what is answered to them is lost, and each waits half open.
FLOOD = """
import itertools, os, socket, struct, sys, time
target, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def summed(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
def syn(source, sport, dport):
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    tcp = struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 5 << 4, 2, 64240, 0, 0)
    checksum = summed(ends + struct.pack("!BBH", 0, 6, 20) + tcp)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + ends
    return ip + tcp[:16] + struct.pack("!HH", checksum, 0)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
sources = [f"10.200.0.{host}" for host in range(100, 250)]
for number in itertools.count():
    dport = first + number % (last - first + 1)
    raw.sendto(syn(sources[number % len(sources)], 1024 + number // 150 % 60000, dport), (target, 0))
    if number % 200 == 199:
        print(number + 1, flush=True)
        time.sleep(0.01)  # some 20,000 a second
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces and raw sockets need root")
def test_a_flood_of_half_open_connections_leaves_the_runs_counts_as_they_are(tmp_path: Path) -> None:
    target, worker = f"unix:{tmp_path}/t.sock", f"unix:{tmp_path}/w.sock"
    words = ("--target", target, "--worker", worker, "--total", "2000", "--ramp", "2s", "--hold", "1s", "--json", "-")
    with (
        lab() as hosts,
        node("target", "--listen", target, "--bind", address("target"), inside=hosts.entered("target")),
        node("worker", "--listen", worker, "--source", address("worker1"), inside=hosts.entered("worker1")),
    ):
        flooding = [*hosts.entered("worker2", sys.executable, "-c", FLOOD), address("target"), "9000", "9003"]
        with subprocess.Popen(flooding, stdout=subprocess.PIPE, text=True) as flood:
            try:
                assert flood.stdout is not None
                assert flood.stdout.readline() == "200\n"
                ended = run_coord(*words)
            finally:
                flood.kill()
            sent = [int(line) for line in flood.stdout]

    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert summary["target"]["accepted"] == summary["reconciliation"]["client_established"] == 2000
    assert (summary["reconciliation"]["ghosts"], summary["reconciliation"]["unexplained"]) == (0, 0)
    assert sent[-1] > 5000
    assert summary["target"]["kernel"]["counters"]["TCPSynRetrans"] > 100  # half-open ones are answered again and again
