"""Storms as people write them, who leaves in one, and how long those wait who come back by themselves."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.spec.grammar import parse_backoff, parse_storm
from c1m.traffic.backoff import Backoff
from c1m.traffic.storm import Storm, is_chosen

SHARES = st.integers(1, 1000).map(lambda thousandths: thousandths / 1000)
STORMS = st.one_of(
    st.builds(Storm, at=st.integers(0, 9999), share=SHARES, return_seconds=st.integers(0, 999)),
    st.builds(Storm, at=st.integers(0, 9999), share=SHARES, by=st.just("target")),
)


@given(STORMS)
def test_what_is_written_is_read(storm: Storm) -> None:
    read = parse_storm(str(storm))

    assert (read.at, read.return_seconds, read.by) == (storm.at, storm.return_seconds, storm.by)
    assert read.share == pytest.approx(storm.share)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at=60s", Storm(60)),
        ("at=1m, drop=35%, return=5s", Storm(60, 0.35, 5)),
        ("drop=100%,by=target,at=10s", Storm(10, 1.0, by="target")),
    ],
)
def test_forms(text: str, expected: Storm) -> None:
    assert parse_storm(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "drop=50%",
        "at=60s,at=61s",
        "at=60s,drop=0%",
        "at=60s,drop=101%",
        "at=60s,drop=0.5",
        "at=60s,drop=½%",
        "at=60s,drop=%",
        "at=60s,back=5s",
        "at=60s,by=me",
        "at=60s,by=target,return=5s",
    ],
)
def test_what_is_none_is_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="write|leave return= out"):
        parse_storm(text)


@given(st.integers(0, 2000), SHARES)
def test_a_share_is_exact(number: int, share: float) -> None:
    assert abs(sum(is_chosen(index, share) for index in range(number)) - number * share) < 1


@given(st.integers(1, 500), st.integers(0, 500), SHARES)
def test_a_share_is_even(length: int, first: int, share: float) -> None:
    """Of any stretch of the row as many leave, to within one."""
    assert abs(sum(is_chosen(index, share) for index in range(first, first + length)) - length * share) < 1 + 1e-6


BACKOFFS = st.tuples(st.floats(0.001, 10), st.floats(1, 1000)).map(lambda some: Backoff(some[0], some[0] * some[1]))


@given(BACKOFFS, st.integers(0, 10**6), st.integers(0, 2**64 - 1))
def test_a_wait_is_below_its_bound_and_the_bound_below_the_cap(backoff: Backoff, tries: int, seed: int) -> None:
    assert 0 <= backoff.wait(tries, Random(seed)) <= backoff.bound(tries) <= backoff.cap


def test_backoffs_as_people_write_them() -> None:
    backoff = parse_backoff("100ms-30s")

    assert backoff == Backoff(0.1, 30)
    assert parse_backoff(str(backoff)) == backoff


@pytest.mark.parametrize("text", ["", "1s", "0s-5s", "5s-1s", "a-b", "-1s-5s"])
def test_what_is_no_backoff_is_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_backoff(text)


@given(BACKOFFS)
def test_bounds_double_up_to_the_cap(backoff: Backoff) -> None:
    for tries in range(40):
        assert backoff.bound(tries + 1) == min(backoff.bound(tries) * 2, backoff.cap)
    assert backoff.bound(0) == backoff.first
    assert backoff.bound(40) == backoff.cap
