"""Schedules: the whole number nearest to the line, at every nanosecond, and when each connection's turn is."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.schedule.schedule import NANOSECONDS, Revision, Schedule, Stage, nanoseconds, straight

SECOND = NANOSECONDS
STAGES = st.builds(Stage, st.integers(0, 40), st.integers(0, 60))
SCHEDULES = st.lists(STAGES, max_size=6).map(lambda stages: Schedule(tuple(stages)))
NAMED = Schedule((Stage(100, 10 * SECOND), Stage(100, 5 * SECOND), Stage(20, 4 * SECOND), Stage(50, 0)))


@pytest.mark.parametrize(
    ("seconds", "open_then", "why"),
    [
        (-1, 0, "it has not begun"),
        (0, 0, "at the foot"),
        (0.04, 0, "the line is at 0.4"),
        (0.05, 1, "at a half it is due"),
        (5, 50, "half way up"),
        (9.96, 100, "the line is at 99.6"),
        (12, 100, "it rests"),
        (17, 60, "half way down"),
        (18.99, 20, "the line is at 20.2"),
        (19, 50, "it jumps"),
        (1000, 50, "the last number stays"),
    ],
)
def test_the_number_is_the_nearest_to_the_line(seconds: float, open_then: int, why: str) -> None:
    assert NAMED.at(round(seconds * SECOND)) == open_then, why


@given(SCHEDULES, st.integers(0, 400))
def test_it_is_never_more_than_half_a_connection_off(schedule: Schedule, elapsed: int) -> None:
    line = next((line for line in schedule.lines if line.begin_ns <= elapsed < line.end_ns), None)
    if line is None:
        return
    exact = line.origin + Fraction(elapsed - line.begin_ns, line.end_ns - line.begin_ns) * line.rise

    assert abs(schedule.at(elapsed) - exact) <= Fraction(1, 2)


@given(SCHEDULES)
def test_each_connection_has_its_nanosecond_up_and_down(schedule: Schedule) -> None:
    for line in schedule.lines:
        if line.begin_ns == line.end_ns:
            continue
        for number in range(line.origin, line.total):
            due = line.rises_past(number)
            assert line.begin_ns <= due <= line.end_ns
            assert line.at(due) > number >= line.at(due - 1)
        for number in range(line.total, line.origin):
            due = line.falls_below(number)
            assert line.begin_ns <= due <= line.end_ns + 1
            assert line.at(due) <= number < line.at(due - 1)


@given(SCHEDULES, st.integers(0, 400))
def test_what_was_due_are_the_rises_until_then(schedule: Schedule, elapsed: int) -> None:
    rises = 0
    for line in schedule.lines:
        rises += sum(line.rises_past(number) <= elapsed for number in range(line.origin, line.total))

    assert schedule.due_by(elapsed) == rises


@given(SCHEDULES, st.integers(0, 400), st.lists(STAGES, max_size=3), st.integers(0, 400))
def test_a_cut_schedule_is_the_old_one_and_then_the_new_one(
    schedule: Schedule, when: int, stages: list[Stage], after: int
) -> None:
    cut = schedule.cut(when, stages)

    assert cut.at(when + after) == Schedule((Stage(schedule.at(when), 0), *stages)).at(after)
    assert cut.stages[: schedule.kept(when)] == schedule.stages[: schedule.kept(when)]


def test_where_the_line_stands_still() -> None:
    schedule = Schedule((Stage(5, 10), Stage(5, 3), Stage(5, 4), Stage(9, 0), Stage(9, 8), Stage(0, 5), Stage(0, 2)))

    assert list(schedule.rests()) == [(10, 17, 5), (17, 25, 9), (30, 32, 0)]


def test_the_ends_of_schedules() -> None:
    assert (Schedule(()).at(5), Schedule(()).peak, Schedule(()).end_ns) == (0, 0, 0)
    assert (straight(30, 1.5).peak, straight(30, 1.5).end_ns) == (30, 1_500_000_000)
    assert straight(30, 0).at(0) == 30


@pytest.mark.parametrize(
    ("stages", "steepest"),
    [
        ((), 0.0),
        ((Stage(100, 10 * SECOND),), 10.0),
        ((Stage(100, 10 * SECOND), Stage(140, 2 * SECOND), Stage(150, 5 * SECOND)), 20.0),
        ((Stage(100, 10 * SECOND), Stage(0, SECOND)), 10.0),  # a fall is no rise
        ((Stage(100, 10 * SECOND), Stage(100, 0), Stage(0, 0)), 10.0),
        ((Stage(100, 10 * SECOND), Stage(101, 0)), 0.0),  # at once: there is no such number
        ((Stage(1, 500_000_000),), 2.0),
    ],
)
def test_the_steepest_rise_in_connections_a_second(stages: tuple[Stage, ...], steepest: float) -> None:
    assert Schedule(stages).steepest == steepest


@pytest.mark.parametrize(
    ("seconds", "due", "kept"),
    [(-1, 0, 0), (0, 0, 0), (5, 50, 0), (10, 100, 1), (15, 100, 2), (18, 100, 2), (19, 130, 4), (99, 130, 4)],
)
def test_what_was_due_by_a_time_and_which_stages_it_leaves(seconds: int, due: int, kept: int) -> None:
    assert (NAMED.due_by(seconds * SECOND), NAMED.kept(seconds * SECOND)) == (due, kept)


def test_a_cut_adds_the_part_of_a_line_that_was_followed_which_nobody_wrote() -> None:
    assert NAMED.cut(4 * SECOND, [Stage(7, SECOND)]).stages == (Stage(40, 4 * SECOND, named=False), Stage(7, SECOND))
    assert NAMED.cut(10 * SECOND, [Stage(7, SECOND)]).stages == (Stage(100, 10 * SECOND), Stage(7, SECOND))
    assert NAMED.cut(0, [Stage(7, SECOND)]).stages == (Stage(7, SECOND),)


def test_each_retarget_is_a_version_more_from_its_time_on() -> None:
    first = Revision(straight(100, 10.0))
    second = first.next(4 * SECOND, [Stage(7, SECOND)])

    assert (first.version, first.since_ns, second.version, second.since_ns) == (1, 0, 2, 4 * SECOND)
    assert (second.schedule.at(4 * SECOND), second.schedule.at(5 * SECOND)) == (40, 7)
    assert second.next(9 * SECOND, [Stage(1, 0)]).version == 3


def test_a_line_that_falls_at_once_is_below_each_number_at_that_moment() -> None:
    (_, line) = Schedule((Stage(5, 10), Stage(2, 0))).lines

    assert [line.falls_below(number) for number in (4, 3, 2)] == [10, 10, 10]
    assert (line.rise, line.begin_ns, line.end_ns, line.origin, line.total) == (-3, 10, 10, 5, 2)


def test_seconds_are_whole_nanoseconds() -> None:
    assert [nanoseconds(seconds) for seconds in (0.0, 1.5, 1e-9, 0.6e-9)] == [0, 1_500_000_000, 1, 1]
