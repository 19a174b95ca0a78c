"""When a run has stalled, is late or has lost connections, as a fold over moments that nobody had to wait for."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.diagnosis.progress import PATIENCE_SECONDS, Progress, ProgressDetector, Trouble


def grown(moments: Iterable[Progress]) -> ProgressDetector:
    growth = ProgressDetector()
    for moment in moments:
        growth.take(moment)
    return growth


def at(
    second: float, scheduled: int, opened: int, in_flight: int = 0, *, dropped: int = 0, failed: int = 0, away: int = 0
) -> Progress:
    return Progress(second, scheduled, opened, in_flight, opened, failed, dropped, away=away)


def test_no_progress_while_more_is_asked_for_is_a_stall_since_the_last_progress() -> None:
    growth = grown([at(0, 100, 0), at(1, 100, 40, 60), at(2, 100, 40, 60), at(4, 100, 40, 60)])

    assert growth.troubles() == {Trouble.STALLED: 1}


def test_a_stall_is_over_with_the_next_connection() -> None:
    growth = grown([at(0, 100, 40), at(5, 100, 40), at(6, 100, 41)])

    assert growth.troubles() == {}


@pytest.mark.parametrize(
    ("moments", "why"),
    [
        ([at(0, 100, 100), at(60, 100, 100)], "a hold asks for no more"),
        ([at(second, second // 5, second // 5) for second in range(100)], "a connection every five seconds is on time"),
        ([at(second, 100, second // 2) for second in range(100)], "a slow server grows, too"),
        ([at(0, 100, 60, away=40), at(60, 100, 60, away=40)], "some are away, as the run asked"),
        ([at(0, 100, 100), at(1, 50, 50), at(60, 50, 50)], "the schedule falls"),
    ],
)
def test_where_nobody_asks_for_more_there_is_no_trouble(moments: list[Progress], why: str) -> None:
    growth = ProgressDetector()
    for moment in moments:
        growth.take(moment)

        assert growth.troubles() == {}, why


def test_the_wait_begins_when_a_connection_is_asked_for_and_not_when_the_last_one_came() -> None:
    """One a minute: the minute in between is nobody's fault."""
    growth = grown([at(0, 1, 0), at(1, 1, 1), at(60, 2, 1)])

    assert growth.troubles() == {}


def test_what_is_due_and_not_even_tried_is_late_since_it_was_due() -> None:
    moments = [Progress(second, 10 * second, 10, opened=10, paced=True) for second in range(1, 6)]

    assert grown(moments).troubles() == {Trouble.LATE: 2, Trouble.STALLED: 2}


def test_what_is_as_fast_as_it_goes_is_never_late() -> None:
    moments = [Progress(second, 1_000_000, 1_000 * second, opened=1_000 * second) for second in range(100)]

    assert grown(moments).troubles() == {}


def test_failures_and_drops_are_trouble_from_before_they_were_seen() -> None:
    growth = grown([at(1, 10, 10), at(2, 10, 9, dropped=1), at(3, 10, 9, dropped=1, failed=1)])

    assert growth.troubles() == {Trouble.DROPPED: 1, Trouble.FAILED: 2}


STEPS = st.lists(st.tuples(st.floats(0.01, 2.9), st.integers(0, 50), st.integers(0, 50)), max_size=40)


@given(STEPS)
def test_whoever_keeps_up_within_patience_is_never_in_trouble(steps: list[tuple[float, int, int]]) -> None:
    """Whatever is asked for, and however unevenly: it is there at the next moment."""
    growth, now, asked = ProgressDetector(), 0.0, 0
    for seconds, more, _ in steps:
        now += seconds
        growth.take(Progress(now, asked + more, asked, opened=asked, paced=True))
        asked += more

        assert growth.troubles() == {}


@given(STEPS, st.integers(1, 100))
def test_a_stall_is_found_whenever_nothing_comes_for_longer_than_patience(
    steps: list[tuple[float, int, int]], missing: int
) -> None:
    growth, now, asked, opened = ProgressDetector(), 0.0, 0, 0
    for seconds, more, came in steps:
        now, asked = now + seconds, asked + more
        opened = min(opened + came, asked)
        growth.take(Progress(now, asked, opened, opened=opened))
    growth.take(Progress(now + 1, asked + missing, opened, opened=opened))
    growth.take(Progress(now + 1.01 + PATIENCE_SECONDS, asked + missing, opened, opened=opened))

    assert Trouble.STALLED in growth.troubles()


