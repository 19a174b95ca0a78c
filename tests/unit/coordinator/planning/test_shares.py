"""Exact division: nothing lost, nothing over-filled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.planning.apportion import corner, evenly, fill, transport

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


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 3)), min_size=1, max_size=8), st.integers(1, 20))
def test_transport_meets_every_supply_and_demand_within_the_cells(rows: list[tuple[int, int]], columns: int) -> None:
    supplies = [supply for supply, _ in rows]
    most = [-(-supply // columns) * (1 + more) for supply, more in rows]  # from just enough, dealt out to all columns
    demands = evenly(sum(supplies), columns)

    cells = list(transport(supplies, most, demands))

    assert [sum(count for row, _, count in cells if row == index) for index in range(len(rows))] == supplies
    assert [sum(count for _, column, count in cells if column == index) for index in range(columns)] == demands
    assert all(0 < count <= most[row] for row, _, count in cells)
    assert len({(row, column) for row, column, _ in cells}) == len(cells)


def test_transport_makes_few_cells() -> None:
    """Ten thousand rows that need two columns each have no more than that and the columns' edges."""
    cells = list(transport([100_000] * 10_000, [64_000] * 10_000, evenly(10**9, 1_000)))

    assert len(cells) <= 2 * 10_000 + 1_000


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_a_row_that_no_column_takes_is_refused(most: int, columns: int, more: int) -> None:
    supply = most * columns + more

    with pytest.raises(ValueError, match="more than its row"):
        list(transport([supply], [most], evenly(supply, columns)))


@given(COUNTS, st.integers(1, 8))
def test_corner_meets_every_supply_and_demand(supplies: list[int], parts: int) -> None:
    demands = evenly(sum(supplies), parts)

    cells = list(corner(supplies, demands))

    assert [sum(count for row, _, count in cells if row == index) for index in range(len(supplies))] == supplies
    assert [sum(count for _, column, count in cells if column == index) for index in range(parts)] == demands
