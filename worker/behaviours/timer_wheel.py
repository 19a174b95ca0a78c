"""A timer wheel over arrays: one deadline for each descriptor, in eight bytes and without an object.

A slot of the wheel is a tick of time, modulo the number of slots. The descriptors that are due in it form a linked list
inside an array. Setting a deadline takes constant time. Cancelling one walks along its slot, past those set for the same
64th of a second: about 25 when fifty shards have opened 80,000 connections a second. A doubly linked list would avoid that
walk for four more bytes.

A deadline more than one turn away stays in its slot and is visited once a turn (64 s). That costs a shard with 20,000
connections at most 300 visits a second. A wheel of several levels would save them, but would move entries down a level in
bursts.

Pure: the caller supplies the time, in seconds, from whatever origin it likes.
"""

from __future__ import annotations

import heapq
import math
from array import array

TICK_SECONDS = 1 / 64  # how late a deadline may be noticed; a power of two, which floats divide and multiply exactly
SLOTS = 4096
LATEST = 2**32 - 1  # in ticks: two years
END = -1  # of a slot's list
ABSENT = -2  # in ``after``: the descriptor has no deadline


class TimerWheel:
    """A timer wheel: stores one deadline for each descriptor and finds those that have passed."""

    def __init__(self, most: int, slots: int = SLOTS, tick_seconds: float = TICK_SECONDS) -> None:
        """Create an empty timer wheel. ``most`` is the size of the descriptor table."""
        self.slots = slots
        self.tick_seconds = tick_seconds
        self.head = array("i", (END,)) * slots
        self.after = array("i", (ABSENT,)) * most
        self.deadline = array("I", (0,)) * most  # in ticks
        self.position = 0  # the tick that is swept next: everything before it is done
        self.earliest = 0  # no deadline is before this tick
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def set(self, descriptor: int, deadline: float) -> None:
        """Set the deadline of a descriptor, in seconds, replacing the one that it may have.

        A past deadline is due at the next call of ``due``.
        """
        self.cancel(descriptor)
        tick = max(min(math.ceil(deadline / self.tick_seconds), LATEST), self.position)
        slot = tick % self.slots
        self.deadline[descriptor] = tick
        self.after[descriptor] = self.head[slot]
        self.head[slot] = descriptor
        self.earliest = min(self.earliest, tick) if self.size else tick
        self.size += 1

    def cancel(self, descriptor: int) -> None:
        """Remove the deadline of a descriptor, if it has one."""
        if self.after[descriptor] == ABSENT:
            return
        slot = self.deadline[descriptor] % self.slots
        before, one = END, self.head[slot]
        while one != descriptor:
            before, one = one, self.after[one]
        self.unlink(slot, before, descriptor)

    def unlink(self, slot: int, before: int, descriptor: int) -> None:
        """Remove the deadline of ``descriptor`` from the list of ``slot``.

        ``before`` is its predecessor there, END for none.
        """
        if before == END:
            self.head[slot] = self.after[descriptor]
        else:
            self.after[before] = self.after[descriptor]
        self.after[descriptor] = ABSENT
        self.size -= 1

    def due(self, now: float, most: int) -> list[int]:
        """Remove up to ``most`` deadlines that have passed, and return their descriptors."""
        tick = math.floor(now / self.tick_seconds)
        found: list[int] = []
        # If whole turns passed during a sleep, each slot is visited once, not once for every tick.
        self.position = max(self.position, min(self.earliest, tick), tick - self.slots + 1)
        while self.position <= tick and self.size:
            slot = self.position % self.slots
            before, descriptor = END, self.head[slot]
            while descriptor != END:
                following = self.after[descriptor]
                if self.deadline[descriptor] > tick:
                    before = descriptor
                elif len(found) == most:
                    return found
                else:
                    self.unlink(slot, before, descriptor)
                    found.append(descriptor)
                descriptor = following
            self.position += 1
        return found

    def next(self) -> float:
        """Return the time in seconds at which to call ``due`` again: not later than the first deadline, infinite without any.

        The search goes on from where it last stopped, so all calls together pass each slot once.
        """
        if not self.size:
            return math.inf
        tick = max(self.earliest, self.position)
        last = tick + self.slots
        while self.head[tick % self.slots] == END and tick < last:
            tick += 1
        self.earliest = tick
        return tick * self.tick_seconds


TICK_SECONDS = 1 / 64  # how late somebody may come back; exact in floats


class ReturnCalendar:
    """The errands of connections that will be opened again, by the time at which they are due.

    The caller supplies the time, as for ``TimerWheel``.
    """

    def __init__(self, phase: float = 0.0) -> None:
        """Create an empty calendar.

        ``phase`` is the fraction of a tick by which due times are shifted, so that shards do not return at the same instants.
        """
        self.phase = phase * TICK_SECONDS
        self.errands: dict[int, array[int]] = {}  # tick -> what is over then
        self.ticks: list[int] = []  # a heap of the keys
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def add(self, until: float, errand: int) -> None:
        """Add an errand, an unsigned number of at most 32 bits, that is due at the time ``until``, in seconds."""
        tick = math.ceil((until + self.phase) / TICK_SECONDS)
        if tick not in self.errands:
            self.errands[tick] = array("I")
            heapq.heappush(self.ticks, tick)
        self.errands[tick].append(errand)
        self.size += 1

    def over(self, now: float) -> list[int]:
        """Remove the errands that are due at the time ``now``, and return them ordered by time."""
        found: list[int] = []
        tick = math.floor((now + self.phase) / TICK_SECONDS)
        while self.ticks and self.ticks[0] <= tick:
            found += self.errands.pop(heapq.heappop(self.ticks))
        self.size -= len(found)
        return found

    def pop(self) -> int:
        """Remove and return one errand of the earliest time, which is not wanted any more. Requires len(self) > 0."""
        tick = self.ticks[0]
        errand = self.errands[tick].pop()
        if not self.errands[tick]:
            del self.errands[heapq.heappop(self.ticks)]
        self.size -= 1
        return errand

    def next(self) -> float:
        """Return the time in seconds at which the next errand is due; infinite without any."""
        return self.ticks[0] * TICK_SECONDS - self.phase if self.ticks else math.inf
