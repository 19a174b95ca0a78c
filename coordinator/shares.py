"""Exact division of whole connections: nothing is lost to rounding, nothing exceeds what it may hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def evenly(total: int, parts: int) -> list[int]:
    """``parts`` numbers that add up to ``total`` and differ by one at most, the larger ones first."""
    each, more = divmod(total, parts)
    return [each + (index < more) for index in range(parts)]


def fill(total: int, capacities: Sequence[int]) -> list[int]:
    """As even as the capacities allow. Raises ValueError when they cannot hold ``total``."""
    if sum(capacities) < total:
        raise ValueError(f"{total:,} do not fit into {sum(capacities):,}")
    shares = [0] * len(capacities)
    smallest_first = sorted(range(len(capacities)), key=lambda index: capacities[index])
    left = total
    for position, index in enumerate(smallest_first):
        parts = len(capacities) - position
        # Rounded up, so that what remains is never more than the larger ones can hold.
        shares[index] = min(capacities[index], -(-left // parts))
        left -= shares[index]
    return shares


def corner(supplies: Sequence[int], demands: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Match supplies with demands of the same sum, in order: (supply, demand, how many), at most one cell more than both.

    The north-west corner rule of transport problems. Equal supplies and demands pair off one to one, so that a shard
    speaks to one acceptor.
    """
    row, column = 0, 0
    supply, demand = (supplies[0] if supplies else 0), (demands[0] if demands else 0)
    while row < len(supplies) and column < len(demands):
        count = min(supply, demand)
        if count:
            yield row, column, count
        supply -= count
        demand -= count
        if not supply:
            row += 1
            supply = supplies[row] if row < len(supplies) else 0
        elif not demand:
            column += 1
            demand = demands[column] if column < len(demands) else 0


def deal(supplies: Sequence[int], columns: int) -> Iterator[tuple[int, int, int]]:
    """Deal all supplies out like cards to ``columns`` players, in one go: (supply, column, how many).

    Every row and every column comes out even (to within one), so a cell holds no more than its row's supply divided by
    ``columns``, rounded up: the way when no source has enough 4-tuples to one destination.
    """
    dealt = 0
    for row, supply in enumerate(supplies):
        each, more = divmod(supply, columns)
        for column in range(columns):
            count = each + ((column - dealt) % columns < more)
            if count:
                yield row, column, count
        dealt += supply
