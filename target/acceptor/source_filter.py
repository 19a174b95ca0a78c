"""Which connections a target accepts if it accepts only those of its run (--only-run-sources). Pure."""

from __future__ import annotations

from _socket import inet_pton
from bisect import bisect_right
from collections.abc import Iterable


class SourceFilter:
    """A set of source addresses of one family from which connections are accepted, given as disjoint blocks (first, count)."""

    def __init__(self, family: int, blocks: Iterable[tuple[int, int]]) -> None:
        self.family = family
        self.blocks = sorted(blocks)
        self.firsts = [first for first, _ in self.blocks]

    def __contains__(self, address: str) -> bool:
        number = int.from_bytes(inet_pton(self.family, address))
        place = bisect_right(self.firsts, number) - 1
        return place >= 0 and number < sum(self.blocks[place])
