"""Samples that waited are not used when newer ones are there, and nothing that is told once goes with them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.fleet.stale_samples import LATE_SECONDS, PATIENCE_SECONDS, StaleSampleFilter
from c1m.measure.phase import Phase
from c1m.measure.sample import Reading, Sample
from c1m.measure.tally import Tally
from c1m.schedule.schedule import Revision, straight

BOOTED = 7_000.0  # by the coordinator's clock, when the node's was at zero
EVERY = 0.25


def sample(number: int, *, read: bool = False, phase: Phase = Phase.OPENING) -> Sample:
    """The one that was taken ``number`` quarters of a second after the first."""
    made = Sample(phase, Tally(opened=number), taken_ns=round((1 + number * EVERY) * 1e9))
    return replace(made, reading=Reading(number, 1, 1, 1), histograms={"x": {1: number}}) if read else made


def taken(number: int) -> float:
    """When, by the coordinator's clock."""
    return BOOTED + 1 + number * EVERY


def test_what_comes_in_time_is_used_as_it_came() -> None:
    freshness = StaleSampleFilter()
    for number in range(100):
        one = sample(number)
        assert freshness.take(one, taken(number) + 0.001 * (number % 7)) is one


@given(st.integers(1, 40), st.integers(1, 200), st.floats(0, 0.2))
def test_after_a_stall_the_first_that_is_used_is_recent(before: int, stalled: int, way: float) -> None:
    freshness = StaleSampleFilter()
    for number in range(before):
        freshness.take(sample(number), taken(number) + way)
    resumed = taken(before + stalled - 1) + way

    used = [freshness.take(sample(before + number, read=number == 0), resumed) for number in range(stalled)]

    first = next(found for found in used if found)
    assert taken(first.tally.opened) > resumed - way - LATE_SECONDS - 1e-6
    assert first.reading, "what only an older one told comes with it"
    assert first.histograms == {"x": {1: before}}


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_whatever_is_late_nothing_that_was_told_once_is_lost(ways: list[tuple[float, bool, bool]]) -> None:
    """In the end all is used: the last of a run is, however late it comes."""
    freshness, now, readings, revisions = StaleSampleFilter(), 0.0, [], []
    ways = [*ways, (0.0, False, False)]
    told_reading = told_revision = None
    for number, (way, reads, revises) in enumerate(ways):
        one = sample(number, read=reads, phase=Phase.CLOSED if number == len(ways) - 1 else Phase.OPENING)
        if revises:
            one = replace(one, revision=Revision(straight(1, 0.0), number + 2))
        told_reading, told_revision = one.reading or told_reading, one.revision or told_revision
        now = max(now, taken(number) + way)  # a stream keeps its order
        if used := freshness.take(one, now):
            assert used.tally == one.tally
            readings.append(used.reading)
            revisions.append(used.revision)

    assert [each for each in readings if each][-1:] == ([told_reading] if told_reading else [])
    assert [each for each in revisions if each][-1:] == ([told_revision] if told_revision else [])


def test_of_a_stream_that_is_always_late_something_is_used_at_least_every_second() -> None:
    freshness = StaleSampleFilter()
    freshness.take(sample(0), taken(0))

    used = [number for number in range(1, 100) if freshness.take(sample(number), taken(number) + 5)]

    gaps = [later - earlier for earlier, later in zip(used, used[1:], strict=False)]
    assert max(gaps) * EVERY <= PATIENCE_SECONDS + EVERY
    assert used[0] * EVERY <= PATIENCE_SECONDS + EVERY


@pytest.mark.parametrize("drift", [-500e-6, 500e-6])
def test_clocks_that_drift_apart_make_nothing_late(drift: float) -> None:
    freshness = StaleSampleFilter()
    for number in range(4 * 3600):
        one = sample(number)
        assert freshness.take(one, taken(number) + drift * number * EVERY) is one


def test_a_node_that_tells_no_time_is_never_late() -> None:
    freshness = StaleSampleFilter()
    for number in range(10):
        one = replace(sample(number), taken_ns=0)
        assert freshness.take(one, taken(number) + number * 10) is one
