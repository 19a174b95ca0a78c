"""What servers end, what ends with its lifetime or in a storm, and who takes each place."""

from __future__ import annotations

import time
from typing import Any

import pytest
from shards import assignment, nobody, retarget_order, running, server, stages, start_order, stop_turnover_order

from c1m.measure.phase import Phase
from c1m.traffic.backoff import Backoff
from c1m.traffic.distribution import Distribution
from c1m.traffic.slow_clients import SlowClients
from c1m.traffic.storm import CLIENTS, TARGET, Storm
from c1m.traffic.turnover import Turnover

pytestmark = pytest.mark.trio

SOON = Backoff(0.01, 0.02)


def fixed(seconds: float) -> Distribution:
    return Distribution("fixed", seconds, seconds)


@pytest.mark.parametrize(("reset", "cause"), [(True, "peer_reset"), (False, "peer_closed")])
async def test_what_a_server_ends_is_dropped_and_not_opened_again(reset: bool, cause: str) -> None:
    with server() as one:
        async with running(assignment(10, one.address)) as it:
            await it.start()
            await it.holds()
            one.accept()
            one.hang_up(4, reset=reset)
            await it.until(lambda: it.tally.dropped)
            await it.until(lambda: it.tally.open == 6)
            assert (it.tally.attempted, dict(it.tally.dropped), it.phase) == (10, {cause: 4}, Phase.HOLDING)
            assert sum(it.latencies("alive_after_us").values()) == 4


async def test_the_last_word_of_a_server_is_kept() -> None:
    with server() as one:
        async with running(assignment(2, one.address)) as it:
            await it.start()
            await it.holds()
            for connection in one.accept():
                connection.send(b"too many connections" + b"." * 400)
            one.hang_up(reset=False)
            await it.until(lambda: it.tally.dropped.get("peer_closed") == 2)
            assert it.child.heard.startswith(b"too many connections")
            assert len(it.child.heard) == 200
            assert it.tally.bytes_received == 2 * 420
            assert sum(it.latencies("first_byte_us").values()) == 2


async def test_a_place_that_was_lost_is_only_given_back_when_the_schedule_falls() -> None:
    with server() as one:
        wanted = assignment(10, one.address, rushes=False, schedule=stages((10, 0)))
        async with running(wanted) as it:
            began = time.monotonic()
            await it.start(began)
            await it.holds()
            one.accept()
            one.hang_up(4)
            await it.until(lambda: it.tally.open == 6)
            hold = time.monotonic() - began + 0.02
            await it.order(retarget_order(stages((10, 0), (10, hold), (2, 0.02), (10, 0.02)), 1))
            await it.until(lambda: it.tally.opened == 18 and it.phase is Phase.HOLDING)
            assert (it.tally.closed, it.tally.open) == (4, 10), "the four that were lost left no more to close"
            assert dict(it.tally.failed) == {}


async def test_what_is_dropped_is_opened_again_after_a_wait() -> None:
    with server() as one:
        async with running(assignment(10, one.address, turnover=Turnover(backoff=SOON))) as it:
            await it.start()
            await it.holds()
            one.accept()
            one.hang_up()
            await it.until(lambda: it.tally.opened == 20)
            assert (it.tally.open, it.tally.reopened, it.tally.waiting) == (10, 10, 0)
            assert it.tally.dropped == {"peer_reset": 10}


async def test_what_fails_is_tried_again_until_turnover_stops() -> None:
    async with running(assignment(10, nobody(), turnover=Turnover(backoff=SOON))) as it:
        await it.start()
        await it.until(lambda: it.tally.reopened >= 30)
        assert it.tally.attempted == it.tally.failed["ECONNREFUSED"] + it.tally.in_flight
        assert it.phase is Phase.HOLDING, "the hold does not wait for those that are tried again"
        await it.order(stop_turnover_order())
        await it.until(lambda: it.child.turnover_stopped)
        tried = it.tally.attempted
        await it.until(lambda: it.tally.waiting == 10)
        assert it.tally.attempted == tried


@pytest.mark.parametrize("downtime", [0.0, 0.03])
async def test_lifetimes_end_and_successors_come(downtime: float) -> None:
    with server() as one:
        lives = Turnover(lifetime=fixed(0.05), downtime=fixed(downtime))
        async with running(assignment(10, one.address, spare=10, turnover=lives)) as it:
            await it.start()
            await it.holds()
            await it.until(lambda: it.tally.replaced >= 20)
            await it.order(stop_turnover_order())
            await it.until(lambda: it.child.turnover_stopped and it.tally.in_flight == 0)
            tally = it.tally
            assert tally.closed == tally.replaced
            assert tally.open + tally.away == 10
            assert tally.opened == 10 + tally.replaced - tally.away
            assert dict(tally.dropped) == {}


