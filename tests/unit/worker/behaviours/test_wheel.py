"""The timer wheel against a list that is searched: whatever is set, moved and cancelled, the same are due at the same time."""

import math
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from c1m.worker.behaviours.lifetimes import tick_for
from c1m.worker.behaviours.timer_wheel import TICK_SECONDS, TimerWheel

MOST = 12
TICK = 0.25
SECONDS = st.floats(0, 60) | st.integers(0, 240).map(lambda ticks: ticks * TICK)
DESCRIPTORS = st.integers(0, MOST - 1)


class Against(RuleBasedStateMachine):
    """A wheel of few slots, so that deadlines lie many turns away, beside a dictionary of deadlines."""

    def __init__(self) -> None:
        super().__init__()
        self.timer_wheel = TimerWheel(MOST, slots=7, tick_seconds=TICK)
        self.deadlines: dict[int, float] = {}
        self.now = 0.0

    @rule(descriptor=DESCRIPTORS, ahead=SECONDS)
    def sets(self, descriptor: int, ahead: float) -> None:
        self.timer_wheel.set(descriptor, self.now + ahead)
        self.deadlines[descriptor] = self.now + ahead

    @rule(descriptor=DESCRIPTORS, behind=SECONDS)
    def sets_one_in_the_past(self, descriptor: int, behind: float) -> None:
        self.timer_wheel.set(descriptor, self.now - behind)
        self.deadlines[descriptor] = self.now + TICK  # by then, whatever was swept already

    @rule(descriptor=DESCRIPTORS)
    def cancels(self, descriptor: int) -> None:
        self.timer_wheel.cancel(descriptor)
        self.deadlines.pop(descriptor, None)

    @rule(passing=SECONDS)
    def time_passes(self, passing: float) -> None:
        self.now += passing
        found = self.timer_wheel.due(self.now, MOST)

        assert len(set(found)) == len(found)
        assert set(found) >= {key for key, deadline in self.deadlines.items() if deadline <= self.now - TICK}
        assert set(found) <= {key for key, deadline in self.deadlines.items() if deadline <= self.now + TICK}
        for descriptor in found:
            del self.deadlines[descriptor]

    @rule()
    def sleeps_as_long_as_it_may(self) -> None:
        wake = self.timer_wheel.next()
        assert (wake == math.inf) == (not self.deadlines)
        if self.deadlines:
            assert wake <= min(self.deadlines.values()) + TICK
            self.now = max(self.now, wake)
            found = self.timer_wheel.due(self.now, MOST)
            for descriptor in found:
                del self.deadlines[descriptor]

    @invariant()
    def counts(self) -> None:
        assert len(self.timer_wheel) == len(self.deadlines)


TestAgainst = Against.TestCase


@given(st.lists(SECONDS, min_size=1, max_size=MOST), SECONDS)
def test_nothing_is_early_and_nothing_a_tick_late(deadlines: list[float], now: float) -> None:
    timer_wheel = TimerWheel(len(deadlines), slots=8, tick_seconds=TICK)
    for descriptor, deadline in enumerate(deadlines):
        timer_wheel.set(descriptor, deadline)

    found = {deadlines[descriptor] for descriptor in timer_wheel.due(now, len(deadlines))}

    assert all(deadline <= now for deadline in found)
    assert all(deadline > now - TICK for deadline in set(deadlines) - found)


@given(st.lists(SECONDS, max_size=MOST), st.integers(1, 5))
def test_a_look_takes_no_more_than_it_may_and_the_next_one_takes_the_rest(deadlines: list[float], most: int) -> None:
    timer_wheel = TimerWheel(MOST, slots=8, tick_seconds=TICK)
    for descriptor, deadline in enumerate(deadlines):
        timer_wheel.set(descriptor, deadline)

    taken: list[int] = []
    while some := timer_wheel.due(100.0, most):
        assert len(some) <= most
        taken += some

    assert sorted(taken) == list(range(len(deadlines)))


def test_looking_when_it_says_wakes_seldom() -> None:
    """Through hours of one descriptor: once a turn, not once a tick."""
    timer_wheel = TimerWheel(1)
    timer_wheel.set(0, 3600.0)
    looks, now = 0, 0.0
    while not timer_wheel.due(now, 1):
        now = timer_wheel.next()
        looks += 1

    assert 3600.0 <= now < 3600.0 + timer_wheel.tick_seconds
    assert looks <= 3600.0 / (timer_wheel.slots * timer_wheel.tick_seconds) + 2


def test_a_deadline_in_the_far_future_is_one() -> None:
    timer_wheel = TimerWheel(1)
    timer_wheel.set(0, 1e12)

    assert timer_wheel.due(1e6, 1) == []


def test_eight_bytes_a_descriptor() -> None:
    timer_wheel = TimerWheel(1000)

    assert sum(each.itemsize for each in (timer_wheel.after, timer_wheel.deadline)) == 8
    assert all(len(each) == 1000 for each in (timer_wheel.after, timer_wheel.deadline))


def test_churn_of_a_day_loses_nobody() -> None:
    chance, timer_wheel, now = Random(7), TimerWheel(200), 0.0
    for descriptor in range(200):
        timer_wheel.set(descriptor, chance.expovariate(1 / 120))
    while now < 86_400.0:
        now += 30.0
        for descriptor in timer_wheel.due(now, 200):
            timer_wheel.set(descriptor, now + chance.expovariate(1 / 120))

    assert len(timer_wheel) == 200


@given(st.floats(0.001, 1e6), st.integers(0, 10**6))
def test_ticks_suit_the_lifetimes(mean: float, share: int) -> None:
    tick = tick_for(mean, share)

    assert TICK_SECONDS <= tick <= 1
    assert math.log2(tick).is_integer()
    assert tick == TICK_SECONDS or tick <= mean / 64
    assert tick == TICK_SECONDS or tick * share / mean <= 4