# -- to the number


@pytest.mark.parametrize(("seconds", "found"), [(2.99, {}), (3.0, {Trouble.STALLED: 1})])
def test_patience_is_three_seconds(seconds: float, found: dict[Trouble, float]) -> None:
    assert grown([at(1, 100, 40), at(1 + seconds, 100, 40)]).troubles() == found


@pytest.mark.parametrize(("seconds", "found"), [(2.99, {}), (3.0, {Trouble.LATE: 2})])
def test_so_it_is_for_what_is_due(seconds: float, found: dict[Trouble, float]) -> None:
    """One more is due at 2 s, and another connection comes meanwhile."""
    moments = [Progress(1, 5, 5, opened=5, paced=True), Progress(2, 7, 5, opened=5, paced=True)]
    moments.append(Progress(2 + seconds, 7, 6, opened=6, paced=True))

    assert grown(moments).troubles() == found


@pytest.mark.parametrize(
    ("progress", "tried"),
    [
        (Progress(1, 100, 40), 40),
        (Progress(1, 100, 40, 5), 45),
        (Progress(1, 100, 40, 5, away=3), 48),
        (Progress(1, 100, 40, 5, failed=2, dropped=4, away=3), 54),
        (Progress(1, 100, 40, 5, failed=2, dropped=4, reopened=5, away=3), 49),
        (Progress(1, 100, 40, 5, failed=2, dropped=4, reopened=9, away=3), 48),
    ],
)
def test_what_was_tried_is_there_on_its_way_away_or_lost_and_not_tried_again(progress: Progress, tried: int) -> None:
    assert progress.tried == tried


def test_those_in_flight_have_been_tried_and_are_not_there_yet() -> None:
    moments = [Progress(second, 10, 4, 6, opened=4, paced=True) for second in range(1, 6)]

    assert grown(moments).troubles() == {Trouble.STALLED: 1}


def test_a_run_that_has_all_that_it_asks_for_again_waits_for_nothing() -> None:
    growth = grown([at(1, 10, 4), at(2, 10, 10), at(30, 10, 10), at(31, 11, 10), at(33, 11, 10)])

    assert growth.troubles() == {}
    growth.take(at(34, 11, 10))
    assert growth.troubles() == {Trouble.STALLED: 31}


def test_what_was_due_before_the_schedule_fell_is_not_due_any_more() -> None:
    moments = [Progress(second, scheduled, 5, opened=5, paced=True) for second, scheduled in ((1, 9), (2, 7), (5.5, 7))]

    assert Trouble.LATE not in grown(moments).troubles()


def test_a_run_that_is_no_longer_paced_is_not_late() -> None:
    moments = [Progress(second, 9, 5, opened=5, paced=second < 2) for second in (1, 2, 6)]

    assert Trouble.LATE not in grown(moments).troubles()


def test_what_is_late_is_so_since_the_oldest_that_was_not_tried() -> None:
    """Three a second are due from 1 s on, and only the first four were tried."""
    moments = [Progress(second, 3 * second, 4, opened=4, paced=True) for second in range(1, 7)]

    assert grown(moments).troubles()[Trouble.LATE] == 2


def test_drops_that_the_run_asked_for_are_no_trouble_and_failures_are() -> None:
    asked = [Progress(second, 10, 9, opened=10, dropped=1, asked_to_drop=True, reopened=1) for second in (1, 2)]

    assert grown([at(0.5, 10, 10), *asked]).troubles() == {}
    failing = Progress(3, 10, 9, opened=10, failed=1, dropped=1, asked_to_drop=True)
    assert grown([at(0.5, 10, 10), *asked, failing, Progress(4, 10, 9, failed=2)]).troubles() == {Trouble.FAILED: 2}


def test_before_anything_is_known_there_is_no_trouble() -> None:
    assert ProgressDetector().troubles() == {}
    assert grown([at(1, 10, 9, failed=1)]).troubles() == {Trouble.FAILED: 0.0}
