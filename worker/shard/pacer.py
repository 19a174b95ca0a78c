"""The pacer: how many connections a shard should have open as time passes, connection by connection. Pure.

A pacer holds the openings that are due, each with the time at which it became due. It does not know what became of them: a
connection that failed or was dropped is not opened again for the schedule, and is not there to be closed when the schedule
falls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import repeat
from random import Random

from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import Schedule

NEVER = 1 << 63  # nanoseconds: 292 years
Edge = tuple[int, bool]  # when, in nanoseconds into the run, and whether one opens; otherwise one closes


class ClosedLoop:
    """A pacer for runs that open as fast as possible: all connections are due at once, and only connects in flight hold them
    back.
    """

    paced = False
    next_ns = NEVER

    def __init__(self, count: int) -> None:
        self.scheduled = self.waiting = count

    def advance(self, elapsed_ns: int) -> None:
        """Do nothing as time passes: in a closed loop all connections are due from the start."""

    def take(self, count: int) -> Iterator[int]:
        """Take up to ``count`` connections that wait to be opened, and return the times at which they were due, in nanoseconds
        into the run: always 0.
        """
        self.waiting -= count
        return repeat(0)

    def halt(self) -> None:
        """Stop opening and closing connections for the schedule. Returns nothing."""
        self.waiting = 0
        self.scheduled = NEVER  # no number is too much

    def turn(self, edges: Iterator[Edge], scheduled: int, elapsed_ns: int) -> OpenLoop:
        """Return an open loop that follows another schedule, which has ``scheduled`` connections open at ``elapsed_ns``."""
        return turned(self.scheduled, [elapsed_ns] * self.waiting, OpenLoop(edges, scheduled), elapsed_ns)


class OpenLoop:
    """A pacer for runs with a schedule: connections become due on the clock, whatever the server does."""

    paced = True

    def __init__(self, edges: Iterator[Edge], scheduled: int = 0) -> None:
        self.edges = edges
        self.scheduled = scheduled  # numbers of this shard that the schedule has passed
        self.due: deque[int] = deque()  # when openings that wait were due
        self.next_ns, self.opens = next(edges, (NEVER, False))

    @property
    def waiting(self) -> int:
        return len(self.due)

    def advance(self, elapsed_ns: int) -> None:
        """Count the openings and closings that are due by ``elapsed_ns``, in nanoseconds into the run.

        Where the line falls, openings that still wait are cancelled.
        """
        late = len(self.due)
        while self.next_ns <= elapsed_ns:
            if self.opens:
                self.due.append(self.next_ns)
                self.scheduled += 1
            else:
                self.scheduled -= 1
                if late:
                    late -= 1
                    del self.due[late]
            self.next_ns, self.opens = next(self.edges, (NEVER, False))

    def take(self, count: int) -> Iterator[int]:
        return iter([self.due.popleft() for _ in range(count)])

    def halt(self) -> None:
        self.due.clear()
        self.scheduled = NEVER  # no number is too much
        self.edges, self.next_ns = iter(()), NEVER

    def turn(self, edges: Iterator[Edge], scheduled: int, elapsed_ns: int) -> OpenLoop:
        return turned(self.scheduled, self.due, OpenLoop(edges, scheduled), elapsed_ns)


def turned(before: int, waiting: Iterable[int], course: OpenLoop, elapsed_ns: int) -> OpenLoop:
    """Return an open loop that continues a run under another schedule.

    If the new schedule is ahead of the old one, the difference is due now; if it is behind, the difference stops waiting. The
    shard then closes the surplus, as always.
    """
    more = course.scheduled - before
    course.due.extend(waiting)
    course.due.extend(repeat(elapsed_ns, more))
    for _ in range(min(-more, len(course.due))):
        course.due.pop()
    return course


def steady(share: RingShare, schedule: Schedule, since_ns: int = -1) -> Iterator[Edge]:
    """Yield the time in nanoseconds, and True for opening or False for closing, of each of the share's connections that the
    schedule opens or closes after ``since_ns``.
    """
    walk = share.walk(share.count(schedule.at(since_ns)))
    for line in schedule.lines[schedule.kept(since_ns) :]:
        goal = share.count(line.total)
        while walk.taken < goal:
            yield line.rises_past(walk.up()), True
        while walk.taken > goal:
            yield line.falls_below(walk.down()), False


def scattered(share: RingShare, schedule: Schedule, chance: Random, since_ns: int = -1) -> Iterator[Edge]:
    """Yield the times of a shard's openings and closings as a Poisson process: at the end of each rising line as many as
    ``steady`` yields, and at random moments until then. Given their number, the arrivals of a Poisson process are independent
    and uniform. They are drawn in order: the first of n lies beyond a fraction x of the rest with probability (1 - x) ** n.
    While many are left, the gaps are exponential. Closings are not scattered.
    """
    reached = schedule.at(since_ns)
    for line in schedule.lines[schedule.kept(since_ns) :]:
        goal, when = share.count(line.total), max(line.begin_ns, since_ns)
        if line.total < reached:
            walk = share.walk(share.count(reached))
            while walk.taken > goal:
                yield line.falls_below(walk.down()), False
        for left in range(goal - share.count(reached), 0, -1):
            when += round((line.end_ns - when) * (1 - chance.random() ** (1 / left)))
            yield when, True
        reached = line.total
