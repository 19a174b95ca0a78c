"""Exact division of whole connections: nothing is lost to rounding, nothing exceeds what it may hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise


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


def transport(supplies: Sequence[int], most: Sequence[int], demands: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Match supplies with even demands of the same sum: (supply, demand, how many), no cell above its row's ``most``.

    Every row is cut into as many parts as the fullest cell makes necessary, one for each group of columns, and each group is
    matched by its corner. One group, where rows fit into a cell, is the fewest cells; a group for each column is the most.
    Raises ValueError for a row that would not fit if it were dealt out to all columns.
    """
    columns = len(demands)
    groups = groups_for(supplies, most, columns)
    edges = [group * columns // groups for group in range(groups + 1)]
    parts = dealt(supplies, edges)
    for (low, high), part in zip(pairwise(edges), parts, strict=True):
        for row, column, count in corner(part, demands[low:high]):
            yield row, low + column, count


def groups_for(supplies: Sequence[int], most: Sequence[int], columns: int) -> int:
    """The fewest groups of columns, or nearly, in which no row's part is above its ``most``."""
    rows = [(supply, limit) for supply, limit in zip(supplies, most, strict=True) if supply]
    if any(supply > limit * columns for supply, limit in rows):
        raise ValueError("a supply is more than its row can hold")
    groups = max((-(-supply // limit) for supply, limit in rows), default=1)
    while groups < columns:
        widest = -(-columns // groups)
        # Dealt out to columns, a row differs by one between them.
        if all(-(-supply // columns) * widest <= limit or supply <= limit for supply, limit in rows):
            return groups
        groups = min(2 * groups, columns)
    return columns


def dealt(supplies: Sequence[int], edges: Sequence[int]) -> list[list[int]]:
    """Deal all supplies out like cards to the columns, in one go, so that rows and columns come out even to within one; for
    each group of columns between two edges, what it got of every supply."""
    columns = edges[-1]
    parts: list[list[int]] = [[] for _ in edges[1:]]
    begun = 0  # the column whose turn it is
    for supply in supplies:
        each, more = divmod(supply, columns)
        end = begun + more
        for part, (low, high) in zip(parts, pairwise(edges), strict=True):
            extra = shared(low, high, begun, end) + shared(low, high, begun - columns, end - columns)
            part.append(each * (high - low) + extra)
        begun = end % columns
    return parts


def shared(low: int, high: int, first: int, end: int) -> int:
    """How long two intervals lie over each other."""
    return max(0, min(high, end) - max(low, first))
