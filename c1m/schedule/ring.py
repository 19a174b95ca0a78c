"""Who opens connection number k: exact and even for any number of shards with any shares, without a word between them. Pure.

Of a run with a peak of P connections, number k lies on the point k * g mod P of a ring, where g is near P / golden ratio
and has no factor in common with P, so that each point is one number's. A shard owns an arc of the ring, as long as its
share. So a schedule that rises past k makes exactly one shard open one, and when it falls below k the same shard closes
one: the shares add up to the schedule at every moment. And since multiples of the golden ratio spread over a ring more
evenly than those of any other number, each shard's part of any stretch of numbers is even, too, and its turns come at
regular times.

A shard counts its share by a floor sum, and walks along its numbers by the three-gap theorem: from one number of an arc
to the next it is one of two distances, or both together (N. B. Slater, Gaps and steps for the sequence n theta mod 1,
1967).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import gcd

# Multipliers on either side of the golden section; the best of them is taken. A peak of up to 10^12 has 11 different prime
# factors at most, and of any 58 numbers in a row one at least is coprime to it (Jacobsthal's function).
CANDIDATES = 32


@dataclass(frozen=True, slots=True)
class RingShare:
    """The arc [first, first + size) of the ring of ``peak`` points."""

    peak: int
    first: int
    size: int

    def count(self, numbers: int) -> int:
        """How many of the numbers 0 .. ``numbers`` - 1 are its own."""
        factor, before = multiplier(self.peak), self.peak - self.first
        return floor_sum(numbers, self.peak, factor, before) - floor_sum(numbers, self.peak, factor, before - self.size)

    def walk(self, taken: int = 0) -> RingWalk:
        """Along its own numbers, of which the first ``taken`` are behind."""
        return RingWalk(self, taken)

    def nth(self, index: int) -> int:
        """Its own number ``index``, from 0."""
        low, high = index, self.peak - self.size + index
        while low < high:
            middle = (low + high) // 2
            if self.count(middle + 1) > index:
                high = middle
            else:
                low = middle + 1
        return low

    def gaps(self) -> tuple[int, int, int, int]:
        """From one number to the next: numbers to go, and how far that is forward on the ring; the same for backward.

        Of an arc of two points or more; subtracting the smaller from the larger, as Euclid did.
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
    """A place between two of a share's numbers; ``up`` and ``down`` go past one, and say which."""

    def __init__(self, share: RingShare, taken: int) -> None:
        self.share = share
        self.taken = taken
        self.gaps = share.gaps() if share.size > 1 else (0, 0, 0, 0)
        self.lowest = share.nth(0) if share.size else 0
        self.number = share.nth(taken - 1) if taken else 0  # the one behind, and where on the arc it lies
        self.offset = self.place(self.number)

    def place(self, number: int) -> int:
        return number * multiplier(self.share.peak) % self.share.peak - self.share.first

    def up(self) -> int:
        """Past the next number. To be called only while there is one: ``taken`` < share.size."""
        if not self.taken:
            self.number, self.offset = self.lowest, self.place(self.lowest)
        else:
            gap, way = self.step(self.offset, self.share.size - 1 - self.offset)
            self.number, self.offset = self.number + gap, self.offset + way
        self.taken += 1
        return self.number

    def down(self) -> int:
        """Back over the number behind. To be called only while there is one: ``taken`` > 0."""
        passed = self.number
        self.taken -= 1
        if self.taken:
            gap, way = self.step(self.share.size - 1 - self.offset, self.offset)
            self.number, self.offset = self.number - gap, self.offset - way
        return passed

    def step(self, behind: int, ahead: int) -> tuple[int, int]:
        """(numbers, points) to go, where so many points of the arc are behind and ahead."""
        forward, far_ahead, backward, far_behind = self.gaps
        can_forward, can_backward = far_ahead <= ahead, far_behind <= behind
        if can_forward and (forward <= backward or not can_backward):
            return forward, far_ahead
        if can_backward:
            return backward, -far_behind
        return forward + backward, far_ahead - far_behind


def shares(peak: int, sizes: Iterator[int]) -> Iterator[RingShare]:
    """The ring, divided in order. The sizes add up to the peak."""
    first = 0
    for size in sizes:
        yield RingShare(peak, first, size)
        first += size


def floor_sum(count: int, divisor: int, factor: int, start: int) -> int:
    """The sum of (factor * i + start) // divisor over i = 0 .. count - 1. O(log divisor) steps, which are Euclid's."""
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
    """Near the golden section of the ring, coprime to it, and of those the one with the smallest partial quotients.

    The sum of the partial quotients of g / P bounds how uneven the points can lie (and how many steps ``gaps`` takes).
    """
    golden = round(peak * (5**0.5 - 1) / 2)
    near = range(max(golden - CANDIDATES, 1), min(golden + CANDIDATES, peak) + 1)
    return min((one for one in near if gcd(one, peak) == 1), key=lambda one: quotients(peak, one))


def quotients(peak: int, factor: int) -> int:
    """The sum of the partial quotients of the continued fraction of factor / peak."""
    total = 0
    while factor:
        total += peak // factor
        peak, factor = factor, peak % factor
    return total
