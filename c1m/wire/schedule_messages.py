"""Converts between protobuf messages and schedules."""

from __future__ import annotations

from collections.abc import Iterable

from c1m.errors import UsageError
from c1m.schedule.schedule import NANOSECONDS, Revision, Schedule, Stage
from c1m.schedule.shapes import MOST_STAGES
from c1m.v1 import schedule_pb2

from . import bounds


def revision_to_wire(revision: Revision) -> schedule_pb2.Schedule:
    """Return the protobuf message for a version of a run's schedule."""
    return schedule_pb2.Schedule(
        stages=stages_to_wire(revision.schedule.stages), version=revision.version, since_ns=revision.since_ns
    )


def revision_from_wire(message: schedule_pb2.Schedule) -> Revision:
    """Return a version of a run's schedule from its protobuf message. Raises UsageError if its stages are invalid."""
    return Revision(Schedule(stages_from_wire(message.stages)), message.version, message.since_ns)


def stages_to_wire(stages: Iterable[Stage]) -> list[schedule_pb2.Stage]:
    """Return the protobuf messages for the stages of a schedule."""
    return [schedule_pb2.Stage(total=stage.total, within_ns=stage.within_ns, unnamed=not stage.named) for stage in stages]


def stages_from_wire(stages: Iterable[schedule_pb2.Stage]) -> tuple[Stage, ...]:
    """Return the stages of a schedule from their protobuf messages.

    Raises UsageError if there are none or too many, or if a value is out of range.
    """
    sent = list(stages)
    bounds.at_most("stages", sent, MOST_STAGES)
    found = tuple(Stage(stage.total, stage.within_ns, not stage.unnamed) for stage in sent)
    if not found:
        raise UsageError("a schedule has no stages; give at least one")
    for stage in found:
        bounds.within("a stage of connections", stage.total, 0, bounds.MOST_CONNECTIONS)
    bounds.within("a schedule in seconds", sum(stage.within_ns for stage in found) / NANOSECONDS, 0, bounds.LONGEST_SECONDS)
    return found
