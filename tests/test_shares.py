"""Exact division: nothing lost, nothing over-filled."""

from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.shares import corner, deal, evenly, fill

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=8)


@given(st.integers(0, 10**9), st.integers(1, 300))
def test_evenly_adds_up_and_differs_by_one(total: int, parts: int) -> None:
    shares = evenly(total, parts)

    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


@given(COUNTS, st.data())
def test_fill_adds_up_within_the_capacities(capacities: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(capacities)))

    shares = fill(total, capacities)

    assert sum(shares) == total
    assert all(share <= capacity for share, capacity in zip(shares, capacities, strict=True))


@given(COUNTS, st.integers(1, 7))
def test_deal_is_even_in_rows_and_columns(supplies: list[int], columns: int) -> None:
    cells = list(deal(supplies, columns))

    rows = [sum(count for row, _, count in cells if row == index) for index in range(len(supplies))]
    sums = [sum(count for _, column, count in cells if column == index) for index in range(columns)]
    assert rows == supplies
    assert max(sums) - min(sums) <= 1


@given(COUNTS, st.integers(1, 8))
def test_corner_meets_every_supply_and_demand(supplies: list[int], parts: int) -> None:
    demands = evenly(sum(supplies), parts)

    cells = list(corner(supplies, demands))

    assert [sum(count for row, _, count in cells if row == index) for index in range(len(supplies))] == supplies
    assert [sum(count for _, column, count in cells if column == index) for index in range(parts)] == demands
