"""When a shard reached each stage of its schedule: when it had open what it should at the stage's end. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import Schedule

from .pacer import NEVER


@dataclass(frozen=True, slots=True)
class StageGoal:
    """The condition under which one shard has reached a stage of the schedule."""

    index: int  # of the stage
    begin_ns: int
    falls: bool
    number: int  # of its connections at the stage's end
    turns: int  # of its openings, or closings where the stage falls, from the beginning of the run to the end of the stage
    until_ns: int  # when more of these begin

    def is_reached(self, elapsed_ns: int, opened: int, closed: int, held: int) -> bool:
        """Return whether the shard has reached the stage: it holds the stage's number of connections.

        Where the line turns at once that may never be so; there, whether every connection has had its turn.
        """
        in_time = elapsed_ns <= self.until_ns
        if self.falls:
            return held <= self.number or (in_time and closed >= self.turns)
        return held >= self.number or (in_time and opened >= self.turns)


class StageTimes:
    """Records when a shard reaches each stage of its schedule.

    ``reached`` maps the index of a stage to nanoseconds into the run.
    """

    def __init__(self, share: RingShare, schedule: Schedule) -> None:
        self.share = share
        self.reached: dict[int, int] = {}
        self.ahead: list[StageGoal] = []
        self.next_ns = NEVER  # looking before then finds nothing
        self.missed = 0  # connections that the schedule opened and closed before the shard joined
        self.follow(schedule, 0)

    def follow(self, schedule: Schedule, kept: int) -> None:
        """Replace the schedule by another one, whose first ``kept`` stages are the same. The times of those stages are kept."""
        self.reached = {index: when for index, when in self.reached.items() if index < kept}
        self.ahead = [goal for goal in self.ahead if goal.index < kept]
        self.ahead += [goal for goal in goals(self.share, schedule) if goal.index >= kept]
        self.next_ns = self.ahead[0].begin_ns if self.ahead else NEVER

    def join(self, schedule: Schedule, elapsed_ns: int, reached: Mapping[int, int]) -> None:
        """Take over the times of the stages that a running run had reached when the shard joined it. Returns nothing."""
        self.reached = dict(reached)
        self.ahead = [goal for goal in self.ahead if goal.index not in reached]
        self.next_ns = self.ahead[0].begin_ns if self.ahead else NEVER
        lines = [line for line in schedule.lines if line.begin_ns <= elapsed_ns]
        ends = [line.total if line.end_ns <= elapsed_ns else line.at(elapsed_ns) for line in lines]
        falls = (self.share.count(line.origin) - self.share.count(end) for line, end in zip(lines, ends, strict=True))
        self.missed = sum(fall for fall in falls if fall > 0)

    def look(self, elapsed_ns: int, opened: int, closed: int, held: int) -> None:
        """Record ``elapsed_ns`` as the time of each stage that is reached now, given how many connections were opened and
        closed for the schedule and how many are established.
        """
        begun = [goal for goal in self.ahead if goal.begin_ns <= elapsed_ns]
        opened, closed = opened + self.missed, closed + self.missed
        done = [goal for goal in begun if goal.is_reached(elapsed_ns, opened, closed, held)]
        if done:
            self.reached.update((goal.index, elapsed_ns) for goal in done)
            self.ahead = [goal for goal in self.ahead if goal.index not in self.reached]
            self.next_ns = self.ahead[0].begin_ns if self.ahead else NEVER


def goals(share: RingShare, schedule: Schedule) -> Iterator[StageGoal]:
    """Yield for each stage that a user named the condition under which a shard has reached it."""
    opened = closed = before = 0
    falls = False  # on a plateau, as on the way to it
    for index, line in enumerate(schedule.lines):
        number, falls = share.count(line.total), line.rise < 0 or (falls and not line.rise)
        opened += max(number - before, 0)
        closed += max(before - number, 0)
        if schedule.stages[index].named:
            after = schedule.lines[index + 1 :]
            until_ns = next((each.begin_ns for each in after if (each.rise < 0 if falls else each.rise > 0)), NEVER)
            yield StageGoal(index, line.begin_ns, falls, number, closed if falls else opened, until_ns)
        before = number
