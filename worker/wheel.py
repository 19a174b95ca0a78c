"""A timer wheel over arrays: one deadline for each descriptor, twelve bytes of it, and no object.

A slot of the wheel is a tick of time, modulo the slots; the descriptors that are due in it hang together as a doubly
linked list inside two arrays, so that setting, moving and cancelling a deadline take the same few steps whatever else is
on the wheel. A deadline further away than one turn stays in its slot and is looked at once a turn: 64 s, which costs a
shard with 20,000 connections 300 looks a second at most. Wheels of several levels would save those, and would
move everything down a level in bursts.

Pure: seconds come from the caller, who may begin to count them when it likes.
"""

from __future__ import annotations

import math
from array import array

TICK_SECONDS = 1 / 64  # how late a deadline may be noticed; a power of two, which floats divide and multiply exactly
SLOTS = 4096
LATEST = 2**32 - 1  # in ticks: two years
ABSENT = -(2**31)  # in ``before``: the descriptor has no deadline
END = -1  # in ``after`` and ``head``: nobody


class Wheel:
    """Deadlines by descriptor. ``before`` of the first in a slot is the slot itself, as ``-1 - slot``."""

    def __init__(self, most: int, slots: int = SLOTS, tick_seconds: float = TICK_SECONDS) -> None:
        """``most`` is the size of the descriptor table."""
        self.slots = slots
        self.tick_seconds = tick_seconds
        self.head = array("i", (END,)) * slots
        self.after = array("i", (END,)) * most
        self.before = array("i", (ABSENT,)) * most
        self.deadline = array("I", (0,)) * most  # in ticks
        self.position = 0  # the tick that is swept next: everything before it is done
        self.earliest = 0  # no deadline is before this tick
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def set(self, descriptor: int, deadline: float) -> None:
        """Of a descriptor that may have one already, in seconds. What is past is due at the next look."""
        self.cancel(descriptor)
        tick = max(min(math.ceil(deadline / self.tick_seconds), LATEST), self.position)
        slot = tick % self.slots
        first = self.head[slot]
        self.deadline[descriptor] = tick
        self.before[descriptor] = -1 - slot
        self.after[descriptor] = first
        self.head[slot] = descriptor
        if first != END:
            self.before[first] = descriptor
        self.earliest = min(self.earliest, tick) if self.size else tick
        self.size += 1

    def cancel(self, descriptor: int) -> None:
        """Of a descriptor that may have none."""
        before, after = self.before[descriptor], self.after[descriptor]
        if before == ABSENT:
            return
        if before < 0:
            self.head[-1 - before] = after
        else:
            self.after[before] = after
        if after != END:
            self.before[after] = before
        self.before[descriptor] = ABSENT
        self.size -= 1

    def due(self, now: float, most: int) -> list[int]:
        """Descriptors whose deadline has come, up to ``most`` of them, which have none any more."""
        tick = math.floor(now / self.tick_seconds)
        found: list[int] = []
        # A turn that was slept through is swept once, not slot by slot for every tick of it.
        self.position = max(self.position, min(self.earliest, tick), tick - self.slots + 1)
        while self.position <= tick and self.size:
            descriptor = self.head[self.position % self.slots]
            while descriptor != END:
                following = self.after[descriptor]
                if self.deadline[descriptor] <= tick:
                    if len(found) == most:
                        return found
                    self.cancel(descriptor)
                    found.append(descriptor)
                descriptor = following
            self.position += 1
        return found

    def next(self) -> float:
        """When to look again, in seconds: not later than the first deadline; infinite without any.

        It goes on from where it last stopped, so that all looks together pass each slot once.
        """
        if not self.size:
            return math.inf
        tick = max(self.earliest, self.position)
        last = tick + self.slots
        while self.head[tick % self.slots] == END and tick < last:
            tick += 1
        self.earliest = tick
        return tick * self.tick_seconds
