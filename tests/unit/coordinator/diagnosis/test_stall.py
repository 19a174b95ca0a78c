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
