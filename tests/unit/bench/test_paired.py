"""The statistics of the bench: exact intervals of a median, and paired ratios."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paired import interval_of_median, ratio_of


def test_the_interval_of_fifteen_values_is_the_fourth_least_to_the_fourth_greatest() -> None:
    """Table: binomial(15, 1/2) has 3.52 % below 4 and above 11."""
    interval = interval_of_median(range(15, 0, -1))

    assert interval is not None
    assert (interval.low, interval.high) == (4, 12)
    assert isclose(interval.coverage, 1 - 2 * 576 / 32768)


def test_six_values_are_the_fewest_that_have_an_interval() -> None:
    assert interval_of_median([1, 2, 3, 4, 5]) is None

    interval = interval_of_median([1, 2, 3, 4, 5, 6])

    assert interval is not None
    assert (interval.low, interval.high, interval.coverage) == (1, 6, 1 - 2 / 64)


def test_no_value_has_no_interval() -> None:
    assert interval_of_median([]) is None


def test_a_higher_confidence_is_never_a_narrower_interval() -> None:
    wide, narrow = interval_of_median(range(40), 0.99), interval_of_median(range(40), 0.9)

    assert wide is not None
    assert narrow is not None
    assert wide.low < narrow.low
    assert narrow.high < wide.high


@given(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=60))
def test_an_interval_covers_at_least_what_was_asked_and_holds_the_median_of_the_sample(values: list[float]) -> None:
    interval = interval_of_median(values)

    assert interval is not None
    assert 0.95 <= interval.coverage < 1
    ordered = sorted(values)
    assert interval.low <= ordered[(len(values) - 1) // 2]
    assert ordered[len(values) // 2] <= interval.high


def test_a_drift_that_both_share_is_not_in_the_ratio() -> None:
    theirs = [100.0, 50.0, 25.0, 80.0, 60.0, 10.0]

    ratio = ratio_of([0.9 * each for each in theirs], theirs)

    assert ratio.median == pytest.approx(0.9)
    assert ratio.interval is not None
    assert ratio.interval.high - ratio.interval.low == pytest.approx(0)


def test_pairs_keep_the_order_of_the_rounds() -> None:
    ratio = ratio_of([3, 1, 2], [1, 1, 1])

    assert ratio.pairs == (3, 1, 2)
    assert (ratio.median, ratio.interval) == (2, None)


def test_a_round_that_only_one_of_them_had_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio_of([1, 2], [1])
