"""Seats of a shard, over real sockets: who leaves, who comes back and when, and what each connection remembers of its seat."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import repeat
from random import Random

import pytest

from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import Route, TupleSpace
from c1m.traffic.backoff import Backoff
from c1m.worker.behaviours.seats import AGAIN_SECONDS, ARRIVED, SUCCESSOR, Seats
from c1m.worker.sockets.connections import ESTABLISHED, NOT_OURS, ClientConnections
from c1m.worker.sockets.opener import Opener
from c1m.worker.sockets.reactor import Reactor
from c1m.worker.sockets.route_rotation import RouteRotation

SPACE = TupleSpace(AddressPool((AddressBlock(0x7F000E01, 2, 4),)), PortRanges(((26_600, 26_609),)))  # 127.0.14.1 and .2
TICK = 1 / 64


class Shard:
    """Two routes to two listeners with three connections each, without a loop: the test makes time pass."""

    def __init__(self, backoff: Backoff | None, spare: int) -> None:
        self.listeners = [socket.create_server(("127.0.0.1", 0), backlog=32) for _ in range(2)]
        routes = [Route(listener.getsockname(), 0, 3 + spare, 3) for listener in self.listeners]
        self.rotation = RouteRotation(SPACE, routes)
        self.connections = ClientConnections(socket.AF_INET, 256, paced=True)
        self.reactor = Reactor(self.connections)
        self.opener = Opener(self.connections)
        self.seats = Seats(self.opener, self.rotation, backoff, Random(1), reset=True)
        for leg in self.rotation.legs:
            leg.wanted -= self.opener.open(leg, 3, repeat(time.monotonic()))
        self.settle()

    def settle(self) -> None:
        """Until nothing is in flight; the kernel completes handshakes over loopback by itself."""
        while self.connections.in_flight:
            self.reactor.drain(1.0)

    def held(self, route: int) -> list[int]:
        """The descriptors of the established connections of a route."""
        states = enumerate(self.connections.state)
        return [number for number, state in states if state == ESTABLISHED and self.connections.leg[number] == route]

    def errands(self, route: int) -> list[int]:
        return [self.connections.errand[descriptor] for descriptor in self.held(route)]

    def close(self) -> None:
        self.connections.close_some(0, len(self.connections.state), reset=True)
        self.connections.epoll.close()
        for listener in self.listeners:
            listener.close()


@contextmanager
def shard(backoff: Backoff | None = None, spare: int = 3) -> Iterator[Shard]:
    with closing(Shard(backoff, spare)) as made:
        yield made


def test_a_connection_that_leaves_is_closed_and_its_successor_comes_when_it_is_due() -> None:
    with shard() as it:
        leaver = it.held(1)[0]
        it.seats.vacate(leaver, 20.0, now=10.0)

        assert it.connections.state[leaver] == NOT_OURS
        assert (it.seats.vacated, it.connections.closed, it.seats.empty, len(it.seats.away)) == (1, 1, 1, 1)
        assert 20.0 - TICK <= it.seats.next() <= 20.0 + TICK
        it.seats.welcome(20.0 - 2 * TICK, most=9)
        assert (len(it.held(1)), it.connections.in_flight) == (2, 0)
        it.seats.welcome(20.0 + TICK, most=9)
        it.settle()
        assert ([len(it.held(0)), len(it.held(1))], it.seats.empty, it.seats.next()) == ([3, 3], 0, math.inf)
        assert sorted(it.errands(1)) == [0, 0, SUCCESSOR]
        assert it.seats.reopened == 0  # it was not dropped


def test_a_successor_that_is_due_at_once_waits_only_for_room() -> None:
    with shard() as it:
        for leaver in it.held(0)[:2]:
            it.seats.vacate(leaver, 10.0, now=10.0)

        assert (len(it.seats.away), len(it.seats.back), it.seats.empty, it.seats.next()) == (0, 2, 2, math.inf)
        it.seats.welcome(10.0, most=0)
        assert it.connections.in_flight == 0
        it.seats.welcome(10.0, most=1)
        assert (it.connections.in_flight, len(it.seats.back)) == (1, 1)
        it.seats.welcome(10.0, most=1)
        it.settle()
        assert (len(it.held(0)), it.seats.empty) == (3, 0)


def test_successors_go_where_their_predecessors_were() -> None:
    with shard() as it:
        for leaver in (*it.held(0), *it.held(1)[:1]):
            it.seats.vacate(leaver, 10.0, now=10.0)
        it.seats.welcome(10.0, most=9)
        it.settle()

        assert [len(it.held(0)), len(it.held(1))] == [3, 3]
        assert [sum(bool(errand & SUCCESSOR) for errand in it.errands(route)) for route in (0, 1)] == [3, 1]


def test_a_source_that_was_given_back_is_used_again() -> None:
    with shard(spare=0) as it:
        for leaver in it.held(0):
            it.seats.vacate(leaver, 10.0, now=10.0)
        it.seats.welcome(10.0, most=9)
        it.settle()

        assert len(it.held(0)) == 3


def test_a_seat_for_which_there_is_no_free_source_is_tried_again_soon() -> None:
    with shard(Backoff(1.0, 16.0), spare=0) as it:
        it.seats.lose((0, None, 0), now=10.0)
        it.seats.welcome(12.0, most=9)

        assert (it.connections.in_flight, len(it.seats.away), it.seats.empty) == (0, 1, 1)
        assert 12.0 + AGAIN_SECONDS - TICK <= it.seats.next() <= 12.0 + AGAIN_SECONDS + TICK


@pytest.mark.parametrize(
    ("errand", "storm", "remembered"),
    [
        (0, 0, 1),  # its second try
        (3, 0, 4),
        (14, 0, 15),
        (15, 0, 15),  # no more are counted
        (ARRIVED | 2, 0, 3),  # it was there, which is no storm's merit
        (SUCCESSOR | 2, 0, 3),
        (0b0100_0000, 0, 0b0100_0001),  # it left in a storm before it was lost
        (0b0100_0000, 2, 0b1000_0001),  # and now it is lost in another one
        (0, 3, 0b1100_0001),
    ],
)
def test_a_lost_connection_is_tried_again_and_remembers_its_tries_and_its_storm(
    errand: int, storm: int, remembered: int
) -> None:
    with shard(Backoff(1.0, 16.0)) as it:
        it.seats.lose((1, None, errand), 10.0, storm)

        assert (len(it.seats.waiting), it.seats.empty, it.seats.reopened) == (1, 1, 0)
        assert list(it.seats.waiting.errands.values())[0].tolist() == [1 << 8 | remembered]


@pytest.mark.parametrize(("tries", "longest"), [(0, 1.0), (1, 2.0), (3, 8.0), (4, 16.0), (9, 16.0)])
def test_the_wait_grows_with_the_tries_up_to_its_longest(tries: int, longest: float) -> None:
    with shard(Backoff(1.0, 16.0)) as it:
        for _ in range(200):
            it.seats.lose((0, None, tries), now=10.0)

        due = it.seats.waiting.over(10.0 + longest + TICK)
        assert len(due) == 200
        assert max(it.seats.waiting.ticks, default=0) == 0
        early = Seats(it.opener, it.rotation, Backoff(1.0, 16.0), Random(1), reset=True)
        for _ in range(200):
            early.lose((0, None, tries), now=10.0)
        assert 60 < len(early.waiting.over(10.0 + longest / 2)) < 140  # half of them within half of the time


def test_a_try_in_place_of_a_lost_connection_is_counted_when_it_begins() -> None:
    with shard(Backoff(1.0, 1.0)) as it:
        place = it.connections.close((it.held(0)[0],), reset=True)[0]
        it.seats.lose(place, now=10.0)

        it.seats.welcome(10.0 + 1.0 + TICK, most=9)
        it.settle()

        assert (it.seats.reopened, it.seats.vacated, len(it.held(0)), it.seats.empty) == (1, 0, 3, 0)
        assert sorted(it.errands(0)) == [0, 0, SUCCESSOR | 1]


def test_who_is_established_is_known_as_arrived_and_a_successor_is_counted() -> None:
    with shard() as it:
        it.seats.vacate(it.held(0)[0], 10.0, now=10.0, storm=2)
        it.seats.welcome(10.0, most=9)
        it.settle()
        successor = next(each for each in it.held(0) if it.connections.errand[each] & SUCCESSOR)
        first = next(each for each in it.held(0) if each != successor)

        assert it.seats.settle(first) == 0
        assert (it.seats.arrived, it.connections.errand[first]) == (0, ARRIVED)
        assert it.seats.settle(successor) == 0b1000_0000 | SUCCESSOR
        assert (it.seats.arrived, it.connections.errand[successor]) == (1, ARRIVED)
        it.connections.errand[first] = 0b1110_0101
        it.seats.settle(first)
        assert it.connections.errand[first] == ARRIVED | 5  # it keeps its tries, since it may not last


def test_whether_somebody_is_in_flight_who_is_nobodys_successor() -> None:
    with shard() as it:
        assert not it.seats.is_first_in_flight()

        for leaver in it.held(0):
            it.seats.vacate(leaver, 10.0, now=10.0)
        it.seats.welcome(10.0, most=9)
        assert it.connections.in_flight == 3
        assert not it.seats.is_first_in_flight()

        it.opener.open(it.rotation.legs[1], 1, repeat(0.0))
        assert it.seats.is_first_in_flight()
        it.settle()
        assert not it.seats.is_first_in_flight()


def test_when_the_schedule_falls_empty_seats_go_first_those_whose_successors_are_due() -> None:
    with shard(Backoff(1.0, 1.0)) as it:
        it.seats.lose((1, None, 4), now=10.0)
        it.seats.vacate(it.held(0)[0], 90.0, now=10.0)
        it.seats.vacate(it.held(1)[0], 10.0, now=10.0, storm=1)
        wanted = [leg.wanted for leg in it.rotation.legs]

        due, away = it.seats.forgo(2)
        assert (due, away) == (1 << 8 | 0b0100_0000, 0)
        assert [leg.wanted - before for leg, before in zip(it.rotation.legs, wanted, strict=True)] == [1, 1]
        assert (it.seats.empty, len(it.seats.waiting)) == (1, 1)
        assert list(it.seats.forgo(5)) == [1 << 8 | 5]
        assert (it.seats.empty, list(it.seats.forgo(1))) == (0, [])


def test_seats_without_a_reset_close_in_order_and_tell_the_server() -> None:
    with shard() as it:
        it.seats.reset = False
        leaver = it.held(0)[0]
        source = it.connections.place(leaver)[1]
        accepted = {peer: server for server, peer in (it.listeners[0].accept() for _ in range(3))}

        it.seats.vacate(leaver, 10.0, now=10.0)

        assert source is not None
        accepted[source].settimeout(5.0)
        assert accepted[source].recv(1) == b""  # a FIN, where a RST would raise
        for server in accepted.values():
            server.close()
