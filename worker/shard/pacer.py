"""What a shard should have open as time goes on: its part of the run's schedule, connection by connection. Pure.

A course holds what is due: openings that wait for their turn, each with the time at which it was due. It does not know
what became of them: a connection that failed or was dropped is not opened again for the schedule's sake, and when the
schedule falls, it is not there to be closed.
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
    """A closed loop: all are due at once, and only connects in flight hold them back."""

    paced = False
    next_ns = NEVER

    def __init__(self, count: int) -> None:
        self.scheduled = self.waiting = count

    def advance(self, elapsed_ns: int) -> None:
        """Nothing becomes due with time."""

    def take(self, count: int) -> Iterator[int]:
        """Begin so many of those that wait; when each was due, in nanoseconds into the run."""
        self.waiting -= count
        return repeat(0)

    def halt(self) -> None:
        """Nothing more is opened or closed for the schedule's sake."""
        self.waiting = 0
        self.scheduled = NEVER  # no number is too much

    def turn(self, edges: Iterator[Edge], scheduled: int, elapsed_ns: int) -> OpenLoop:
        """Go on by another schedule, of which ``scheduled`` should be open now."""
        return turned(self.scheduled, [elapsed_ns] * self.waiting, OpenLoop(edges, scheduled), elapsed_ns)


class OpenLoop:
    """An open loop: what is due is due on the clock, whatever the server does."""

    paced = True

    def __init__(self, edges: Iterator[Edge], scheduled: int = 0) -> None:
        self.edges = edges
        self.scheduled = scheduled  # of this shard's, as far as it has come
        self.due: deque[int] = deque()  # when openings that wait were due
        self.next_ns, self.opens = next(edges, (NEVER, False))

    @property
    def waiting(self) -> int:
        return len(self.due)

    def advance(self, elapsed_ns: int) -> None:
        """Pass everything that is due by then. Where the line falls, whoever still waits from before has waited in vain."""
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
    """Where the new schedule is ahead of the old one, so many are due now; where it is behind, so many wait no more.

    To close what is too much then is the shard's, as always.
    """
    more = course.scheduled - before
    course.due.extend(waiting)
    course.due.extend(repeat(elapsed_ns, more))
    for _ in range(min(-more, len(course.due))):
        course.due.pop()
    return course


def steady(share: RingShare, schedule: Schedule, since_ns: int = -1) -> Iterator[Edge]:
    """Each of the share's numbers when the schedule's line passes it, after ``since_ns``."""
    walk = share.walk(share.count(schedule.at(since_ns)))
    for line in schedule.lines[schedule.kept(since_ns) :]:
        goal = share.count(line.total)
        while walk.taken < goal:
            yield line.rises_past(walk.up()), True
        while walk.taken > goal:
            yield line.falls_below(walk.down()), False


def scattered(share: RingShare, schedule: Schedule, chance: Random, since_ns: int = -1) -> Iterator[Edge]:
    """Arrivals of a Poisson process: at the end of each line that rises as many as in ``steady``, and until then at random.

    Given how many there are, the arrivals of such a process lie independently of one another, each anywhere. They are
    drawn in order: the first of n lies beyond a part x of what is left with the probability (1 - x) ** n. While many
    are left, the gaps are exponential. Closings are not scattered.
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
