"""Determines which shard opens connection number k, exactly and evenly, without communication between shards. Pure.

In a run with a peak of P connections, number k lies on the point k * g mod P of a ring. g is near P / golden ratio and
coprime to P, so each point belongs to exactly one number. A shard owns an arc of the ring that is as long as its share.
When the schedule rises past k, exactly one shard opens a connection; when it falls below k, the same shard closes one. So
the shares add up to the schedule at every moment. Multiples of the golden ratio spread over a ring more evenly than those
of any other number, so each shard's part of any stretch of numbers is even, too, and its turns come at regular times.

A shard counts its numbers with a floor sum. It walks along them by the three-gap theorem: the distance from one number of
an arc to the next is one of two distances, or their sum (N. B. Slater, Gaps and steps for the sequence n theta mod 1,
1967).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import gcd

# How many multipliers on either side of the golden section are tried. A peak of up to 10^12 has at most 11 different prime
# factors, and at least one of any 58 consecutive numbers is coprime to it (Jacobsthal's function).
CANDIDATES = 32


@dataclass(frozen=True, slots=True)
class RingShare:
    """The connections of a run that one shard opens: the arc [first, first + size) of a ring of ``peak`` points, one point for
    each connection.
    """

    peak: int
    first: int
    size: int

    def count(self, numbers: int) -> int:
        """Return how many of the run's connections 0 .. ``numbers`` - 1 belong to this share."""
        factor, before = multiplier(self.peak), self.peak - self.first
        return floor_sum(numbers, self.peak, factor, before) - floor_sum(numbers, self.peak, factor, before - self.size)

    def walk(self, taken: int = 0) -> RingWalk:
        """Return a position in the ascending connection numbers of this share, after the first ``taken`` of them."""
        return RingWalk(self, taken)

    def nth(self, index: int) -> int:
        """Return the connection number at ``index`` of this share's ascending numbers; the first has index 0."""
        low, high = index, self.peak - self.size + index
        while low < high:
            middle = (low + high) // 2
            if self.count(middle + 1) > index:
                high = middle
            else:
                low = middle + 1
        return low

    def gaps(self) -> tuple[int, int, int, int]:
        """Return (numbers forward, points forward, numbers backward, points backward) for the two basic distances between
        numbers of a share. Each pair says how many numbers to go, and how far that is on the ring. The arc must have two points
        or more. The distances are found by repeated subtraction, as in Euclid's algorithm.
        """
        forward, ahead = 1, multiplier(self.peak)
        backward, behind = 1, self.peak - ahead
        while ahead >= self.size or behind >= self.size:
            if ahead > behind:
                forward, ahead = forward + backward, ahead - behind
            else:
                backward, behind = forward + backward, behind - ahead
        return forward, ahead, backward, behind


class RingWalk:
    """A position between two connection numbers of a share. ``up`` and ``down`` move past one number and return it."""

    def __init__(self, share: RingShare, taken: int) -> None:
        self.share = share
        self.taken = taken
        self.gaps = share.gaps() if share.size > 1 else (0, 0, 0, 0)
        self.lowest = share.nth(0) if share.size else 0
        self.number = share.nth(taken - 1) if taken else 0  # the number behind; ``offset`` is its position on the arc
        self.offset = self.place(self.number)

    def place(self, number: int) -> int:
        """Return the position of a connection number on the share's arc, in points from the start of the arc."""
        return number * multiplier(self.share.peak) % self.share.peak - self.share.first

    def up(self) -> int:
        """Move forward past the share's next connection number and return that number. Requires ``taken`` < share.size."""
        if not self.taken:
            self.number, self.offset = self.lowest, self.place(self.lowest)
        else:
            gap, way = self.step(self.offset, self.share.size - 1 - self.offset)
            self.number, self.offset = self.number + gap, self.offset + way
        self.taken += 1
        return self.number

    def down(self) -> int:
        """Move back past the share's previous connection number and return that number. Requires ``taken`` > 0."""
        passed = self.number
        self.taken -= 1
        if self.taken:
            gap, way = self.step(self.share.size - 1 - self.offset, self.offset)
            self.number, self.offset = self.number - gap, self.offset - way
        return passed

    def step(self, behind: int, ahead: int) -> tuple[int, int]:
        """Return the distance to the share's next connection number, as (numbers, points), from a position with ``behind`` and
        ``ahead`` points of the arc on its two sides.
        """
        forward, far_ahead, backward, far_behind = self.gaps
        can_forward, can_backward = far_ahead <= ahead, far_behind <= behind
        if can_forward and (forward <= backward or not can_backward):
            return forward, far_ahead
        if can_backward:
            return backward, -far_behind
        return forward + backward, far_ahead - far_behind


def shares(peak: int, sizes: Iterator[int]) -> Iterator[RingShare]:
    """Yield consecutive arcs of these sizes, which divide the ring of ``peak`` points. The sizes must add up to the peak."""
    first = 0
    for size in sizes:
        yield RingShare(peak, first, size)
        first += size


def floor_sum(count: int, divisor: int, factor: int, start: int) -> int:
    """Return the sum of (factor * i + start) // divisor over i = 0 ..

    count - 1, in O(log divisor) steps. It follows Euclid's algorithm.
    """
    total = 0
    while count:
        total += (factor // divisor) * count * (count - 1) // 2 + (start // divisor) * count
        factor, start = factor % divisor, start % divisor
        highest = factor * count + start
        count, start = divmod(highest, divisor)
        divisor, factor = factor, divisor
    return total


@cache
def multiplier(peak: int) -> int:
    """Return the factor that maps connection numbers to points of the ring: coprime to the peak and near its golden section,
    with the smallest sum of partial quotients. That sum, of the continued fraction of g / P, bounds how unevenly the points can
    lie, and how many steps ``gaps`` takes.
    """
    golden = round(peak * (5**0.5 - 1) / 2)
    near = range(max(golden - CANDIDATES, 1), min(golden + CANDIDATES, peak) + 1)
    return min((one for one in near if gcd(one, peak) == 1), key=lambda one: quotients(peak, one))


def quotients(peak: int, factor: int) -> int:
    """Return the sum of the partial quotients of the continued fraction of factor / peak."""
    total = 0
    while factor:
        total += peak // factor
        peak, factor = factor, peak % factor
    return total
