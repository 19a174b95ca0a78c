"""The steps of a run while connections are open, and the step at which a resumed run goes on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import NamedTuple


class Step(Enum):
    FOLLOW = auto()  # the schedule, to its end
    HOLD = auto()
    COMPARE = auto()  # for the last time
    CLOSE = auto()


class StepSince(NamedTuple):
    step: Step
    since: float  # seconds after the start of the run


# What a run does (the turns of its time line) -> the step that it is at. To compare belongs to several.
STEPS: Mapping[str, Step] = {
    "opening": Step.FOLLOW,
    "following": Step.FOLLOW,
    "holding": Step.HOLD,
    "calming": Step.COMPARE,
    "quietening": Step.CLOSE,
    "closing": Step.CLOSE,
}
AFTER = {Step.HOLD: Step.COMPARE}


def standing(turns: Iterable[tuple[float, str]]) -> StepSince:
    """Return the step of a run that took these steps, each at so many seconds after its start."""
    found = StepSince(Step.FOLLOW, 0.0)
    for at, doing in turns:
        step = AFTER.get(found.step, found.step) if doing == "comparing" else STEPS.get(doing, found.step)
        if step is not found.step:
            found = StepSince(step, at)
    return found
