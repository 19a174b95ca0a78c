"""Exact apportionment of whole connections: nothing is lost to rounding, and no capacity is exceeded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise


def evenly(total: int, parts: int) -> list[int]:
    """Return ``parts`` numbers that add up to ``total`` and differ by at most one, the larger ones first."""
    each, more = divmod(total, parts)
    return [each + (index < more) for index in range(parts)]


def fill(total: int, capacities: Sequence[int]) -> list[int]:
    """Return one share of ``total`` for each capacity, as even as the capacities allow.

    Raises ValueError if the capacities together are less than ``total``.
    """
    if sum(capacities) < total:
        raise ValueError(f"{total:,} do not fit into {sum(capacities):,}")
    shares = [0] * len(capacities)
    smallest_first = sorted(range(len(capacities)), key=lambda index: capacities[index])
    left = total
    for position, index in enumerate(smallest_first):
        parts = len(capacities) - position
        # Rounded up, so that the remainder always fits into the larger ones.
        shares[index] = min(capacities[index], -(-left // parts))
        left -= shares[index]
    return shares


def corner(supplies: Sequence[int], demands: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield cells (supply, demand, count), by indexes, that match supplies with demands of the same sum in order.

    The north-west corner rule of transport problems. There are fewer cells than supplies and demands together. Equal supplies
    and demands pair off one to one, so that a shard connects to one acceptor.
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
    """Yield cells (supply, demand, count), by indexes, that match supplies with even demands of the same sum.

    No count is above the ``most`` of its supply. Each supply is cut into as few parts as the fullest cell allows, one for each
    group of demands, and each group is matched by ``corner``. One group gives the fewest cells, if each supply fits into a
    cell; a group for each demand gives the most. Raises ValueError for a supply that would not fit even if it were spread over
    all demands.
    """
    columns = len(demands)
    groups = groups_for(supplies, most, columns)
    edges = [group * columns // groups for group in range(groups + 1)]
    parts = dealt(supplies, edges)
    for (low, high), part in zip(pairwise(edges), parts, strict=True):
        for row, column, count in corner(part, demands[low:high]):
            yield row, low + column, count


def groups_for(supplies: Sequence[int], most: Sequence[int], columns: int) -> int:
    """Return the smallest number of groups of columns, or nearly, for which no part of a row is above its ``most``.

    Raises ValueError for a row that would not fit even if it were spread over all columns.
    """
    rows = [(supply, limit) for supply, limit in zip(supplies, most, strict=True) if supply]
    if any(supply > limit * columns for supply, limit in rows):
        raise ValueError("a supply is more than its row can hold")
    groups = max((-(-supply // limit) for supply, limit in rows), default=1)
    while groups < columns:
        widest = -(-columns // groups)
        # Spread over the columns, parts of a row differ by one.
        if all(-(-supply // columns) * widest <= limit or supply <= limit for supply, limit in rows):
            return groups
        groups = min(2 * groups, columns)
    return columns


def dealt(supplies: Sequence[int], edges: Sequence[int]) -> list[list[int]]:
    """Return, for each group of columns between two edges, the part of every supply that belongs to the group.

    Supplies are dealt out to the columns like cards, so that rows and columns are even to within one.
    """
    columns = edges[-1]
    parts: list[list[int]] = [[] for _ in edges[1:]]
    begun = 0  # the column that gets the next card
    for supply in supplies:
        each, more = divmod(supply, columns)
        end = begun + more
        for part, (low, high) in zip(parts, pairwise(edges), strict=True):
            extra = shared(low, high, begun, end) + shared(low, high, begun - columns, end - columns)
            part.append(each * (high - low) + extra)
        begun = end % columns
    return parts


def shared(low: int, high: int, first: int, end: int) -> int:
    """Return the length of the overlap of two intervals, ``low`` to ``high`` and ``first`` to ``end``; 0 without overlap."""
    return max(0, min(high, end) - max(low, first))
