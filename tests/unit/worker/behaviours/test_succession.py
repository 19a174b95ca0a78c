"""Seats that change hands, in one process and on real sockets: none is lost, none is filled twice, and nothing leaks."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import repeat
from random import Random

from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import Route, TupleSpace
from c1m.traffic.backoff import Backoff
from c1m.traffic.distribution import AT_ONCE, Distribution
from c1m.traffic.storm import Storm
from c1m.traffic.turnover import Turnover
from c1m.worker.behaviours.seat_turnover import SeatTurnover
from c1m.worker.sockets.connections import ClientConnections
from c1m.worker.sockets.opener import Opener
from c1m.worker.sockets.reactor import Reactor
from c1m.worker.sockets.route_rotation import RouteRotation

TOTAL, SPAN = 40, 50
SPACE = TupleSpace(AddressPool((AddressBlock(0x7F000D01, 5, 4),)), PortRanges(((26_500, 26_509),)))  # 127.0.13.1 to .5
MINUTE = Distribution("fixed", 60.0, 60.0)


class Bench:
    """A shard without its loop: some connections to a listener here, and time that the test makes pass."""

    def __init__(self, wanted: Turnover) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=SPAN)
        self.listener.setblocking(False)
        destination = self.listener.getsockname()
        self.rotation = RouteRotation(SPACE, [Route(destination, 0, SPAN, TOTAL)])
        self.connections = ClientConnections(socket.AF_INET, 256, paced=True)
        self.reactor = Reactor(self.connections)
        opener = Opener(self.connections)
        self.start = time.monotonic()
        self.seat_turnover = SeatTurnover(
            wanted, opener, self.rotation, self.start, Random(1), reset=True, most_in_flight=TOTAL
        )
        self.connections.behave((self.seat_turnover,))
        self.accepted: list[socket.socket] = []
        leg = self.rotation.legs[0]
        leg.wanted -= opener.open(leg, TOTAL, repeat(self.start))
        self.settle()

    def settle(self) -> None:
        """Until nothing is in flight; the kernel completes handshakes over loopback by itself."""
        while self.connections.in_flight:
            self.reactor.drain(1.0)
        self.accept()

    def accept(self) -> None:
        with suppress(OSError):  # nobody waits, or the listener is closed
            while True:
                self.accepted.append(self.listener.accept()[0])

    def act(self, seconds: float) -> float:
        """At so many seconds from the start; when there is more to do."""
        following = self.seat_turnover.act(self.start + seconds) - self.start
        self.settle()
        held, empty = self.connections.established, self.seat_turnover.seats.empty
        assert held + empty + len(self.connections.lost) == TOTAL
        return following

    def act_until(self, seconds: float) -> None:
        following = self.act(seconds)
        while following <= seconds:
            following = self.act(seconds)

    def sources(self) -> list[tuple[str, int]]:
        found = []
        for descriptor, state in enumerate(self.connections.state):
            if state:
                connection = socket.socket(fileno=descriptor)
                found.append(connection.getsockname())
                connection.detach()
        return found

    def close(self) -> None:
        self.connections.close_some(0, len(self.connections.state), reset=True)
        self.connections.epoll.close()
        self.hang_up()
        self.listener.close()

    def hang_up(self) -> None:
        """As a server that dies."""
        for connection in self.accepted:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
        self.accepted.clear()


@contextmanager
def bench(**wanted: object) -> Iterator[Bench]:
    before = os.stat("/proc/self/fd").st_size  # counts open descriptors, without listing them
    with closing(Bench(Turnover(**wanted))) as made:  # type: ignore[arg-type]
        yield made
    assert os.stat("/proc/self/fd").st_size == before


def test_lifetimes_end_and_tuples_go_round() -> None:
    with bench(lifetime=MINUTE, downtime=AT_ONCE) as it:
        places = set(SPACE.walk(0, SPAN))
        for minute in range(1, 8):
            now = minute * 100.0
            it.act(now - 99.0)
            it.act_until(now)
            assert it.connections.established == TOTAL
            assert len(set(it.sources())) == TOTAL
            assert set(it.sources()) <= places
            for descriptor, state in enumerate(it.connections.state):
                if state:  # as if they had been established then, and not in real time
                    assert it.seat_turnover.lifetimes
                    it.seat_turnover.lifetimes.opened(descriptor, now)
        assert it.seat_turnover.lifetimes
        assert it.seat_turnover.lifetimes.replaced == it.connections.closed == 7 * TOTAL
        assert it.connections.skipped_ports == 0


def test_a_downtime_is_waited_for() -> None:
    with bench(lifetime=MINUTE, downtime=Distribution("fixed", 10.0, 10.0)) as it:
        assert 59 < it.act(0.0) < 62
        it.act_until(70.0)
        assert (it.connections.established, len(it.seat_turnover.seats.away)) == (0, TOTAL)
        it.act_until(79.9)
        assert it.connections.established == 0
        it.act_until(80.1)
        assert it.connections.established == TOTAL


def test_a_storm_takes_its_share_and_brings_it_back_evenly() -> None:
    with bench(storms=(Storm(10.0, 0.5, 20.0),)) as it:
        it.act_until(9.9)
        assert it.connections.established == TOTAL
        it.act_until(10.0)
        assert it.connections.established == TOTAL // 2
        for share in (0.25, 0.5, 0.75):
            it.act_until(10.0 + share * 20.0)
            assert abs(it.connections.established - (TOTAL // 2 + share * TOTAL // 2)) <= 1
        it.act_until(30.1)
        (wave,) = it.seat_turnover.storms.waves
        assert (wave.dropped, wave.returned) == (TOTAL // 2, TOTAL // 2)


def test_the_dropped_come_back_ever_more_seldom() -> None:
    with bench(backoff=Backoff(1.0, 16.0)) as it:
        it.hang_up()
        it.listener.close()
        while it.connections.established:
            it.reactor.drain(1.0)
        tries = []
        for second in range(100):
            it.act(float(second))
            tries.append(it.seat_turnover.seats.reopened)
        assert it.connections.failed == {"ECONNREFUSED": tries[-1]}
        assert tries[3] > TOTAL
        assert (tries[99] - tries[49]) / 50 < (tries[13] - tries[3]) / 10 / 2  # the bound is 16 s then, after 1 s and 2 s
        it.seat_turnover.turnover_stopped = True
        assert it.act(1000.0) == math.inf


def test_when_the_schedule_falls_those_who_are_away_need_not_come_back() -> None:
    with bench(lifetime=MINUTE, downtime=Distribution("fixed", 10.0, 10.0)) as it:
        it.act_until(70.0)
        wanted = it.rotation.wanted
        it.seat_turnover.forgo(TOTAL // 2)
        assert it.seat_turnover.seats.empty == TOTAL // 2
        assert it.rotation.wanted == wanted + TOTAL // 2
        it.seat_turnover.act(it.start + 90.0)
        it.settle()
        assert it.connections.established == TOTAL // 2


def test_nor_do_those_who_left_in_a_storm() -> None:
    with bench(storms=(Storm(10.0, 1.0, 20.0),)) as it:
        it.act_until(10.0)
        it.seat_turnover.forgo(TOTAL // 2)
        (wave,) = it.seat_turnover.storms.waves
        assert (wave.dropped, wave.returned, wave.forgone, wave.is_over) == (TOTAL, 0, TOTAL // 2, False)
        it.seat_turnover.act(it.start + 30.1)
        it.settle()
        (wave,) = it.seat_turnover.storms.waves
        assert (wave.dropped, wave.returned, wave.forgone, wave.is_over) == (TOTAL, TOTAL // 2, TOTAL // 2, True)
