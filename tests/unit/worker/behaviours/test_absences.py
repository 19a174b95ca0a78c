"""The calendar of who is away, against a sorted list."""

import math

from hypothesis import given
from hypothesis import strategies as st

from c1m.worker.behaviours.timer_wheel import TICK_SECONDS, ReturnCalendar

ERRANDS = st.integers(0, 2**32 - 1)
AWAY = st.lists(st.tuples(st.floats(0, 100), ERRANDS), max_size=30)


@given(AWAY, st.lists(st.floats(0, 110), max_size=10))
def test_everybody_comes_back_once_in_time_and_never_early(away: list[tuple[float, int]], looks: list[float]) -> None:
    return_calendar = ReturnCalendar()
    for until, errand in away:
        return_calendar.add(until, errand)
    left = sorted(away)
    for now in [*sorted(looks), 120.0]:
        back = return_calendar.over(now)

        expected = [errand for until, errand in left if math.ceil(until / TICK_SECONDS) * TICK_SECONDS <= now]
        left = [(until, errand) for until, errand in left if math.ceil(until / TICK_SECONDS) * TICK_SECONDS > now]
        assert sorted(back) == sorted(expected)
        assert len(return_calendar) == len(left)
    assert not return_calendar.over(10_000)


@given(AWAY, st.floats(0, 1))
def test_it_says_when_to_look(away: list[tuple[float, int]], phase: float) -> None:
    return_calendar = ReturnCalendar(phase)
    for until, errand in away:
        return_calendar.add(until, errand)

    looks = 0
    while len(return_calendar):
        now = return_calendar.next()
        assert return_calendar.over(now - TICK_SECONDS / 2) == []
        assert return_calendar.over(now + 1e-9)  # floats
        looks += 1
    assert return_calendar.next() == math.inf
    assert looks <= len(away)


@given(AWAY, st.floats(0, 1), st.floats(0, 110))
def test_whatever_its_phase_nobody_is_early_or_a_tick_late(away: list[tuple[float, int]], phase: float, now: float) -> None:
    return_calendar = ReturnCalendar(phase)
    for number, (until, _) in enumerate(away):
        return_calendar.add(until, number)

    back = {away[number][0] for number in return_calendar.over(now)}
    assert all(until <= now + 1e-9 for until in back)
    assert all(until > now - TICK_SECONDS - 1e-9 for until in {until for until, _ in away} - back)


def test_in_the_order_of_their_times() -> None:
    return_calendar = ReturnCalendar()
    for until in (3, 1, 2):
        return_calendar.add(until, until)

    assert return_calendar.over(5) == [1, 2, 3]
