"""Latencies: rounding that is small and keeps the order; counts that only grow; figures of a histogram."""

from array import array
from collections import Counter
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.results import histogram
from c1m.coordinator.summary.codec import to_plain
from c1m.measure.latency import Latencies, at_least, coarser, microseconds, percentile, since

SECONDS = st.floats(0, 3_600, width=32)
COUNTS = st.dictionaries(st.integers(0, 3600 * 1_000_000), st.integers(1, 10**6), max_size=6)


def told(*seconds: float) -> dict[int, int]:
    """Microseconds -> how many."""
    latencies = Latencies()
    latencies.raw.extend(seconds)
    return microseconds(latencies.news())


@given(SECONDS)
def test_rounding_is_within_a_fifth_of_a_percent(seconds: float) -> None:
    (value,) = told(seconds)

    assert abs(value - seconds * 1e6) <= seconds * 1e6 * 0.002 + 0.51


@given(SECONDS, SECONDS)
def test_rounding_keeps_the_order(one: float, other: float) -> None:
    assert [*told(min(one, other))] <= [*told(max(one, other))]


@given(COUNTS)
def test_coarser_counts_are_as_many_and_within_three_percent(counts: dict[int, int]) -> None:
    for value in counts:
        (middle,) = coarser({value: 1})
        assert abs(middle - value) <= value / 32
    assert sum(coarser(counts).values()) == sum(counts.values())
    assert coarser(coarser(counts)) == coarser(counts)


def test_sixteen_values_are_left_of_an_octave() -> None:
    assert len(coarser(dict.fromkeys(range(1 << 12, 1 << 13), 1))) == 16


def test_few_values_are_left_of_many() -> None:
    latencies = Latencies()
    latencies.raw.extend(value / 1e6 for value in range(1 << 12, 1 << 13))
    assert len(latencies.news()) <= (1 << 8) + 2


@given(st.lists(st.lists(SECONDS, max_size=20), max_size=5))
def test_every_latency_is_counted_once_however_it_is_told(batches: list[list[float]]) -> None:
    latencies, mirror = Latencies(), Counter[int]()
    for batch in batches:
        latencies.raw.extend(batch)
        mirror.update(latencies.news())  # what a reader keeps

    everything = [seconds for batch in batches for seconds in batch]
    assert sum(mirror.values()) == len(everything)
    assert microseconds(mirror) == told(*everything)
    assert latencies.raw == array("f")


def test_no_latencies_are_no_news() -> None:
    latencies = Latencies()
    latencies.raw.append(0.5)

    assert len(latencies.news()) == 1
    assert latencies.news() == {}


@given(st.lists(COUNTS, max_size=4))
def test_what_came_since_and_what_was_before_make_the_whole(parts: list[dict[int, int]]) -> None:
    sums = list(accumulate(map(Counter, parts), initial=Counter()))

    assert sum((Counter(since(after, before)) for before, after in pairwise(sums)), Counter()) == sums[-1]


def test_how_many_took_at_least_so_long() -> None:
    assert at_least({999_999: 1, 1_000_000: 2, 3_100_000: 4}, 1_000_000) == 6


@given(COUNTS.filter(bool), st.floats(0.1, 100))
def test_a_percentile_is_the_value_of_its_rank(counts: dict[int, int], percent: float) -> None:
    value = percentile(counts, percent)

    below = sum(count for each, count in counts.items() if each < value)
    assert below < percent / 100 * sum(counts.values()) <= below + counts[value]


@given(COUNTS.filter(bool))
def test_figures_have_all_percentiles_and_the_extremes(counts: dict[int, int]) -> None:
    expected = {name: percentile(counts, percent) for name, percent in histogram.PERCENTILES.items()}

    assert to_plain(histogram.figures(counts)) == {
        "count": sum(counts.values()),
        "min": min(counts),
        **expected,
        "max": max(counts),
    }


def test_nothing_measured_is_a_count_of_zero_and_no_figures() -> None:
    assert to_plain(histogram.figures({})) == {"count": 0}