async def test_a_stage_is_reached_by_openings_for_the_schedule_and_not_by_successors() -> None:
    """Five are refused for good; five live so short that successors of theirs were opened often. The stage of ten is never
    reached, however many arrived.
    """
    with server() as one:
        lives = Turnover(lifetime=fixed(0.03))
        wanted = assignment(10, one.address, nobody(), spare=10, turnover=lives, schedule=stages((10, 0)))
        async with running(wanted) as it:
            await it.start()
            await it.until(lambda: it.tally.opened >= 15)
            assert not it.child.reached_ns


@pytest.mark.parametrize("away", [0.0, 60.0])
async def test_a_falling_schedule_gives_up_those_that_are_away_last(away: float) -> None:
    with server() as one:
        lives = Turnover(storms=(Storm(0.2, 0.5, away),))
        wanted = assignment(20, one.address, spare=20, rushes=False, schedule=stages((20, 0)), turnover=lives)
        async with running(wanted) as it:
            await it.start()
            await it.until(lambda: sum(wave.dropped for wave in it.child.waves) == 10)
            await it.order(retarget_order(stages((20, 0), (4, 0.02)), 1))
            await it.until(lambda: it.tally.open + it.tally.away == 4 and it.phase is Phase.HOLDING)
            (wave,) = it.child.waves
            assert wave.returned + wave.forgone <= 10
            assert it.tally.closed == 10 + 10 if away else it.tally.opened == 30


async def test_a_storm_by_the_clients_takes_a_share_and_brings_it_back() -> None:
    with server() as one:
        storm = Turnover(storms=(Storm(0.2, 0.25, 0.05, CLIENTS),))
        async with running(assignment(20, one.address, spare=20, turnover=storm)) as it:
            await it.start()
            await it.until(lambda: it.child.waves and it.child.waves[0].is_over)
            (wave,) = it.child.waves
            assert (wave.dropped, wave.returned, wave.forgone) == (5, 5, 0)
            assert 0.03 < wave.recovered_seconds < 5
            assert 0 < wave.slowest_seconds < 5
            assert (it.tally.open, it.tally.opened, it.tally.closed, it.tally.away) == (20, 25, 5, 0)


async def test_what_the_target_drops_in_its_storm_is_counted_as_the_storms() -> None:
    with server() as one:
        storm = Turnover(backoff=SOON, storms=(Storm(0.3, 0.5, by=TARGET),))
        async with running(assignment(10, one.address, spare=10, turnover=storm)) as it:
            await it.start(time.monotonic() - 0.3)
            await it.holds()
            one.accept()
            one.hang_up(5)
            await it.until(lambda: it.child.waves[0].is_over)
            (wave,) = it.child.waves
            assert (wave.dropped, wave.returned) == (5, 5)
            assert (dict(it.tally.dropped), it.tally.reopened, it.tally.open) == ({"peer_reset": 5}, 5, 10)


async def test_what_is_dropped_outside_a_storm_is_not_the_storms() -> None:
    with server() as one:
        storm = Turnover(backoff=SOON, storms=(Storm(60.0, 0.5, by=TARGET),))
        async with running(assignment(10, one.address, spare=10, turnover=storm)) as it:
            await it.start()
            await it.holds()
            one.accept()
            one.hang_up(5)
            await it.until(lambda: it.tally.opened == 15)
            assert it.child.waves[0].dropped == 0


async def test_who_joins_takes_no_part_in_storms_that_are_over() -> None:
    with server() as one:
        storm = Turnover(storms=(Storm(0.01, 1.0), Storm(60.0, 1.0)))
        async with running(assignment(5, one.address, turnover=storm)) as it:
            now = time.monotonic()
            await it.order(start_order(now - 10, joined=now))
            await it.holds()
            await it.until(lambda: it.child.waves)
            assert [wave.dropped for wave in it.child.waves] == [0, 0]
            assert it.tally.open == 5


@pytest.mark.parametrize(("slow", "dropped", "half_closed"), [(None, 3, 0), (SlowClients(half_open=True), 0, 3)])
async def test_half_open_clients_stay_when_the_server_has_closed_its_side(slow: Any, dropped: int, half_closed: int) -> None:
    with server() as one:
        async with running(assignment(3, one.address, slow=slow)) as it:
            await it.start()
            await it.holds()
            for connection in one.accept():
                connection.shutdown(1)
            await it.until(lambda: it.tally.open == 0)
            assert (it.tally.dropped.get("peer_closed", 0), it.tally.half_closed) == (dropped, half_closed)
            if slow:
                assert sum(it.latencies("half_closed_after_us").values()) == 3
                one.hang_up(2)
                await it.until(lambda: it.tally.dropped == {"peer_reset": 2})
                assert it.tally.half_closed == 1
                await it.close()
                assert (it.tally.closed, it.tally.half_closed) == (1, 0)
