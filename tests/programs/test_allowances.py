"""What a worker may load: what its operator named, loopback, and c1m-targets that prove that they are on the run."""

from __future__ import annotations

import json
import math
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from programs import coordinator, node, run_coord, until_it_says

from c1m.errors import RefusedError
from c1m.net.ports import PortRanges
from c1m.net.tuples import Address
from c1m.schedule.node_schedule import NodeSchedule
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import Arrival, Revision, straight
from c1m.target.acceptor.source_filter import SourceFilter
from c1m.traffic.backoff import Backoff
from c1m.traffic.proof import HELLO, answer, challenge
from c1m.traffic.storm import Storm
from c1m.traffic.turnover import Turnover
from c1m.worker.node.allow_list import AllowList, AllowRule, parse_allowance
from c1m.worker.node.quotas import Quotas
from c1m.worker.node.target_proof import unproved


@pytest.mark.parametrize(
    ("text", "host", "ports"),
    [
        ("10.0.0.5", "10.0.0.5", None),
        (" srv ", "srv", None),
        ("10.0.0.5:80", "10.0.0.5", PortRanges(((80, 80),))),
        ("srv:8000-8010", "srv", PortRanges(((8000, 8010),))),
        ("[fd00::1]:80", "fd00::1", PortRanges(((80, 80),))),
        ("fd00::1", "fd00::1", None),
        ("[fd00::1]", "fd00::1", None),
        ("10.0.0.0/24", "10.0.0.0/24", None),
        ("10.0.0.0/24:80,8000-8010", "10.0.0.0/24", PortRanges(((80, 80), (8000, 8010)))),
        ("0.0.0.0/0", "0.0.0.0/0", None),
        ("fd00::/64", "fd00::/64", None),
        ("[fd00::/64]", "fd00::/64", None),
        ("[fd00::/64]:80", "fd00::/64", PortRanges(((80, 80),))),
    ],
)
def test_forms(text: str, host: str, ports: PortRanges | None) -> None:
    assert parse_allowance(text) == AllowRule(host, ports)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "a b",
        "10.0.0.5:x",
        "10.0.0.5:0",
        "[fd00::1",
        "10.0.0.1/24",
        "10.0.0.0/33",
        "10.0.0.0/24:",
        "[fd00::/64",
        "srv/24",
    ],
)
def test_what_is_none_is_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_allowance(text)


@pytest.mark.parametrize(
    ("plain", "slow", "destination", "allowed", "allowed_slow"),
    [
        ((), (), ("127.0.0.1", 80), True, False),
        ((), (), ("127.9.9.9", 80), True, False),
        ((), (), ("::1", 80), True, False),
        ((), (), ("10.0.0.5", 80), False, False),
        (("10.0.0.5",), (), ("10.0.0.5", 80), True, False),
        (("10.0.0.0/24:80",), (), ("10.0.0.5", 80), True, False),
        (("10.0.0.0/24:80",), (), ("10.0.0.5", 81), False, False),
        (("10.0.0.0/24",), (), ("10.0.1.5", 80), False, False),
        (("10.0.0.0/8",), (), ("fd00::1", 80), False, False),
        (("fd00::/8",), (), ("fd00::1", 80), True, False),
        ((), ("10.0.0.5:80",), ("10.0.0.5", 80), True, True),
        (("10.0.0.6",), ("10.0.0.5:80-90",), ("10.0.0.5", 91), False, False),
        ((), ("127.0.0.2", "localhost:80"), ("127.0.0.1", 80), True, True),
    ],
)
def test_named_is_allowed_and_nothing_else(
    plain: tuple[str, ...], slow: tuple[str, ...], destination: Address, allowed: bool, allowed_slow: bool
) -> None:
    allow_list = AllowList([parse_allowance(text) for text in plain], [parse_allowance(text) for text in slow])

    assert allow_list.beyond([destination], slow=False) == ([] if allowed else [destination])
    assert allow_list.beyond([destination], slow=True) == ([] if allowed_slow else [destination])


# -- ceilings


def following(total: int, seconds: float, share: float = 1.0, arrival: Arrival = Arrival.CONSTANT) -> NodeSchedule:
    return NodeSchedule((RingShare(total, 0, int(total * share)),), Revision(straight(total, seconds)), arrival)


