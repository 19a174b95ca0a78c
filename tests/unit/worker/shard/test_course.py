"""What shards should have open: the sum of the shares is the schedule at every moment, whatever the shares."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.schedule.ring import RingShare, shares
from c1m.schedule.schedule import Schedule, Stage, straight
from c1m.worker.shard.pacer import NEVER, ClosedLoop, Edge, OpenLoop, scattered, steady

STAGES = st.lists(st.builds(Stage, st.integers(0, 60), st.integers(0, 40)), min_size=1, max_size=6)
SCHEDULES = STAGES.map(lambda stages: Schedule(tuple(stages)))
MOMENTS = st.integers(-1, 260)


def open_at(edges: list[Edge], elapsed: int) -> int:
    return sum(1 if opens else -1 for when, opens in edges if when <= elapsed)


@st.composite
def rings(draw: st.DrawFn, peak: int) -> list[RingShare]:
    cuts = sorted(draw(st.lists(st.integers(0, peak), max_size=5)))
    return list(shares(peak, (high - low for low, high in zip([0, *cuts], [*cuts, peak], strict=True))))


@given(SCHEDULES, st.data())
def test_the_shares_add_up_to_the_schedule_at_every_moment(schedule: Schedule, data: st.DataObject) -> None:
    ring = data.draw(rings(max(schedule.peak, 1)))
    edges = [list(steady(share, schedule)) for share in ring]
    moments = {when + step for each in edges for when, _ in each for step in (-1, 0, 1)}

    for moment in moments:
        assert [open_at(each, moment) for each in edges] == [share.count(schedule.at(moment)) for share in ring]
        assert sum(open_at(each, moment) for each in edges) == schedule.at(moment)


@given(SCHEDULES, st.data())
def test_a_shards_edges_come_in_order_and_never_exceed_its_share(schedule: Schedule, data: st.DataObject) -> None:
    share = data.draw(st.sampled_from(data.draw(rings(max(schedule.peak, 1)))))
    for edges in (list(steady(share, schedule)), list(scattered(share, schedule, Random(1)))):
        held, before = 0, 0
        for when, opens in edges:
            held += 1 if opens else -1
            assert before <= when
            assert 0 <= held <= share.size
            before = when


@given(SCHEDULES, MOMENTS, st.data())
def test_going_on_from_the_middle_is_going_on(schedule: Schedule, since: int, data: st.DataObject) -> None:
    share = data.draw(st.sampled_from(data.draw(rings(max(schedule.peak, 1)))))

    assert list(steady(share, schedule, since)) == [edge for edge in steady(share, schedule) if edge[0] > since]


SECONDS = st.integers(1, 40).map(lambda seconds: seconds * 10**9)
LONG = st.lists(st.builds(Stage, st.integers(0, 60), SECONDS), min_size=1, max_size=6)


@given(LONG.map(lambda stages: Schedule(tuple(stages))), st.integers(), st.data())
def test_poisson_arrivals_are_all_there_when_their_line_ends(schedule: Schedule, seed: int, data: st.DataObject) -> None:
    share = data.draw(st.sampled_from(data.draw(rings(max(schedule.peak, 1)))))
    edges = list(scattered(share, schedule, Random(seed)))

    for line in schedule.lines:
        assert open_at(edges, line.end_ns) == share.count(line.total)


def test_poisson_arrivals_have_gaps_that_are_exponential() -> None:
    """Their mean and their standard deviation are the same, where a constant rate has no deviation at all."""
    times = [when for when, _ in scattered(RingShare(20_000, 0, 20_000), straight(20_000, 20.0), Random(7))]
    gaps = sorted(b - a for a, b in zip(times, times[1:], strict=False))
    mean = sum(gaps) / len(gaps)

    assert mean == pytest.approx(1e6, rel=0.01)
    assert (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5 == pytest.approx(mean, rel=0.05)
    assert gaps[len(gaps) // 2] == pytest.approx(0.693 * mean, rel=0.05)


def test_a_closed_loop_is_due_from_the_start_and_waits_for_room() -> None:
    rush = ClosedLoop(5)
    rush.advance(10**12)

    assert list(zip(range(3), rush.take(3), strict=False)) == [(0, 0), (1, 0), (2, 0)]
    assert (rush.waiting, rush.scheduled, rush.next_ns) == (2, 5, NEVER)


def of(total: int, *stages: tuple[int, int]) -> OpenLoop:
    return OpenLoop(steady(RingShare(total, 0, total), Schedule(tuple(Stage(*stage) for stage in stages))))


def test_what_is_due_waits_with_the_time_at_which_it_was_due() -> None:
    course = of(10, (10, 100), (4, 60))

    course.advance(50)
    assert (course.waiting, course.scheduled, course.next_ns) == (5, 5, 55)
    assert list(course.take(2)) == [5, 15]
    course.advance(1000)  # five more, while three still wait from before, and then it falls by six
    assert (course.waiting, course.scheduled, course.next_ns) == (5, 4, NEVER)
    assert list(course.take(5)) == [55, 65, 75, 85, 95]


@pytest.mark.parametrize(("wanted", "waiting"), [(9, 7), (4, 2), (1, 0)])
def test_another_schedule_is_gone_over_to_at_once(wanted: int, waiting: int) -> None:
    course = of(10, (10, 100))
    course.advance(50)
    list(course.take(2))

    course = course.turn(iter([(70, True)]), wanted, 60)

    assert (course.scheduled, course.waiting, course.next_ns) == (wanted, waiting, 70)
    assert list(course.take(course.waiting)) == [25, 35, 45, 60, 60, 60, 60][:waiting]


def test_a_halted_course_opens_and_closes_nothing_more() -> None:
    for course in (of(10, (10, 100), (0, 100)), ClosedLoop(10)):
        course.advance(50)
        course.halt()
        course.advance(10**9)
        assert (course.waiting, course.next_ns) == (0, NEVER)
        assert course.scheduled > 10


def test_a_closed_loop_that_is_retargeted_follows_the_clock_with_what_still_waits() -> None:
    for wanted, due in ((4, [60, 60]), (5, [60, 60, 60]), (7, [60] * 5)):
        rush = ClosedLoop(5)
        list(zip(range(2), rush.take(2), strict=False))

        course = rush.turn(iter([(70, True)]), wanted, 60)

        assert (rush.paced, course.paced) == (False, True)
        assert (course.scheduled, course.waiting, course.next_ns) == (wanted, len(due), 70)
        assert list(course.take(course.waiting)) == due


def test_a_schedule_without_edges_is_never_due() -> None:
    course = OpenLoop(iter(()), 7)
    course.advance(10**15)

    assert (course.next_ns, course.waiting, course.scheduled) == (NEVER, 0, 7)
    assert NEVER > 366 * 86_400 * 10**9


def test_what_falls_due_at_a_moment_is_due_at_it() -> None:
    course = OpenLoop(iter([(5, True), (5, True), (6, False)]))

    course.advance(4)
    assert (course.waiting, course.scheduled, course.next_ns) == (0, 0, 5)
    course.advance(5)
    assert (course.waiting, course.scheduled, course.next_ns) == (2, 2, 6)
    course.advance(6)  # both were late, so the last one need not be opened
    assert (list(course.take(course.waiting)), course.scheduled) == ([5], 1)


def test_an_opening_and_its_closing_in_one_step_leave_the_opening_to_be_made() -> None:
    """Only openings that waited before the step are cancelled; the shard opens the others and closes a surplus."""
    course = OpenLoop(iter([(5, True), (6, False)]))

    course.advance(9)

    assert (course.waiting, course.scheduled) == (1, 0)


@pytest.mark.parametrize("since", [0, 4 * 10**9, 10 * 10**9, 14 * 10**9, 21 * 10**9])
def test_poisson_arrivals_go_on_from_the_middle_of_a_line(since: int) -> None:
    """Up to 100 within 10 s, down to 40 within 5 s, up to 90 within 6 s."""
    schedule = Schedule((Stage(100, 10 * 10**9), Stage(40, 5 * 10**9), Stage(90, 6 * 10**9)))
    share = RingShare(100, 0, 100)

    edges = list(scattered(share, schedule, Random(3), since))

    assert all(when > since for when, _ in edges)
    assert sum(1 if opens else -1 for _, opens in edges) == 90 - schedule.at(since)
    assert [edge for edge in edges if not edge[1]] == [edge for edge in steady(share, schedule, since) if not edge[1]]
    openings = [when for when, opens in edges if opens]
    assert openings == sorted(openings)
    assert len(openings) == max(100 - schedule.at(since), 0) * (since < 10**10) + (50 if since < 15 * 10**9 else 0)
