"""The regulator: how many more, and how many too many, at moments that the test chooses, over real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from random import Random
from typing import Any

import pytest
from shards import Server, assignment, nobody, server, stages, taken

from c1m.net.tuples import Address
from c1m.schedule.schedule import NANOSECONDS, Schedule
from c1m.traffic.backoff import Backoff
from c1m.traffic.storm import Storm
from c1m.traffic.turnover import Turnover
from c1m.worker.behaviours.seat_turnover import SeatTurnover
from c1m.worker.shard.assignment import ShardAssignment
from c1m.worker.shard.leavers import AnyOf, Oldest
from c1m.worker.shard.pacer import NEVER
from c1m.worker.shard.regulator import CLOSE_CHUNK, Regulator
from c1m.worker.sockets.connections import ClientConnections
from c1m.worker.sockets.opener import Opener
from c1m.worker.sockets.reactor import Reactor

SECOND = NANOSECONDS


class Bench:
    """A regulator without its loop."""

    def __init__(self, wanted: ShardAssignment, start: float) -> None:
        self.connections = ClientConnections(
            socket.AF_INET, wanted.descriptors, paced=not wanted.settings.rushes or wanted.settings.turnover is not None
        )
        self.reactor = Reactor(self.connections)
        self.opener = Opener(self.connections)
        self.regulator = Regulator(wanted, self.opener, self.reactor, Random(1))
        self.turnover: SeatTurnover | None = None
        self.start = start
        if wanted.settings.turnover:
            self.turnover = SeatTurnover(
                wanted.settings.turnover, self.opener, self.regulator.rotation, start, Random(1), reset=True, most_in_flight=100
            )
            self.connections.behave((self.turnover,))
        self.regulator.begin(start, self.turnover)

    def at(self, seconds: float) -> tuple[int, int, int]:
        """Do what is due at so many seconds; return how many are held, and the openings and closings so far."""
        elapsed = round(seconds * SECOND)
        self.regulator.advance(elapsed)
        while (chunk := self.regulator.openable) > 0:
            self.regulator.open_chunk(chunk)
            self.settle()
        while self.regulator.surplus > 0 and self.connections.established:
            self.regulator.advance(elapsed)
        self.settle()
        self.regulator.note(elapsed)
        return self.connections.established, self.connections.opened, self.connections.closed

    def settle(self) -> None:
        while self.connections.in_flight:
            self.reactor.drain(10.0)

    def act(self, seconds: float) -> None:
        assert self.turnover
        self.turnover.act(self.start + seconds)
        self.settle()

    def close(self) -> None:
        self.connections.close_some(0, len(self.connections.state), reset=True)
        self.connections.epoll.close()


Make = Callable[..., Bench]


@pytest.fixture
def one() -> Iterator[Server]:
    with server() as made:
        yield made


@pytest.fixture
def bench() -> Iterator[Make]:
    with ExitStack() as stack:

        def make(total: int, *destinations: Address, start: float | None = None, **changes: Any) -> Bench:
            made = Bench(assignment(total, *destinations, **changes), time.monotonic() if start is None else start)
            stack.callback(made.close)
            return made

        yield make


def line(*wanted: tuple[int, float]) -> dict[str, Any]:
    return {"rushes": False, "schedule": stages(*wanted)}


def test_it_holds_what_the_schedule_has_at_each_moment(one: Server, bench: Make) -> None:
    it = bench(20, one.address, **line((20, 10), (20, 5), (5, 10), (12, 0)))

    assert [it.at(second)[0] for second in (0, 2.5, 5, 10, 14.9, 20, 24.9, 26, 99)] == [0, 5, 10, 20, 20, 13, 5, 12, 12]
    assert it.at(100) == (12, 27, 15)
    assert it.regulator.stage_times.reached.keys() == {0, 1, 2, 3}


def test_it_says_when_it_is_done(one: Server, bench: Make) -> None:
    it = bench(4, one.address, **line((4, 10), (2, 10)))
    done = []
    for second in (0, 10, 19, 20, 21):
        it.at(second)
        done.append(it.regulator.is_done(second * SECOND))
    assert done == [False, False, False, True, True]

    it = bench(4, one.address)
    assert not it.regulator.is_done(0), "something waits"
    assert it.regulator.openable == 4
    it.regulator.open_chunk(4)
    assert it.connections.in_flight == 4
    assert not it.regulator.is_done(SECOND), "something is in flight"
    it.settle()
    assert it.regulator.is_done(SECOND)


def test_what_waits_counts_and_what_is_in_flight_takes_room(one: Server, bench: Make) -> None:
    it = bench(10, one.address, most_in_flight=6)
    assert (it.regulator.openable, it.regulator.surplus) == (6, 0)
    it.regulator.open_chunk(4)
    assert (it.regulator.openable, it.regulator.surplus, it.regulator.course.waiting) == (2, 0, 6)
    it.settle()
    assert (it.regulator.openable, it.regulator.surplus) == (6, 0)


def test_what_is_too_much_is_closed_before_more_is_opened(one: Server, bench: Make) -> None:
    """The line falls below what is open, while an opening still waits."""
    it = bench(10, one.address, **line((10, 1), (2, 1)), most_in_flight=9)
    it.regulator.advance(SECOND)
    it.regulator.open_chunk(9)
    it.settle()
    it.regulator.course.advance(2 * SECOND)
    assert (it.regulator.course.waiting, it.regulator.course.scheduled, it.connections.established) == (0, 2, 9)
    assert (it.regulator.surplus, it.regulator.openable) == (7, -7)
    it.regulator.advance(2 * SECOND)
    assert (it.regulator.surplus, it.connections.established) == (0, 2)


def test_it_closes_a_chunk_at_a_time(one: Server, bench: Make) -> None:
    it = bench(CLOSE_CHUNK + 10, one.address, **line((CLOSE_CHUNK + 10, 1), (0, 0)))
    it.regulator.advance(SECOND - 1)
    it.regulator.open_chunk(it.regulator.openable)
    it.settle()
    held = it.connections.established
    it.regulator.advance(SECOND)
    assert it.connections.closed == min(CLOSE_CHUNK, held) == CLOSE_CHUNK
    it.regulator.advance(SECOND)
    assert it.connections.established == 0


def test_a_connection_is_due_when_the_line_passed_it(one: Server, bench: Make) -> None:
    it = bench(4, one.address, **line((4, 4)), start=1000.0)
    it.regulator.advance(3 * SECOND)
    assert list(it.regulator.due_times(3)) == [1000.5, 1001.5, 1002.5]
    assert it.regulator.course.next_ns == 3.5 * SECOND


def test_in_a_closed_loop_a_connection_is_due_when_it_is_opened(one: Server, bench: Make) -> None:
    it = bench(4, one.address, start=1000.0)
    before = time.monotonic()
    assert before <= next(it.regulator.due_times(1)) <= time.monotonic()


def test_routes_take_turns_and_none_gets_more_than_its_part(bench: Make) -> None:
    with server() as one, server() as other:
        it = bench(20, one.address, other.address)
        it.regulator.open_chunk(20)
        it.settle()
        assert len(one.accept()) == 10, "a chunk goes to one route, as far as it wants"
        it.regulator.open_chunk(4)
        it.regulator.open_chunk(6)
        it.settle()
        assert len(other.accept()) == 10


def test_connections_without_a_tuple_are_counted_and_give_nothing_back(one: Server, bench: Make) -> None:
    it = bench(6, one.address, **line((6, 1), (2, 1), (6, 1)))
    space = it.regulator.assignment.space
    with taken(list(space.walk(0, 6))[:2]):
        assert it.at(1) == (4, 4, 0)
        assert it.connections.failed == {"EADDRINUSE": 2}
    assert it.at(2)[0] == 2
    assert it.at(3) == (4, 6, 2), "only what it closed itself is free again"
    assert it.connections.failed == {"EADDRINUSE": 4}


def test_what_is_lost_keeps_its_place_until_the_schedule_falls(one: Server, bench: Make) -> None:
    it = bench(10, one.address, **line((10, 1), (10, 1), (4, 1), (10, 1)))
    it.at(1)
    one.accept()
    for connection in one.accepted[:3]:
        connection.close()
    while it.connections.established > 7:
        it.reactor.drain(10.0)
    assert it.at(1.5) == (7, 10, 0)
    assert (len(it.connections.lost), it.regulator.surplus, it.regulator.rotation.wanted) == (3, -3, 0)
    assert it.at(3) == (4, 10, 3)
    assert (len(it.connections.lost), it.regulator.rotation.wanted) == (0, 6)
    assert it.at(4) == (10, 16, 3)


def test_with_a_backoff_what_is_lost_is_left_to_the_turnover(bench: Make) -> None:
    it = bench(4, nobody(), **line((4, 0)), turnover=Turnover(backoff=Backoff(1.0, 8.0)))
    it.at(0)
    it.regulator.advance(SECOND)
    assert len(it.connections.lost) == 4
    it.act(0.5)
    assert (len(it.connections.lost), it.regulator.empty, it.regulator.surplus) == (0, 4, 0)
    assert it.regulator.is_done(SECOND)
    it.regulator.note(SECOND)
    assert it.regulator.turns() == (0, 0)


def test_successors_are_no_openings_for_the_schedule(one: Server, bench: Make) -> None:
    it = bench(10, one.address, spare=10, **line((10, 0)), turnover=Turnover(storms=(Storm(5.0, 0.5, 2.0),)))
    it.at(0)
    it.act(5.0)
    assert (it.regulator.empty, it.regulator.surplus) == (5, 0)
    assert it.regulator.turns() == (10, 0), "what left in a storm was no closing for the schedule"
    it.act(7.1)
    assert (it.connections.opened, it.connections.closed) == (15, 5)
    assert it.regulator.turns() == (10, 0)
    assert it.regulator.empty == 0


def test_a_falling_schedule_closes_who_is_there_and_then_gives_up_who_is_away(one: Server, bench: Make) -> None:
    it = bench(10, one.address, spare=10, **line((10, 0), (10, 6), (2, 0)), turnover=Turnover(storms=(Storm(5.0, 0.5, 90.0),)))
    it.at(0)
    it.act(5.0)
    assert it.at(5.5)[0] == 5
    it.regulator.advance(6 * SECOND)
    assert (it.connections.established, it.regulator.empty) == (0, 2)
    assert it.turnover
    (wave,) = it.turnover.storms.waves
    assert (wave.dropped, wave.forgone) == (5, 3)
    assert it.regulator.turns() == (10, 5)


@pytest.mark.parametrize("oldest", [True, False])
def test_who_leaves_is_as_it_was_asked(one: Server, bench: Make, oldest: bool) -> None:
    it = bench(4, one.address, oldest_first=oldest)
    assert isinstance(it.regulator.departures, Oldest if oldest else AnyOf)


def test_a_halted_regulator_is_done_and_closes_nothing(one: Server, bench: Make) -> None:
    it = bench(10, one.address, **line((10, 10), (0, 10)))
    it.at(5)
    it.regulator.halt()
    assert it.regulator.is_done(6 * SECOND)
    assert it.at(30) == (5, 5, 0)
    assert it.regulator.course.next_ns == NEVER


# -- another schedule


def turned(it: Bench, at: float, schedule: Schedule, kept: int) -> tuple[int, int, int]:
    it.regulator.retarget(schedule, kept, round(at * SECOND))
    return it.at(at)


def test_another_schedule_is_gone_over_to_from_the_line(one: Server, bench: Make) -> None:
    it = bench(20, one.address, **line((20, 20)))
    assert it.at(10)[0] == 10
    schedule = it.regulator.assignment.settings.schedule.cut(10 * SECOND, stages((4, 6)).stages)
    assert turned(it, 10, schedule, 0)[0] == 10
    assert it.regulator.end_ns == 16 * SECOND
    assert [it.at(second)[0] for second in (13, 16, 30)] == [7, 4, 4]
    assert not it.regulator.is_done(15 * SECOND)
    assert it.regulator.is_done(16 * SECOND)


def test_after_a_closed_loop_every_connection_finds_its_route(bench: Make) -> None:
    with server() as one, server() as other:
        it = bench(20, one.address, other.address)
        assert it.at(0)[0] == 20
        assert not it.connections.paced
        assert turned(it, 1, stages((20, 0), (20, 1), (6, 1)), 1) == (20, 20, 0)
        assert it.connections.paced
        assert it.at(3) == (6, 20, 14)
        assert it.regulator.rotation.wanted == 14
        it.regulator.retarget(stages((20, 0), (20, 1), (6, 1), (6, 1), (20, 0)), 3, 4 * SECOND)
        assert it.at(4) == (20, 34, 14)
        assert (len(one.accept()), len(other.accept())) == (17, 17) or len(one.accepted) + len(other.accepted) == 34
        assert it.regulator.rotation.wanted == 0


def test_who_joins_opens_what_is_due_by_then_and_goes_on_from_there(one: Server, bench: Make) -> None:
    it = bench(20, one.address, **line((20, 10), (20, 10), (10, 10)))
    it.regulator.join(25 * SECOND, {0: 10 * SECOND, 1: 11 * SECOND})
    assert it.at(25)[0] == 15
    assert it.at(30) == (10, 15, 5)
    assert it.regulator.stage_times.reached == {0: 10 * SECOND, 1: 11 * SECOND, 2: 30 * SECOND}


def test_who_joins_a_closed_loop_opens_everything(one: Server, bench: Make) -> None:
    it = bench(5, one.address)
    it.regulator.join(25 * SECOND, {})
    assert it.at(25) == (5, 5, 0)


def test_poisson_arrivals_are_all_there_when_their_line_ends(one: Server, bench: Make) -> None:
    it = bench(10, one.address, scattered=True, **line((10, 10), (10, 5), (4, 5)))
    held = [it.at(second)[0] for second in (2, 4, 6, 8, 10, 15, 20)]
    assert held == sorted(held[:5]) + [10, 4]
    assert held[4] == 10
    assert turned(it, 21, stages((10, 10), (10, 5), (4, 5), (4, 1), (10, 4)), 3)[0] == 4
    assert it.at(25)[0] == 10


def test_it_is_not_done_while_a_single_connection_is_too_much(one: Server, bench: Make) -> None:
    it = bench(2, one.address, **line((2, 1), (1, 1)))
    it.at(1)
    it.regulator.course.advance(2 * SECOND)
    assert (it.regulator.surplus, it.regulator.is_done(2 * SECOND)) == (1, False)
    it.at(2)
    assert it.regulator.is_done(2 * SECOND)


def test_who_is_away_counts_as_held_for_a_stage(one: Server, bench: Make) -> None:
    it = bench(10, one.address, spare=10, **line((10, 0), (10, 6), (4, 1)), turnover=Turnover(storms=(Storm(5.0, 0.5, 90.0),)))
    it.at(0)
    it.act(5.0)
    it.regulator.note(6 * SECOND + SECOND // 2)
    assert it.regulator.stage_times.reached.keys() == {0, 1}, "ten are held, five of them away"


def test_who_is_away_stays_wanted_when_closing_the_others_is_enough(one: Server, bench: Make) -> None:
    it = bench(10, one.address, spare=10, **line((10, 0), (10, 6), (5, 0)), turnover=Turnover(storms=(Storm(5.0, 0.5, 90.0),)))
    it.at(0)
    it.act(5.0)
    it.regulator.advance(6 * SECOND)
    assert (it.connections.established, it.regulator.empty, it.regulator.surplus) == (0, 5, 0)


def test_what_was_due_before_another_schedule_keeps_its_time(one: Server, bench: Make) -> None:
    it = bench(20, one.address, **line((20, 20)), start=1000.0)
    it.regulator.advance(2 * SECOND)
    it.regulator.retarget(stages((20, 20)).cut(4 * SECOND, stages((6, 4)).stages), 0, 4 * SECOND)
    assert list(it.regulator.due_times(4)) == [1000.5, 1001.5, 1002.5, 1003.5]