@pytest.mark.parametrize(
    ("ceilings", "asked", "turnover", "said"),
    [
        (Quotas(), following(10**6, 0, arrival=Arrival.CLOSED_LOOP), None, ""),
        (Quotas(1000), following(1000, 0, arrival=Arrival.CLOSED_LOOP), None, ""),
        (Quotas(999), following(1000, 0, arrival=Arrival.CLOSED_LOOP), None, "1,000 connections, and may open 999"),
        (Quotas(500), following(1000, 0, share=0.5), None, ""),
        (Quotas(rate=100), following(1000, 0, arrival=Arrival.CLOSED_LOOP), None, "--rate or --ramp"),
        (Quotas(rate=100), following(1000, 10), None, ""),
        (Quotas(rate=99), following(1000, 10), None, "100 connections a second at times, and may open 99"),
        (Quotas(rate=50), following(1000, 10, share=0.5), None, ""),
        (Quotas(rate=100), following(1000, 10), Turnover(backoff=Backoff(0.1, 1.0)), "--reopen"),
        (Quotas(rate=100), following(1000, 10), Turnover(storms=(Storm(5.0, 0.5, 5.0),)), ""),
        (Quotas(rate=100), following(1000, 10), Turnover(storms=(Storm(5.0, 0.5, 4.0),)), "125 connections a second"),
        (Quotas(rate=100), following(1000, 10), Turnover(storms=(Storm(5.0),)), "inf connections a second"),
        (Quotas(rate=100), following(1000, 0), None, "is to open connections at once, and may open 100 a second"),
    ],
)
def test_ceilings(ceilings: Quotas, asked: NodeSchedule, turnover: Turnover | None, said: str) -> None:
    if not said:
        ceilings.check(asked, turnover, math.inf)  # which only a ceiling of bandwidth minds
        return
    with pytest.raises(RefusedError, match=said.replace("(", r"\(")):
        ceilings.check(asked, turnover, 0)


# -- proofs


@given(st.binary(min_size=16, max_size=64), st.binary(min_size=16, max_size=16))
def test_an_answer_is_no_echo_and_takes_the_nonce(nonce: bytes, random: bytes) -> None:
    asked = challenge(random)

    assert asked.startswith(HELLO)
    assert answer(nonce, asked) not in (asked, answer(nonce + b"x" if len(nonce) < 64 else nonce[1:], asked))


@pytest.mark.trio
async def test_what_does_not_know_the_run_proves_nothing() -> None:
    nonce = b"n" * 32
    listener = trio.socket.socket()
    await listener.bind(("127.0.0.1", 0))
    listener.listen()
    port = listener.getsockname()[1]

    async def echo() -> None:
        while True:
            connection, _ = await listener.accept()
            with connection:
                await connection.send(await connection.recv(4096))

    async def know(other: bytes) -> None:
        while True:
            connection, _ = await listener.accept()
            with connection:
                await connection.send(answer(other, await connection.recv(4096)))

    found = []
    with listener:
        for serve in (echo, lambda: know(b"m" * 32), lambda: know(nonce)):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve)
                found.append(await unproved([("127.0.0.1", port)], "127.0.0.1", nonce))
                nursery.cancel_scope.cancel()

    wrong = {("127.0.0.1", port): "it answered something else"}
    assert found == [wrong, wrong, {}]
    assert await unproved([("127.0.0.1", port)], "127.0.0.1", nonce) == {("127.0.0.1", port): "connection refused"}


# -- guests of a target


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("10.0.0.9", False),
        ("10.0.0.10", True),
        ("10.0.0.12", True),
        ("10.0.0.13", False),
        ("10.0.1.1", True),
        ("9.9.9.9", False),
    ],
)
def test_guests(address: str, is_one: bool) -> None:
    first = int.from_bytes(socket.inet_aton("10.0.0.10"))
    other = int.from_bytes(socket.inet_aton("10.0.1.1"))

    assert (address in SourceFilter(socket.AF_INET, [(other, 1), (first, 3)])) is is_one


def test_no_guests_at_all() -> None:
    assert "10.0.0.1" not in SourceFilter(socket.AF_INET, [])


# -- with real programs

WORKER, TARGET = "127.0.0.1:24410", "127.0.0.1:24420"
NODES = ("--worker", WORKER, "--target", TARGET)
LISTEN_WORKER = ("--listen", WORKER)
LISTEN_TARGET = ("--listen", TARGET, "--bind", "127.0.0.1", "--ports", "24400-24409")


