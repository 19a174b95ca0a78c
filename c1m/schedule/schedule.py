"""How many connections should be open at each moment: straight lines through stages. Pure, in whole connections.

The number at a moment is the whole number nearest to the line. Hence connection number k (from 0) is due when the line
rises past k + 1/2, and is to be closed when it falls below that. Both ways are exact, so that whoever computes them,
on whatever machine, gets the same. Times are whole nanoseconds.

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
    """How openings lie along the line; the numbers are those on the wire."""

    CONSTANT = 1  # each when the line passes its number
    POISSON = 2  # at random, as many as the line rises
    RUSH = 3  # a closed loop: as fast as connects in flight allow, all due from the start


@dataclass(frozen=True, slots=True)
class Stage:
    """Reach ``total`` connections along a straight line within a time; 0 ns is at once."""

    total: int
    within_ns: int
    named: bool = True  # whether a person named it; the lines that draw a curve are not


@dataclass(frozen=True, slots=True)
class Line:
    """A stage in its place: from ``origin`` connections at ``begin_ns`` to ``total`` at ``end_ns``."""

    begin_ns: int
    end_ns: int
    origin: int
    total: int

    def at(self, elapsed_ns: int) -> int:
        """Inside the line's time only; the nearest whole number."""
        length = self.end_ns - self.begin_ns
        return self.origin + (2 * (elapsed_ns - self.begin_ns) * (self.total - self.origin) + length) // (2 * length)

    def rises_past(self, number: int) -> int:
        """On a line that rises: the first nanosecond at which connection ``number`` should be open."""
        return self.begin_ns + -(-(2 * (number - self.origin) + 1) * (self.end_ns - self.begin_ns) // (2 * self.rise))

    def falls_below(self, number: int) -> int:
        """On a line that falls: the first nanosecond at which connection ``number`` should be closed."""
        if self.begin_ns == self.end_ns:
            return self.begin_ns
        passed = 2 * (self.origin - number) - 1
        return self.begin_ns + passed * (self.end_ns - self.begin_ns) // (-2 * self.rise) + 1

    @property
    def rise(self) -> int:
        return self.total - self.origin


@dataclass(frozen=True)
class Schedule:
    """Stages in turn, from no connection at all; after the last one, its number stays."""

    stages: tuple[Stage, ...]

    @cached_property
    def lines(self) -> Sequence[Line]:
        lines = []
        begin, origin = 0, 0
        for stage in self.stages:
            lines.append(Line(begin, begin + stage.within_ns, origin, stage.total))
            begin, origin = begin + stage.within_ns, stage.total
        return lines

    @cached_property
    def ends(self) -> Sequence[int]:
        return [line.end_ns for line in self.lines]

    @property
    def end_ns(self) -> int:
        """When the last stage ends."""
        return self.ends[-1] if self.ends else 0

    @property
    def peak(self) -> int:
        """The most that should ever be open."""
        return max((stage.total for stage in self.stages), default=0)

    @property
    def steepest(self) -> float:
        """Of the lines that rise, connections a second; 0 where one of them rises at once."""
        climbs = [line for line in self.lines if line.rise > 0]
        if any(line.begin_ns == line.end_ns for line in climbs):
            return 0.0
        return max((line.rise * NANOSECONDS / (line.end_ns - line.begin_ns) for line in climbs), default=0.0)

    def at(self, elapsed_ns: int) -> int:
        """How many should be open at that time; where the line jumps, the number after the jump."""
        if elapsed_ns < 0:
            return 0
        index = bisect_right(self.ends, elapsed_ns)
        if index < len(self.lines):
            return self.lines[index].at(elapsed_ns)
        return self.stages[-1].total if self.stages else 0

    def due_by(self, elapsed_ns: int) -> int:
        """Openings that were due until then, each connection counted as often as it was due."""
        past = bisect_right(self.ends, elapsed_ns)
        whole = sum(max(line.rise, 0) for line in self.lines[:past])
        if past == len(self.lines):
            return whole
        return whole + max(self.at(elapsed_ns) - self.lines[past].origin, 0)

    def cut(self, elapsed_ns: int, stages: Iterable[Stage]) -> Schedule:
        """As it was until then, and from there on other stages."""
        past = bisect_right(self.ends, elapsed_ns)
        kept = list(self.stages[:past])
        rest = elapsed_ns - (self.ends[past - 1] if past else 0)
        if rest:
            kept.append(Stage(self.at(elapsed_ns), rest, named=False))
        return Schedule((*kept, *stages))

    def kept(self, cut_ns: int) -> int:
        """How many of its stages a cut at that time leaves as they are."""
        return bisect_right(self.ends, cut_ns)

    def rests(self) -> Iterator[tuple[int, int, int]]:
        """Where the line stands still: (begin, end, number), of stages that follow one another as one."""
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
    """A schedule that replaced another one while it was followed: what it was until ``since_ns``, and from there on new."""

    schedule: Schedule
    version: int = 1  # 1 is the one with which the run began, which replaced nothing
    since_ns: int = 0

    def next(self, since_ns: int, stages: Iterable[Stage]) -> Revision:
        return Revision(self.schedule.cut(since_ns, stages), self.version + 1, since_ns)


def nanoseconds(seconds: float) -> int:
    return round(seconds * NANOSECONDS)


def straight(total: int, within_seconds: float) -> Schedule:
    """The simplest schedule: up, and no further."""
    return Schedule((Stage(total, nanoseconds(within_seconds)),))
