"""What connections of a shard send and hear while they are open: heartbeats, pushes, trickled requests, keepalive, probes."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
from shards import (
    assignment,
    ending,
    probe_order,
    running,
    server,
    stages,
    stop_traffic_order,
)

from c1m.measure.phase import Phase
from c1m.traffic.distribution import Distribution
from c1m.traffic.heartbeat import Expect, Heartbeat
from c1m.traffic.push import MESSAGE
from c1m.traffic.slow_clients import SlowClients
from c1m.traffic.turnover import Turnover

pytestmark = pytest.mark.trio

Answer = Callable[[socket.socket, bytes], object]
OFTEN = Heartbeat(0.05)


def echo(connection: socket.socket, data: bytes) -> None:
    connection.send(data)


def mute(_: socket.socket, __: bytes) -> None:
    """Answer nothing."""


def liar(connection: socket.socket, data: bytes) -> None:
    connection.send(data[:-1] + b"!")


def in_parts(connection: socket.socket, data: bytes) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.send(data[:20])
    connection.send(data[20:])


def talkative(connection: socket.socket, data: bytes) -> None:
    connection.send(data + b"and more")


class Speaks:
    """Answer whatever comes with the same bytes."""

    def __init__(self, words: bytes) -> None:
        self.words = words

    def __call__(self, connection: socket.socket, _: bytes) -> None:
        connection.send(self.words)


WRONG = {"wrong"}
FAULTS = {"late", "missing", "recovered", "wrong", "unasked_bytes"}


@pytest.mark.parametrize(
    ("answer", "beat", "faults"),
    [
        (echo, OFTEN, set()),
        (in_parts, OFTEN, set()),
        (liar, OFTEN, WRONG),
        (talkative, OFTEN, {"unasked_bytes"}),
        (echo, Heartbeat(0.05, payload=1000), set()),
        (echo, Heartbeat(0.05, send=b"GET / HTTP/1.1\r\n\r\n"), set()),
        (liar, Heartbeat(0.05, send=b"GET / HTTP/1.1\r\n\r\n"), WRONG),
        (Speaks(b"anything"), Heartbeat(0.05, expect=Expect.ANY), set()),
        (Speaks(b"HTTP/1.1 200 OK\r\n"), Heartbeat(0.05, send=b"GET", expect=Expect.PREFIX, prefix=b"HTTP/1.1 2"), set()),
        (Speaks(b"HTTP/1.1 500 Oh\r\n"), Heartbeat(0.05, send=b"GET", expect=Expect.PREFIX, prefix=b"HTTP/1.1 2"), WRONG),
        (Speaks(b"anything"), Heartbeat(0.05), WRONG),
    ],
)
async def test_every_answer_is_compared(answer: Answer, beat: Heartbeat, faults: set[str]) -> None:
    with server() as one:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.serve, answer)
            async with running(assignment(10, one.address, heartbeat=beat)) as it:
                await it.start()
                await it.until(lambda: it.tally.heartbeats.get("answered", 0) >= 25)
                await it.order(stop_traffic_order())
                await it.until(lambda: it.child.traffic_stopped)
                beats = it.tally.heartbeats
                assert beats["sent"] == beats["answered"] + beats["missing"]
                assert {name for name in FAULTS - {"late", "missing", "recovered"} if beats[name]} == faults
                if faults == WRONG:
                    assert beats["wrong"] == beats["answered"] + beats["recovered"]
                    assert not it.latencies("heartbeat_rtt_us")
                else:
                    answered = beats["answered"] + beats["recovered"]
                    assert sum(it.latencies("heartbeat_rtt_us").values()) == answered
                assert it.tally.bytes_sent == beats["sent"] * (len(beat.send) or beat.payload)
            nursery.cancel_scope.cancel()


async def test_without_an_expected_answer_all_are_sent_and_none_is_missed() -> None:
    with server() as one:
        async with running(assignment(5, one.address, heartbeat=Heartbeat(0.05, expect=Expect.NONE))) as it:
            await it.start()
            await it.until(lambda: it.tally.heartbeats.get("sent", 0) >= 20)
            assert it.tally.heartbeats["missing"] == it.tally.heartbeats["answered"] == 0
            await it.order(stop_traffic_order())
            await it.until(lambda: it.child.traffic_stopped)


async def test_an_answer_that_does_not_come_is_missing_and_recovered_when_it_comes() -> None:
    kept: list[Callable[[], object]] = []
    with server() as one:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.serve, lambda connection, data: kept.append(partial(echo, connection, data)))
            async with running(assignment(4, one.address, heartbeat=OFTEN)) as it:
                await it.start()
                await it.until(lambda: it.tally.heartbeats.get("missing") == 4)
                assert it.tally.heartbeats["sent"] == len(kept) == 4, "nothing more is sent before the answer"
                kept[0]()
                await it.until(lambda: it.tally.heartbeats["recovered"] == 1)
                await it.until(lambda: it.tally.heartbeats["sent"] == 5)
                assert it.tally.heartbeats["answered"] == 0
            nursery.cancel_scope.cancel()


async def test_an_answer_after_half_the_interval_is_late() -> None:
    async def later(connection: socket.socket, data: bytes) -> None:
        await trio.sleep(0.13)
        echo(connection, data)

    with server() as one:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.serve, lambda connection, data: nursery.start_soon(later, connection, data))
            async with running(assignment(4, one.address, heartbeat=Heartbeat(0.2))) as it:
                await it.start()
                await it.until(lambda: it.tally.heartbeats.get("answered", 0) >= 4)
                assert it.tally.heartbeats["late"] >= 4 - it.tally.heartbeats["recovered"]
            nursery.cancel_scope.cancel()


async def test_a_heartbeat_whose_connection_ends_is_cut_off() -> None:
    with server() as one:
        async with running(assignment(4, one.address, heartbeat=Heartbeat(0.3))) as it:
            await it.start()
            await it.until(lambda: it.tally.heartbeats.get("sent") == 4)
            one.accept()
            one.hang_up()
            await it.until(lambda: it.tally.open == 0)
            beats = it.tally.heartbeats
            assert beats["cut_off"] + beats["missing"] == beats["sent"] >= 4
            assert beats["cut_off"] > 0


async def test_bytes_that_nobody_asked_for_are_counted() -> None:
    with server() as one:
        async with running(assignment(2, one.address, heartbeat=Heartbeat(60.0))) as it:
            await it.start()
            for connection in await one.accepts(2):
                connection.send(b"hello")
            await it.until(lambda: it.tally.heartbeats.get("unasked_bytes") == 10)
            assert it.tally.heartbeats["wrong"] == 0


async def test_the_latencies_of_each_source_are_sent() -> None:
    with server() as one:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.serve, echo)
            wanted = assignment(16, one.address, heartbeat=OFTEN)
            async with running(wanted) as it:
                await it.start()
                await it.until(lambda: it.tally.heartbeats.get("answered", 0) >= 16)
                await it.close()
                await it.until(lambda: len(it.child.sources) == 3)
                names = {wanted.space.sources.at(index) for index in range(8)}
                for kind in ("connect_latency_us", "first_byte_us", "heartbeat_rtt_us"):
                    assert set(it.child.sources[kind][0]) == names
            nursery.cancel_scope.cancel()


# -- pushes


@pytest.mark.parametrize(
    ("pieces", "received", "wrong"),
    [
        ((MESSAGE,), 1, 0),
        ((MESSAGE * 3,), 3, 0),
        ((MESSAGE[:10], MESSAGE[10:] + MESSAGE), 2, 0),
        ((MESSAGE[:-1] + b"?",), 0, 64),
        ((b"no push",), 0, 7),
        ((MESSAGE, b"x" * 300), 1, 300),
    ],
)
async def test_every_push_is_compared(pieces: tuple[bytes, ...], received: int, wrong: int) -> None:
    with server() as one:
        async with running(assignment(2, one.address, pushed=True)) as it:
            await it.start()
            for piece in pieces:
                before = it.tally.bytes_received
                for connection in await one.accepts(2):
                    connection.send(piece)
                await it.until(lambda: it.tally.bytes_received == before + 2 * len(piece))
            assert it.tally.pushes == {"received": 2 * received, "wrong_bytes": 2 * wrong}


async def test_pushes_and_answers_are_told_apart() -> None:
    def both(connection: socket.socket, data: bytes) -> None:
        connection.send(MESSAGE + data + MESSAGE)

    with server() as one:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.serve, both)
            async with running(assignment(4, one.address, pushed=True, heartbeat=OFTEN)) as it:
                await it.start()
                await it.until(lambda: it.tally.heartbeats.get("answered", 0) >= 8)
                await it.order(stop_traffic_order())
                await it.until(lambda: it.child.traffic_stopped)
                beats = it.tally.heartbeats
                assert it.tally.pushes == {"received": 2 * (beats["answered"] + beats["recovered"]), "wrong_bytes": 0}
                assert (beats["wrong"], beats["unasked_bytes"]) == (0, 0)
            nursery.cancel_scope.cancel()


async def test_a_part_of_a_push_is_forgotten_with_its_connection() -> None:
    with server() as one:
        lives = Turnover(lifetime=Distribution("fixed", 0.05, 0.05))
        async with running(assignment(1, one.address, spare=5, pushed=True, turnover=lives)) as it:
            await it.start()
            (await one.accepts(1))[0].send(MESSAGE[:10])
            (await one.accepts(2))[1].send(MESSAGE)
            await it.until(lambda: it.tally.pushes.get("received") == 1)
            assert it.tally.pushes["wrong_bytes"] == 0


# -- slow clients, keepalive, probes


async def test_slow_clients_send_their_request_byte_by_byte_over_and_over() -> None:
    heard: dict[int, bytes] = {}

    def hear(connection: socket.socket, data: bytes) -> None:
        heard[connection.fileno()] = heard.get(connection.fileno(), b"") + data

    with server() as one:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.serve, hear)
            async with running(assignment(3, one.address, slow=SlowClients(0.03, b"abc"))) as it:
                await it.start()
                await it.until(lambda: len(heard) == 3 and min(map(len, heard.values())) >= 5)
                for each in heard.values():
                    assert (b"abc" * len(each)).startswith(each)
            nursery.cancel_scope.cancel()


def option(descriptor: int, level: int, name: int) -> int:
    connection = socket.socket(fileno=os.dup(descriptor))
    with connection:
        return connection.getsockopt(level, name)


async def test_keepalive_is_set_within_an_interval() -> None:
    with server() as one:
        async with running(assignment(3, one.address, keepalive=1)) as it:
            await it.start(time.monotonic() - 5)  # whoever is open has had a turn by then
            await it.holds()
            clients = it.descriptors
            with trio.fail_after(5):
                while not all(option(each, socket.SOL_SOCKET, socket.SO_KEEPALIVE) for each in clients):
                    await trio.sleep(0.02)
            assert {option(each, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) for each in clients} == {1}


TCP_REPAIR = 19  # linux/tcp.h: a socket in repair mode is closed without a packet, which makes its peer a ghost


async def test_a_probe_finds_the_peers_that_do_not_know_their_connection() -> None:
    with server() as one:
        async with running(assignment(4, one.address)) as it:
            await it.start()
            await it.holds()
            ghosts = 0
            for connection in one.accept()[:2]:
                try:
                    connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
                except PermissionError:
                    continue  # takes CAP_NET_ADMIN; without it there are no ghosts here
                ghosts += 1
            one.hang_up(ghosts)
            await trio.sleep(0.02)  # the handshake is an answer, too, and the kernel's clock for it has steps of 4 to 10 ms
            await it.order(probe_order(10))
            await it.until(lambda: it.child.probed)
            assert it.child.probed == (4, ghosts)
            assert it.tally.dropped == ({"peer_reset": ghosts} if ghosts else {})
            assert it.phase is Phase.HOLDING


async def test_behaviours_end_with_the_hold() -> None:
    with server() as one:
        wanted: Any = assignment(3, one.address, heartbeat=OFTEN, rushes=False, schedule=stages((3, 0.01)), keepalive=1)
        async with running(wanted) as it:
            await it.start()
            await it.until(lambda: it.tally.heartbeats.get("sent", 0) >= 3)
            await it.close("fin")
            assert (it.tally.closed, it.tally.open) == (3, 0)
            assert it.tally.heartbeats["cut_off"] + it.tally.heartbeats["missing"] == it.tally.heartbeats["sent"]
            for connection in one.accept():
                assert ending(connection) in ("open", "fin")
