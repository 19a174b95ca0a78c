"""The quotas of a worker's operator: what any run may do here, to the number, and the sentence for one that may not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from c1m.errors import RefusedError
from c1m.limits.limit import NO_LIMIT
from c1m.measure.phase import Close
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import TupleSpace
from c1m.orders.shard_settings import ShardSettings
from c1m.schedule.node_schedule import NodeSchedule
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import Arrival, Revision, Schedule, straight
from c1m.schedule.shapes import parse_shape, schedule_of
from c1m.text.units import parse_bits, parse_count, parse_rate
from c1m.traffic.backoff import Backoff
from c1m.traffic.distribution import Distribution
from c1m.traffic.heartbeat import Heartbeat
from c1m.traffic.slow_clients import SlowClients
from c1m.traffic.storm import Storm
from c1m.traffic.turnover import Turnover
from c1m.worker.node.quotas import Quotas, bits_of, of_one_at_least
from c1m.worker.shard.assignment import ShardAssignment


def following(schedule: Schedule, size: int, arrival: Arrival = Arrival.CONSTANT, peak: int = 2_000) -> NodeSchedule:
    """A node with two shards that together have ``size`` connections of a run's ``peak``."""
    one = size // 2
    return NodeSchedule((RingShare(peak, 0, one), RingShare(peak, one, size - one)), Revision(schedule), arrival)


def in_time(seconds: float, size: int = 1_000) -> NodeSchedule:
    return following(straight(2_000, seconds), size)


def shapes(*words: str) -> Schedule:
    return schedule_of([parse_shape(word) for word in words])


FIXED_10 = Distribution("fixed", 10.0, 10.0)


# -- connections


def test_a_worker_opens_up_to_its_quota_of_connections() -> None:
    quotas = Quotas(connections=1_000)

    quotas.check(in_time(1.0, 1_000), None, 0.0)
    with pytest.raises(RefusedError, match=r"is to open 1,001 connections, and may open 1,000 \(--most-connections\)"):
        quotas.check(in_time(1.0, 1_001), None, 0.0)


def test_without_quotas_everything_is_allowed() -> None:
    storms = (Storm(1.0),)

    Quotas().check(following(straight(2_000, 0.0), 2_000, Arrival.CLOSED_LOOP), Turnover(storms=storms), math.inf)
    Quotas().check_rate(in_time(0.0), straight(2_000, 0.0))


# -- rate


@pytest.mark.parametrize(("seconds", "allowed"), [(20.0, True), (19.9, False)])
def test_the_rate_is_the_nodes_part_of_the_schedules_steepest_line(seconds: float, allowed: bool) -> None:
    """Half of 2,000 connections in 20 s are 50 a second."""
    quotas = Quotas(rate=50.0)
    if allowed:
        quotas.check(in_time(seconds), None, 0.0)
        return
    with pytest.raises(RefusedError, match=r"is to open 50 connections a second at times, and may open 50 \(--most-rate\)"):
        quotas.check(in_time(seconds), None, 0.0)


def test_a_run_that_opens_at_once_or_as_fast_as_it_can_exceeds_any_rate() -> None:
    quotas = Quotas(rate=1e9)

    with pytest.raises(RefusedError, match=r"is to open connections at once, and may open 1,000,000,000 a second"):
        quotas.check(following(shapes("step:2k@9s"), 10), None, 0.0)
    with pytest.raises(RefusedError, match="the run opens as fast as it can; give it --rate or --ramp"):
        quotas.check(following(straight(2_000, 20.0), 10, Arrival.CLOSED_LOOP), None, 0.0)


def test_a_retarget_is_checked_by_its_own_line() -> None:
    """2,000 more within 10 s, of which a node with half of the peak opens 100 a second."""
    Quotas(rate=100.0).check_rate(in_time(20.0), shapes("2k@10s"))
    with pytest.raises(RefusedError, match="is to open 100 connections a second at times, and may open 99"):
        Quotas(rate=99.0).check_rate(in_time(20.0), shapes("2k@10s"))


@pytest.mark.parametrize(
    ("turnover", "rate"),
    [
        (Turnover(FIXED_10), 100.0),
        (Turnover(FIXED_10, Distribution("uniform", 5.0, 25.0)), 40.0),  # a downtime of 15 s on average
        (Turnover(storms=(Storm(5.0, 0.5, 10.0), Storm(9.0, 0.3, 2.0))), 150.0),  # the second: 300 within 2 s
        (Turnover(FIXED_10, storms=(Storm(5.0, 0.1, 10.0),)), 100.0),
        (Turnover(FIXED_10, storms=(Storm(5.0, 1.0, 5.0),)), 200.0),
    ],
)
def test_replacements_count_as_openings(turnover: Turnover, rate: float) -> None:
    Quotas(rate=rate).check(in_time(40.0), turnover, 0.0)
    with pytest.raises(
        RefusedError, match=rf"is to replace {rate:,.0f} connections a second at times, and may open {rate - 0.5:,.0f} \("
    ):
        Quotas(rate=rate - 0.5).check(in_time(40.0), turnover, 0.0)


