"""Paces: when connections are due, as arithmetic. Times agree to a microsecond; floats promise no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.addresses import AddressBlock, AddressPool
from c1m.coordinator.fleet import ShardSettings, prepare_request
from c1m.coordinator.plan import PlannedRoute, ShardPlan, WorkerPlan
from c1m.pace import FOREVER, Flat, Steady, pace
from c1m.ports import PortRanges
from c1m.routes import TupleSpace

MICROSECOND = 1e-6
PACES = st.builds(Steady, rate=st.floats(0.001, 100_000), phase=st.floats(0, 100))
TIMES = st.floats(0, 10_000)


@given(PACES, st.integers(0, 10**6))
def test_a_connection_is_due_at_its_time_and_not_before(steady: Steady, index: int) -> None:
    when = steady.when(index)

    assert steady.due(when + MICROSECOND) >= index + 1
    assert steady.due(when - MICROSECOND) <= index


@given(PACES, TIMES, TIMES)
def test_what_is_due_stays_due(steady: Steady, one: float, other: float) -> None:
    assert steady.due(min(one, other)) <= steady.due(max(one, other))


@given(PACES, st.integers(0, 10**6))
def test_connections_are_due_in_their_order(steady: Steady, index: int) -> None:
    assert steady.when(index) < steady.when(index + 1)


@given(PACES, TIMES, st.floats(0, 1_000))
def test_the_rate_is_kept_in_every_window_after_the_phase(steady: Steady, begin: float, length: float) -> None:
    begin += steady.phase
    due = steady.due(begin + length) - steady.due(begin)

    assert abs(due - steady.rate * length) <= 1 + steady.rate * MICROSECOND


@given(PACES, TIMES)
def test_nothing_is_due_before_the_phase(steady: Steady, elapsed: float) -> None:
    assert (steady.due(elapsed) == 0) == (elapsed < steady.phase)
    assert steady.when(0) == steady.phase


@given(TIMES, st.integers(0, 10**6))
def test_a_closed_loop_never_waits(elapsed: float, index: int) -> None:
    assert (Flat().due(elapsed), Flat().when(index)) == (FOREVER, 0.0)


def test_a_rate_of_zero_is_a_closed_loop() -> None:
    assert pace(0, 0.5) == Flat()
    assert pace(5, 0.5) == Steady(5, 0.5)


@pytest.mark.parametrize("position", [0.0, 0.5])  # of a worker among the workers: the first of one, the second of two
def test_shards_of_one_node_start_their_connections_at_instants_spread_evenly(position: float) -> None:
    space = TupleSpace(AddressPool((AddressBlock(10 << 24, 1, 4),)), PortRanges(((5000, 5999),)))
    shards = tuple(ShardPlan((PlannedRoute(0, 250 * index, 250, 250),)) for index in range(4))
    settings = ShardSettings(rate_per_connection=0.1, most_in_flight=1, connect_timeout=1.0, lease=15.0)

    request = prepare_request("run", WorkerPlan("w", space, shards), [("10.0.0.9", 80)], settings, position)

    # 25 a second each, one every 40 ms, and one every 10 ms on the node.
    paces = [pace(shard.rate, shard.phase_seconds) for shard in request.shards]
    assert [each.when(0) for each in paces] == pytest.approx([(index + position) * 0.01 for index in range(4)])
    assert [each.when(1) for each in paces] == pytest.approx([(index + position) * 0.01 + 0.04 for index in range(4)])
