"""Latencies: rounding that is small and keeps the order; histograms that merge as if they had been one."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c1m import histogram
from c1m.latency import KEPT_BITS, quantise, quantised

MICROSECONDS = st.integers(0, histogram.LONGEST_US)
COUNTS = st.dictionaries(st.integers(1, histogram.LONGEST_US), st.integers(1, 10**6), max_size=6)


@given(MICROSECONDS)
def test_rounding_is_within_a_fifth_of_a_percent(value: int) -> None:
    assert abs(quantise(value) - value) <= value * 0.002


@given(MICROSECONDS, MICROSECONDS)
def test_rounding_keeps_the_order(one: int, other: int) -> None:
    assert quantise(min(one, other)) <= quantise(max(one, other))


def test_few_values_are_left_of_many() -> None:
    assert len({quantise(value) for value in range(1 << 12, 1 << 13)}) == 1 << KEPT_BITS - 1
    assert [quantise(value) for value in (0, 1, 511)] == [0, 1, 511]


@given(st.lists(st.floats(0, 3_600), max_size=50))
def test_every_latency_is_counted_once_in_whole_microseconds(seconds: list[float]) -> None:
    counts = quantised(seconds)

    assert sum(counts.values()) == len(seconds)
    assert counts == Counter(quantise(int(each * 1e6)) for each in seconds)


def test_no_latencies_are_no_counts() -> None:
    assert quantised([]) == {}


@settings(deadline=None, max_examples=50)
@given(st.lists(COUNTS, max_size=3))
def test_merged_histograms_are_the_histogram_of_all_values(parts: list[dict[int, int]]) -> None:
    everything: Counter[int] = Counter()
    for part in parts:
        everything.update(part)

    merged = histogram.figures(histogram.merge(histogram.encode(part) for part in parts))

    assert merged == histogram.figures(histogram.merge([histogram.encode(everything)]))
    assert merged["count"] == everything.total()


@settings(deadline=None)
@given(COUNTS.filter(bool))
def test_percentiles_are_the_values_to_three_digits(counts: dict[int, int]) -> None:
    figures = histogram.figures(histogram.merge([histogram.encode(counts)]))

    expected = {"min": min(counts), "max": max(counts)}
    for name, percent in histogram.PERCENTILES.items():
        rank, passed = int(percent / 100 * sum(counts.values()) + 0.5), 0
        for value in sorted(counts):
            passed += counts[value]
            if passed >= max(rank, 1):
                expected[name] = value
                break
    assert {name: figures[name] for name in expected} == pytest.approx(expected, rel=0.001)


@pytest.mark.parametrize("encoded", [[], [b""], [b"", histogram.encode({})]])
def test_nothing_measured_is_a_count_of_zero_and_no_figures(encoded: list[bytes]) -> None:
    assert histogram.figures(histogram.merge(encoded)) == {"count": 0}


def test_empty_ones_add_nothing() -> None:
    one = histogram.encode({100: 3, 250: 1})

    assert histogram.figures(histogram.merge([b"", one, histogram.encode({})])) == {
        "count": 4,
        "min": 100,
        "p50": 100,
        "p90": 250,
        "p99": 250,
        "p999": 250,
        "max": 250,
    }


def test_what_no_histogram_holds_counts_at_its_ends() -> None:
    figures = histogram.figures(histogram.merge([histogram.encode({0: 1, 2 * histogram.LONGEST_US: 1})]))

    assert (figures["count"], figures["min"]) == (2, 1)
    assert figures["max"] == pytest.approx(histogram.LONGEST_US, rel=0.001)