def test_a_storm_whose_connections_return_at_once_exceeds_any_rate() -> None:
    with pytest.raises(RefusedError, match="is to replace inf connections a second"):
        Quotas(rate=1e9).check(in_time(40.0), Turnover(storms=(Storm(5.0),)), 0.0)


def test_how_often_a_connection_is_tried_again_is_unknown_and_refused() -> None:
    with pytest.raises(RefusedError, match="how often --reopen tries is not known before the run; leave it out"):
        Quotas(rate=1e9).check(in_time(40.0), Turnover(backoff=Backoff(0.1, 30.0)), 0.0)


def test_a_rate_is_no_matter_without_a_quota_for_it() -> None:
    Quotas(connections=10**6, bandwidth=1e9).check(in_time(0.0), Turnover(FIXED_10, backoff=Backoff(0.1, 30.0)), 1.0)


# -- bandwidth


def test_a_plan_may_use_all_of_the_bandwidth() -> None:
    quotas = Quotas(bandwidth=1e6)

    quotas.check(in_time(1.0), None, 1e6)
    quotas.check_bandwidth(1e6 * (1 + 1e-12))  # sums of floats
    with pytest.raises(
        RefusedError, match=r"is to send 1\.01 Mbit/s at times, and may send 1 Mbit/s \(--most-bandwidth\); let connections"
    ):
        quotas.check(in_time(1.0), None, 1.01e6)
    with pytest.raises(RefusedError, match=r"may send 1 Mbit/s \(--most-bandwidth\), and what a run sends .* is not known"):
        quotas.check_bandwidth(math.inf)


@pytest.mark.parametrize(
    ("wanted", "reset", "version", "rate"),
    [
        (0.0, True, 4, 1_000.0),  # unlimited: as many RSTs of 52 bytes as fit
        (0.0, False, 4, 500.0),
        (0.0, True, 6, 416_000 / (8 * 72)),
        (999.0, True, 4, 999.0),
        (1_001.0, True, 4, 1_000.0),
    ],
)
def test_connections_are_closed_within_the_bandwidth(wanted: float, reset: bool, version: int, rate: float) -> None:
    assert Quotas(bandwidth=416_000.0).close_rate(wanted, reset=reset, version=version) == pytest.approx(rate)
    assert Quotas().close_rate(wanted, reset=reset, version=version) == wanted


def test_a_run_ends_however_little_may_be_sent() -> None:
    assert Quotas(bandwidth=1.0).close_rate(0.0, reset=True, version=4) == 1.0
    assert Quotas(bandwidth=1.0).close_rate(0.25, reset=True, version=4) == 0.25  # as the run asked


def assignment(version: int = 4, **changed: Any) -> ShardAssignment:
    space = TupleSpace(AddressPool((AddressBlock(10 << 24, 10, version),)), PortRanges(((5000, 5999),)))
    settings = ShardSettings(straight(2_000, 20.0), 2_000, 1, 1.0, 15.0, 1)
    return ShardAssignment(0, space, (), RingShare(2_000, 0, 500), replace(settings, **changed), 1_000, 0.001)


@pytest.mark.parametrize(
    ("like", "bits"),
    [
        (assignment(), 8 * 50 * 112),  # 50 handshakes a second: a SYN of 60 bytes and an ACK of 52
        (assignment(6), 8 * 50 * 152),
        (assignment(heartbeat=Heartbeat(5.0)), 8 * (50 * 112 + 1_000 * (64 + 2 * 52) / 5)),
        (assignment(keepalive=2), 8 * (50 * 112 + 1_000 * 52 / 2)),
        (assignment(slow=SlowClients(0.5, b"x")), 8 * (50 * 112 + 1_000 * 53 * 2)),
        (assignment(pushed=True, push_rate=3.0), 8 * (50 * 112 + 1_000 * 3 * 52)),
        (assignment(turnover=Turnover(FIXED_10)), 8 * (150 * 112 + 100 * 52)),
        (assignment(turnover=Turnover(FIXED_10), close=Close.FIN), 8 * (150 * 112 + 100 * 2 * 52)),
    ],
)
def test_what_a_node_sends_is_counted_in_packets(like: ShardAssignment, bits: float) -> None:
    assert bits_of(in_time(20.0), like) == pytest.approx(bits)


def test_what_a_run_without_a_pace_sends_is_unknown() -> None:
    assert bits_of(following(straight(2_000, 20.0), 10, Arrival.CLOSED_LOOP), assignment()) == math.inf


# -- what an operator writes, and what a planner reads


def test_the_planner_reads_quotas_as_limits() -> None:
    assert Quotas(1_000, 50.5, 1e6).to_limits() == {"most_connections": 1_000, "most_rate": 50, "most_bandwidth": 1_000_000}
    assert set(Quotas().to_limits().values()) == {NO_LIMIT}


@pytest.mark.parametrize(("parse", "one"), [(parse_count, "1"), (parse_rate, "60/m"), (parse_bits, "1bit/s")])
def test_a_quota_of_less_than_one_is_refused(parse: Callable[[str], float], one: str) -> None:
    assert of_one_at_least(parse)(one) == 1
    with pytest.raises(ValueError, match="'0' is less than 1, and lets no run open anything here; give 1 or more"):
        of_one_at_least(parse)("0")
