"""Lifetimes as people write them, and what they draw."""

from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.spec.grammar import parse_distribution, parse_lifetime
from c1m.traffic.distribution import Distribution

SECONDS = st.integers(1, 10**6).map(lambda milliseconds: milliseconds / 1000)
DISTRIBUTIONS = st.one_of(
    SECONDS.map(lambda low: Distribution("fixed", low, low)),
    SECONDS.map(lambda low: Distribution("exp", low, low)),
    st.tuples(SECONDS, SECONDS).map(lambda ends: Distribution("uniform", min(ends), max(ends))),
)


@given(DISTRIBUTIONS)
def test_what_is_written_is_read(distribution: Distribution) -> None:
    assert parse_distribution(str(distribution)) == distribution


@given(DISTRIBUTIONS, st.integers(0, 2**64 - 1))
def test_the_same_seed_draws_the_same(distribution: Distribution, seed: int) -> None:
    one, other = Random(seed), Random(seed)

    assert [distribution.draw(one) for _ in range(5)] == [distribution.draw(other) for _ in range(5)]


@given(DISTRIBUTIONS, st.integers(0, 2**64 - 1))
def test_draws_lie_where_they_may(distribution: Distribution, seed: int) -> None:
    drawn = distribution.draw(Random(seed))

    assert drawn >= 0
    assert distribution.kind == "exp" or distribution.low <= drawn <= distribution.high


@pytest.mark.parametrize("text", ["fixed:60s", "uniform:30s-90s", "exp:60s"])
def test_the_mean_is_the_mean(text: str) -> None:
    distribution, chance = parse_distribution(text), Random(1)

    assert distribution.mean == 60
    assert mean(distribution.draw(chance) for _ in range(20_000)) == pytest.approx(60, rel=0.03)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("60s", Distribution("fixed", 60, 60)),
        ("fixed:0s", Distribution("fixed", 0, 0)),
        (" exp:2m ", Distribution("exp", 120, 120)),
        ("uniform:500ms-1m30s", Distribution("uniform", 0.5, 90)),
    ],
)
def test_forms(text: str, expected: Distribution) -> None:
    assert parse_distribution(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "exp", "exp:", "exp:0s", "gauss:5s", "uniform:5s", "uniform:9s-5s", "fixed:1s-2s", "exp:1s-2s", "-5s", "fixed:-1s"],
)
def test_what_is_none_is_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_distribution(text)


def test_nobody_lives_for_no_time() -> None:
    with pytest.raises(ValueError, match="write"):
        parse_lifetime("fixed:0s")