def summary_of(ended: subprocess.CompletedProcess[str], code: int) -> dict[str, Any]:
    assert ended.returncode == code, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize(
    ("endpoint", "words", "said"),
    [
        ("198.51.100.7:80", (), "198.51.100.7:80 is no c1m-target, and this worker was not told that it may be loaded"),
        ("198.51.100.7:80", (), "start it with --allow 198.51.100.7:80"),
        ("127.0.0.1:9", ("--trickle", "1/s"), "start it with --allow-slow 127.0.0.1:9"),
    ],
)
def test_nobody_is_loaded_who_was_not_named(endpoint: str, words: tuple[str, ...], said: str) -> None:
    """198.51.100.0/24 is TEST-NET-2; nothing is sent there, since the worker refuses before it opens anything."""
    with node("worker", *LISTEN_WORKER, "--source", "127.0.0.5"):
        ended = run_coord("--worker", WORKER, "--endpoint", endpoint, "--total", "10", "--json", "-", *words)

    summary = summary_of(ended, 3)
    assert summary["verdict"] == "refused"
    assert any(f"worker {WORKER}: " in reason and said in reason for reason in summary["reasons"]), summary["reasons"]
    assert summary["attempted"] in (0, None)


def test_a_target_proves_itself_and_slow_clients_may_hold_it_up() -> None:
    with node("worker", *LISTEN_WORKER), node("target", *LISTEN_TARGET):
        ended = run_coord(*NODES, "--total", "50", "--hold", "1s", "--trickle", "5/s", "--json", "-")

    summary = summary_of(ended, 0)
    assert summary["target"]["accepted"] == 50  # the proofs are none of them
    assert summary["target"]["open_at_hold_end"] == 50


@pytest.mark.parametrize(
    ("ceiling", "words", "said"),
    [
        (("--most-connections", "100"), ("--total", "101"), "(--most-connections)"),
        (("--most-rate", "50"), ("--total", "100", "--ramp", "1s"), "(--most-rate)"),
        (("--most-rate", "50"), ("--total", "100"), "give it --rate or --ramp"),
        (("--most-bandwidth", "100k"), ("--total", "100"), "is not known before it"),
    ],
)
def test_no_command_exceeds_a_ceiling(ceiling: tuple[str, ...], words: tuple[str, ...], said: str) -> None:
    with node("worker", *LISTEN_WORKER, *ceiling), node("target", *LISTEN_TARGET):
        ended = run_coord(*NODES, *words, "--hold", "0s", "--json", "-")

    assert any(said in reason for reason in summary_of(ended, 3)["reasons"])


def test_what_one_worker_may_not_open_another_does() -> None:
    other = "127.0.0.1:24411"
    with (
        node("worker", *LISTEN_WORKER, "--most-connections", "100"),
        node("worker", "--listen", other),
        node("target", *LISTEN_TARGET),
    ):
        ended = run_coord(*NODES, "--worker", other, "--total", "1000", "--hold", "0s", "--json", "-")

    assert [each["established_peak"] for each in summary_of(ended, 0)["workers"]] == [100, 900]


def test_a_target_takes_only_what_comes_from_the_runs_sources(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    words = (*NODES, "--total", "200", "--hold", "5s", "--trickle", "5/s", "--json", str(told))
    with (
        node("worker", *LISTEN_WORKER, "--source", "127.0.0.50-127.0.0.59"),
        node("target", *LISTEN_TARGET, "--only-run-sources"),
    ):
        with pytest.raises(ConnectionRefusedError):  # nobody listens while there is no run
            socket.create_connection(("127.0.0.1", 24_400), 30)
        with coordinator(*words) as run:
            assert run.stderr is not None
            until_it_says(run, "holding")
            try:  # the reset may come before connect() has returned
                with socket.create_connection(("127.0.0.1", 24_400), 30) as stranger:
                    heard = stranger.recv(1)
            except ConnectionResetError:
                heard = b""
            run.stderr.read()
            code = run.wait(60)

    summary = json.loads(told.read_text())
    assert heard == b""
    assert (code, summary["target"]["accepted"], summary["target"]["from_elsewhere"]) == (0, 200, 1)
