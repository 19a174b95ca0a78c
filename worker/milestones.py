"""When a shard reached each stage of its schedule: had open what it should at the stage's end, going up or down. Pure."""

from __future__ import annotations

from c1m.dealing import Share
from c1m.schedule import Schedule

from .course import NEVER


class Milestones:
    """``reached``: stage, by its place in the schedule -> nanoseconds into the run."""

    def __init__(self, share: Share, schedule: Schedule) -> None:
        self.share = share
        self.reached: dict[int, int] = {}
        self.ahead: list[tuple[int, int, int, bool]] = []  # (begin, index, own connections at the end, whether it falls)
        self.next_ns = NEVER
        self.follow(schedule, 0)

    def follow(self, schedule: Schedule, kept: int) -> None:
        """Another schedule, of which the first ``kept`` stages are those of the one before."""
        self.reached = {index: when for index, when in self.reached.items() if index < kept}
        self.ahead = [stage for stage in self.ahead if stage[1] < kept] + [
            (line.begin_ns, index, self.share.count(line.total), line.rise < 0)
            for index, line in enumerate(schedule.lines)
            if index >= kept and schedule.stages[index].named
        ]
        self.next_ns = self.ahead[0][0] if self.ahead else NEVER

    def look(self, elapsed_ns: int, held: int) -> None:
        """``held`` connections are established now."""
        for stage in list(self.ahead):
            begin, index, goal, falls = stage
            if begin > elapsed_ns:
                break
            if held <= goal if falls else held >= goal:
                self.reached[index] = elapsed_ns
                self.ahead.remove(stage)
        self.next_ns = self.ahead[0][0] if self.ahead else NEVER
