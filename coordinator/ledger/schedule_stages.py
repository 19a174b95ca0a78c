"""What the coordinator knows of a run's schedule: what replaced it, and when the nodes reached each stage. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from c1m.schedule.schedule import NANOSECONDS, Revision, Schedule
from c1m.text.units import format_duration

# A comparison asks every kernel for its connections and takes that long: 2 us each for both ends of one host, and the
# time until the last samples have come.
COMPARISON_SECONDS = 4.0
COMPARISON_SECONDS_A_CONNECTION = 4e-6


@dataclass(frozen=True, slots=True)
class Rest:
    """A time for which the schedule stands still. Seconds from the start of the run."""

    begin: float
    end: float
    total: int

    @property
    def latest(self) -> float:
        """When a comparison must begin to be over before the rest is."""
        return self.end - COMPARISON_SECONDS - COMPARISON_SECONDS_A_CONNECTION * self.total


def rests(schedule: Schedule) -> Iterator[Rest]:
    """Those with time for a comparison, but the last one if the schedule ends with it: that is compared when it is over."""
    for begin, end, total in schedule.rests():
        rest = Rest(begin / NANOSECONDS, end / NANOSECONDS, total)
        if rest.latest > rest.begin and end < schedule.end_ns:
            yield rest


def stages_summary(schedule: Schedule, reached_ns: Mapping[int, int]) -> list[dict[str, Any]]:
    """The stages that a person named; None is not reached."""
    return [
        {
            "total": stage.total,
            "within_seconds": stage.within_ns / NANOSECONDS,
            "due_seconds": line.end_ns / NANOSECONDS,
            "reached_seconds": reached_ns[index] / NANOSECONDS if index in reached_ns else None,
        }
        for index, (stage, line) in enumerate(zip(schedule.stages, schedule.lines, strict=True))
        if stage.named
    ]


def retarget_sentence(revision: Revision) -> str:
    """As a person is told it while the run goes on."""
    told = retarget_summary(revision)
    ways = ", ".join(way(stage["total"], stage["within_seconds"]) for stage in told["stages"])
    return f"retargeted: from {told['from']:,} at {format_duration(told['at_seconds'])} to {ways}"


def way(total: int, within_seconds: float) -> str:
    return f"{total:,} " + (f"within {format_duration(within_seconds)}" if within_seconds else "at once")


def retarget_summary(revision: Revision) -> dict[str, Any]:
    new = [line for line in revision.schedule.lines if line.begin_ns >= revision.since_ns]
    return {
        "version": revision.version,
        "at_seconds": revision.since_ns / NANOSECONDS,
        "from": new[0].origin,
        "stages": [{"total": line.total, "within_seconds": (line.end_ns - line.begin_ns) / NANOSECONDS} for line in new],
    }
