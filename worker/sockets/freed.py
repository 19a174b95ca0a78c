"""4-tuples that were given back, in a queue of numbers: whoever was given back longest ago is used again first. Pure.

Going round through all of a route's, spare ones included, lets each rest as long as it can: a RST that the network lost, a
NAT's or a firewall's memory, and a TIME_WAIT are over then, mostly.
"""

from __future__ import annotations

from array import array

COMPACTED_FROM = 1024  # numbers taken from the front of the queue before they are cut off it


class Freed:
    """Numbers in the order in which they were given back, 4 bytes each."""

    def __init__(self) -> None:
        self.numbers = array("I")
        self.head = 0  # of the queue, in ``numbers``

    def __len__(self) -> int:
        return len(self.numbers) - self.head

    def push(self, number: int) -> None:
        self.numbers.append(number)

    def pop(self) -> int | None:
        """The one that was given back longest ago; None when there is none."""
        if self.head == len(self.numbers):
            return None
        number = self.numbers[self.head]
        self.head += 1
        if self.head >= COMPACTED_FROM and self.head * 2 >= len(self.numbers):
            del self.numbers[: self.head]
            self.head = 0
        return number
