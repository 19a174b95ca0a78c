"""Dealing: the shares add up to the whole at every moment, are walked exactly, and are even."""

from itertools import accumulate
from math import gcd, prod
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c1m.schedule.ring import RingShare, multiplier, shares


@st.composite
def divided(draw: st.DrawFn, most: int = 300) -> list[RingShare]:
    """A ring, divided in any way."""
    peak = draw(st.integers(1, most))
    cuts = sorted(draw(st.lists(st.integers(0, peak), max_size=12)))
    return list(shares(peak, (high - low for low, high in zip([0, *cuts], [*cuts, peak], strict=True))))


def own(share: RingShare) -> list[int]:
    """Its numbers, by looking at each."""
    factor = multiplier(share.peak)
    return [k for k in range(share.peak) if share.first <= k * factor % share.peak < share.first + share.size]


@given(divided())
def test_every_number_is_one_shares(ring: list[RingShare]) -> None:
    assert sorted(number for share in ring for number in own(share)) == list(range(ring[0].peak))
    assert [len(own(share)) for share in ring] == [share.size for share in ring]


@given(divided(), st.data())
def test_counting_is_exact(ring: list[RingShare], data: st.DataObject) -> None:
    numbers = data.draw(st.integers(0, ring[0].peak))

    assert [share.count(numbers) for share in ring] == [sum(k < numbers for k in own(share)) for share in ring]


@given(divided(), st.lists(st.integers(0, 300), max_size=8), st.data())
def test_walking_up_and_down_passes_each_own_number(ring: list[RingShare], turns: list[int], data: st.DataObject) -> None:
    share = data.draw(st.sampled_from(ring))
    expected = own(share)
    walk = share.walk(place := data.draw(st.integers(0, share.size)))

    for turn in turns:
        goal = turn % (share.size + 1)
        while place < goal:
            assert walk.up() == expected[place]
            place += 1
        while place > goal:
            place -= 1
            assert walk.down() == expected[place]
    assert walk.taken == place


@settings(max_examples=50)
@given(st.integers(1, 1_000), st.integers(1, 10**9), st.integers())
def test_any_number_of_shards_adds_up_to_the_whole(count: int, peak: int, seed: int) -> None:
    """1 to 1,000 shards, of shares between nothing and nearly everything."""
    random = Random(seed)
    weights = [random.random() ** 4 for _ in range(count)]
    ends = [round(end / sum(weights) * peak) for end in accumulate(weights)]
    ends[-1] = peak
    ring = list(shares(peak, (high - low for low, high in zip([0, *ends], ends, strict=False))))
    numbers = random.randint(0, peak)

    assert sum(share.count(numbers) for share in ring) == numbers


@pytest.mark.parametrize("peak", [1000, 65_536, 99_991, 1_000_000, 2_000_003])
@pytest.mark.parametrize("count", [1, 2, 7, 51, 1000])
def test_shares_are_even_at_every_moment(peak: int, count: int) -> None:
    """A shard is never more than a handful of connections from its part of what is open."""
    ring = list(shares(peak, (peak // count + (index < peak % count) for index in range(count))))

    for numbers in range(0, peak, peak // 17):
        for share in ring[:: max(count // 20, 1)]:
            assert abs(share.count(numbers) - numbers * share.size / peak) < 6


@given(st.integers(1, 10**9))
def test_the_multiplier_reaches_every_point(peak: int) -> None:
    assert gcd(multiplier(peak), peak) == 1
    assert 1 <= multiplier(peak) <= peak


@pytest.mark.parametrize("peak", [896_716_941_120, *(prod((2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)[:n]) for n in range(1, 12))])
def test_every_peak_has_a_multiplier_however_many_primes_divide_it(peak: int) -> None:
    """The first has 33 numbers in a row next to its golden section of which none is coprime to it."""
    assert gcd(multiplier(peak), peak) == 1
