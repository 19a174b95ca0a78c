"""A timer wheel over arrays: one deadline for each descriptor, eight bytes of it, and no object.

A slot of the wheel is a tick of time, modulo the slots; the descriptors that are due in it hang together as a list inside an
array. Setting a deadline takes a few steps whatever else is on the wheel. Cancelling one walks along its slot, past those
that were set for the same 64th of a second: some 25 when fifty shards have opened 80,000 connections a second. A list
that goes both ways would spare that, for four bytes more.

A deadline further away than one turn stays in its slot and is looked at once a turn: 64 s, which costs a shard with 20,000
connections 300 looks a second at most. Wheels of several levels would save those, and would move everything down
a level in bursts.

Pure: seconds come from the caller, who may begin to count them when it likes.
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
    """Deadlines by descriptor."""

    def __init__(self, most: int, slots: int = SLOTS, tick_seconds: float = TICK_SECONDS) -> None:
        """``most`` is the size of the descriptor table."""
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
        """Of a descriptor that may have one already, in seconds. What is past is due at the next look."""
        self.cancel(descriptor)
        tick = max(min(math.ceil(deadline / self.tick_seconds), LATEST), self.position)
        slot = tick % self.slots
        self.deadline[descriptor] = tick
        self.after[descriptor] = self.head[slot]
        self.head[slot] = descriptor
        self.earliest = min(self.earliest, tick) if self.size else tick
        self.size += 1

    def cancel(self, descriptor: int) -> None:
        """Of a descriptor that may have none."""
        if self.after[descriptor] == ABSENT:
            return
        slot = self.deadline[descriptor] % self.slots
        before, one = END, self.head[slot]
        while one != descriptor:
            before, one = one, self.after[one]
        self.unlink(slot, before, descriptor)

    def unlink(self, slot: int, before: int, descriptor: int) -> None:
        """``before`` is who comes before it in its slot, END for nobody."""
        if before == END:
            self.head[slot] = self.after[descriptor]
        else:
            self.after[before] = self.after[descriptor]
        self.after[descriptor] = ABSENT
        self.size -= 1

    def due(self, now: float, most: int) -> list[int]:
        """Descriptors whose deadline has come, up to ``most`` of them, which have none any more."""
        tick = math.floor(now / self.tick_seconds)
        found: list[int] = []
        # A turn that was slept through is swept once, not slot by slot for every tick of it.
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


TICK_SECONDS = 1 / 64  # how late somebody may come back; exact in floats


class ReturnCalendar:
    """Errands by the time at which they are over. Seconds are the caller's, as in ``timer_wheel``."""

    def __init__(self, phase: float = 0.0) -> None:
        """``phase``: part of a tick by which its moments are shifted, so that shards do not come back at the same instants."""
        self.phase = phase * TICK_SECONDS
        self.errands: dict[int, array[int]] = {}  # tick -> what is over then
        self.ticks: list[int] = []  # a heap of the keys
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def add(self, until: float, errand: int) -> None:
        """``errand`` fits 32 bits, without a sign."""
        tick = math.ceil((until + self.phase) / TICK_SECONDS)
        if tick not in self.errands:
            self.errands[tick] = array("I")
            heapq.heappush(self.ticks, tick)
        self.errands[tick].append(errand)
        self.size += 1

    def over(self, now: float) -> list[int]:
        """Errands whose time has come, in the order of their times; they are not away any more."""
        found: list[int] = []
        tick = math.floor((now + self.phase) / TICK_SECONDS)
        while self.ticks and self.ticks[0] <= tick:
            found += self.errands.pop(heapq.heappop(self.ticks))
        self.size -= len(found)
        return found

    def pop(self) -> int:
        """Somebody who will not come back; of one or more."""
        tick = self.ticks[0]
        errand = self.errands[tick].pop()
        if not self.errands[tick]:
            del self.errands[heapq.heappop(self.ticks)]
        self.size -= 1
        return errand

    def next(self) -> float:
        """When somebody comes back; infinite while nobody is away."""
        return self.ticks[0] * TICK_SECONDS - self.phase if self.ticks else math.inf
