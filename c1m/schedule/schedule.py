"""How many connections should be open at each moment: straight lines through stages. Pure, in whole connections.

The number at a moment is the whole number nearest to the line. So connection number k (from 0) is due to open when the line
rises past k + 1/2, and due to close when it falls below that. Both times are computed in integers, so every machine gets the
same result. Times are whole nanoseconds.

       4 |        _________
       2 |      _/         \\_         --stage 4@2s --stage 4@3s --stage 1@2s
       0 |____/              \\__
"""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

NANOSECONDS = 1_000_000_000


class Arrival(enum.IntEnum):
    """How openings are spread along a schedule's line: evenly, at random, or as fast as possible.

    The numbers are those on the wire.
    """

    CONSTANT = 1  # each opening when the line passes its number
    POISSON = 2  # at random times, as many as the line rises
    CLOSED_LOOP = 3  # a closed loop: all are due at the start and open as fast as the connects in flight allow


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a schedule: reach ``total`` connections along a straight line within ``within_ns`` nanoseconds.

    0 ns is at once.
    """

    total: int
    within_ns: int
    named: bool = True  # whether a person wrote it; the lines that approximate a curve are not named


@dataclass(frozen=True, slots=True)
class Line:
    """A stage of a schedule with its start: from ``origin`` connections at ``begin_ns`` to ``total`` at ``end_ns``."""

    begin_ns: int
    end_ns: int
    origin: int
    total: int

    def at(self, elapsed_ns: int) -> int:
        """Return the number of connections at a time within the line, rounded to the nearest whole number."""
        length = self.end_ns - self.begin_ns
        return self.origin + (2 * (elapsed_ns - self.begin_ns) * (self.total - self.origin) + length) // (2 * length)

    def rises_past(self, number: int) -> int:
        """Return the time, in nanoseconds since the start, from which on connection ``number`` should be open.

        Call it only for a line of the schedule that rises.
        """
        return self.begin_ns + -(-(2 * (number - self.origin) + 1) * (self.end_ns - self.begin_ns) // (2 * self.rise))

    def falls_below(self, number: int) -> int:
        """Return the time, in nanoseconds since the start, from which on connection ``number`` should be closed.

        Call it only for a line of the schedule that falls.
        """
        if self.begin_ns == self.end_ns:
            return self.begin_ns
        passed = 2 * (self.origin - number) - 1
        return self.begin_ns + passed * (self.end_ns - self.begin_ns) // (-2 * self.rise) + 1

    @property
    def rise(self) -> int:
        """The number of connections gained along the line; negative if the line falls."""
        return self.total - self.origin


@dataclass(frozen=True)
class Schedule:
    """How many connections should be open at each moment: stages one after another, starting from no connections.

    After the last stage its number stays.
    """

    stages: tuple[Stage, ...]

    @cached_property
    def lines(self) -> Sequence[Line]:
        """The stages of the schedule as straight lines, each with its start and end."""
        lines = []
        begin, origin = 0, 0
        for stage in self.stages:
            lines.append(Line(begin, begin + stage.within_ns, origin, stage.total))
            begin, origin = begin + stage.within_ns, stage.total
        return lines

    @cached_property
    def ends(self) -> Sequence[int]:
        """The time at which each stage ends, in nanoseconds from the start."""
        return [line.end_ns for line in self.lines]

    @property
    def end_ns(self) -> int:
        """The time at which the last stage ends, in nanoseconds from the start; 0 without stages."""
        return self.ends[-1] if self.ends else 0

    @property
    def peak(self) -> int:
        """The largest number of connections that should ever be open."""
        return max((stage.total for stage in self.stages), default=0)

    @property
    def steepest(self) -> float:
        """The rate of the schedule's steepest rise, in connections a second. 0 if a line rises at once, or if none rises."""
        climbs = [line for line in self.lines if line.rise > 0]
        if any(line.begin_ns == line.end_ns for line in climbs):
            return 0.0
        return max((line.rise * NANOSECONDS / (line.end_ns - line.begin_ns) for line in climbs), default=0.0)

    def at(self, elapsed_ns: int) -> int:
        """Return how many connections should be open at a time, in nanoseconds from the start.

        At a jump it is the number after the jump.
        """
        if elapsed_ns < 0:
            return 0
        index = bisect_right(self.ends, elapsed_ns)
        if index < len(self.lines):
            return self.lines[index].at(elapsed_ns)
        return self.stages[-1].total if self.stages else 0

    def due_by(self, elapsed_ns: int) -> int:
        """Return how many connections should have been opened by a time, in nanoseconds from the start.

        A connection counts each time that it was due.
        """
        past = bisect_right(self.ends, elapsed_ns)
        whole = sum(max(line.rise, 0) for line in self.lines[:past])
        if past == len(self.lines):
            return whole
        return whole + max(self.at(elapsed_ns) - self.lines[past].origin, 0)

    def cut(self, elapsed_ns: int, stages: Iterable[Stage]) -> Schedule:
        """Return a schedule that is this one until ``elapsed_ns`` and then follows other stages."""
        past = bisect_right(self.ends, elapsed_ns)
        kept = list(self.stages[:past])
        rest = elapsed_ns - (self.ends[past - 1] if past else 0)
        if rest:
            kept.append(Stage(self.at(elapsed_ns), rest, named=False))
        return Schedule((*kept, *stages))

    def kept(self, cut_ns: int) -> int:
        """Return how many stages of the schedule stay unchanged if it is cut at this time, in nanoseconds from the start."""
        return bisect_right(self.ends, cut_ns)

    def rests(self) -> Iterator[tuple[int, int, int]]:
        """Yield (begin, end, connections), in nanoseconds, for each time in which the schedule stays level.

        Consecutive level stages are one.
        """
        resting: Line | None = None
        for line in self.lines:
            if line.rise:
                if resting:
                    yield resting.begin_ns, resting.end_ns, resting.total
                resting = None
            elif line.end_ns > line.begin_ns:
                resting = replace(resting, end_ns=line.end_ns) if resting else line
        if resting:
            yield resting.begin_ns, resting.end_ns, resting.total


@dataclass(frozen=True, slots=True)
class Revision:
    """A version of a run's schedule. It equals the version before it until ``since_ns`` and differs from there on."""

    schedule: Schedule
    version: int = 1  # 1 is the schedule with which the run began
    since_ns: int = 0

    def next(self, since_ns: int, stages: Iterable[Stage]) -> Revision:
        """Return the next version of the schedule, which follows other stages from ``since_ns`` on."""
        return Revision(self.schedule.cut(since_ns, stages), self.version + 1, since_ns)


def nanoseconds(seconds: float) -> int:
    """Return a number of seconds as whole nanoseconds."""
    return round(seconds * NANOSECONDS)


def straight(total: int, within_seconds: float) -> Schedule:
    """Return the simplest schedule: one straight line from 0 up to ``total`` connections."""
    return Schedule((Stage(total, nanoseconds(within_seconds)),))
