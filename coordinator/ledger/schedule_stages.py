"""The schedule of a run as it happened: its rests, its retargets, and when the nodes reached each stage. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from c1m.coordinator.summary.traffic import RetargetStage, RetargetSummary, StageSummary
from c1m.schedule.schedule import NANOSECONDS, Revision, Schedule
from c1m.text.units import format_duration

# Duration of a comparison. It waits for the last samples, and asks every kernel for its connections, which takes 2 us for
# each end; both ends may be on one host.
COMPARISON_SECONDS = 4.0
COMPARISON_SECONDS_A_CONNECTION = 4e-6


@dataclass(frozen=True, slots=True)
class Rest:
    """A period in which the schedule neither opens nor closes connections, in seconds from the start of the run."""

    begin: float
    end: float
    total: int

    @property
    def latest(self) -> float:
        """The latest second of the run at which a comparison of both ends can begin and still end within the rest."""
        return self.end - COMPARISON_SECONDS - COMPARISON_SECONDS_A_CONNECTION * self.total


def rests(schedule: Schedule) -> Iterator[Rest]:
    """Yield the periods of a schedule without change that are long enough for a comparison of both ends.

    A rest at the end of the schedule is left out: it is the hold, which is compared when it is over.
    """
    for begin, end, total in schedule.rests():
        rest = Rest(begin / NANOSECONDS, end / NANOSECONDS, total)
        if rest.latest > rest.begin and end < schedule.end_ns:
            yield rest


def stages_summary(schedule: Schedule, reached_ns: Mapping[int, int]) -> list[StageSummary]:
    """Return the stages that the user named: total, when it is due, and when it was reached.

    ``reached_ns``: index of the stage -> nanoseconds after the start. A stage that is missing there has None as the time.
    """
    return [
        StageSummary(
            total=stage.total,
            within_seconds=stage.within_ns / NANOSECONDS,
            due_seconds=line.end_ns / NANOSECONDS,
            reached_seconds=reached_ns[index] / NANOSECONDS if index in reached_ns else None,
        )
        for index, (stage, line) in enumerate(zip(schedule.stages, schedule.lines, strict=True))
        if stage.named
    ]


def retarget_sentence(revision: Revision) -> str:
    """Return a sentence for people that describes a retarget: from which total, when, and to which new totals."""
    retarget = retarget_summary(revision)
    ways = ", ".join(way(stage.total, stage.within_seconds) for stage in retarget.stages)
    return f"retargeted: from {retarget.origin:,} at {format_duration(retarget.at_seconds)} to {ways}"


def way(total: int, within_seconds: float) -> str:
    """Return a stage of a schedule as text: its total of connections, and the time in which to reach it."""
    return f"{total:,} " + (f"within {format_duration(within_seconds)}" if within_seconds else "at once")


def retarget_summary(revision: Revision) -> RetargetSummary:
    """Return a retarget as the summary has it: when, from which total, and its new stages."""
    new = [line for line in revision.schedule.lines if line.begin_ns >= revision.since_ns]
    return RetargetSummary(
        version=revision.version,
        at_seconds=revision.since_ns / NANOSECONDS,
        origin=new[0].origin,
        stages=tuple(RetargetStage(line.total, (line.end_ns - line.begin_ns) / NANOSECONDS) for line in new),
    )
