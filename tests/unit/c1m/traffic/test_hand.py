"""The hand: everybody has a turn once an interval, whenever one looks, and turns are spread over the interval."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from c1m.traffic.phase_sweep import PhaseSweep

SLOTS = st.integers(1, 300)
STEPS = st.lists(st.floats(0, 0.9), max_size=60)  # shares of an interval between two looks


@given(SLOTS, st.integers(1, 40), st.floats(0.1, 100), STEPS, st.integers(1, 50))
def test_every_slot_has_its_turn_exactly_once_in_each_round(
    slots: int, abreast: int, interval: float, steps: list[float], most: int
) -> None:
    hand, now, seen = PhaseSweep(slots, interval, 0.0, abreast), 0.0, list[int]()
    for step in steps:
        now += step * interval
        while hand.behind(now):
            seen += hand.advance(now, most)

    whole = math.floor(now / interval * (1 - 1e-9))
    for start in range(0, whole * slots, slots):
        assert sorted(seen[start : start + slots]) == list(range(slots))
    rest = seen[whole * slots :]
    assert len(rest) == len(set(rest))
    assert not hand.behind(now)


@given(SLOTS, st.floats(0, 20), st.integers(1, 400))
def test_whoever_missed_rounds_has_one_turn_and_no_more(slots: int, rounds: float, most: int) -> None:
    hand = PhaseSweep(slots, 1.0, 0.0)
    seen: list[int] = []
    while hand.behind(rounds):
        some = hand.advance(rounds, most)
        assert len(some) <= most
        seen += some

    assert len(seen) == len(set(seen))
    assert rounds < 1 or len(seen) == slots


@given(st.integers(1, 3000), st.data())
def test_the_lowest_slots_are_spread_over_the_interval(slots: int, data: st.DataObject) -> None:
    """A kernel gives out the lowest descriptors first: whoever is few must not beat at the same time."""
    used = data.draw(st.integers(1, slots))
    hand = PhaseSweep(slots, 1.0, 0.0)
    turns = [mark for mark in range(hand.marks) for slot in hand.advance((mark + 1.5) / hand.marks, 1) if slot < used]

    gaps = [after - before for before, after in pairwise([*turns, turns[0] + hand.marks])]
    assert len(turns) == used
    assert max(gaps) <= 3 * hand.marks / used + 1


def test_before_it_starts_nobody_is_due() -> None:
    assert PhaseSweep(10, 1.0, start=5.0).advance(4.9, 10) == []
