"""The steps of a run while connections are open, and the step at which a resumed run goes on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import NamedTuple

from c1m.coordinator.ledger.doing import Doing


class Step(Enum):
    """A step at which a run can be resumed."""

    FOLLOW = auto()  # the schedule, to its end
    HOLD = auto()
    COMPARE = auto()  # for the last time, before closing
    CLOSE = auto()


class StepSince(NamedTuple):
    """A step, and when it began."""

    step: Step
    since: float  # seconds after the start of the run


# What a run is doing -> the step. COMPARING is not here: what it belongs to depends on the step before it.
STEPS: Mapping[Doing, Step] = {
    Doing.OPENING: Step.FOLLOW,
    Doing.FOLLOWING: Step.FOLLOW,
    Doing.HOLDING: Step.HOLD,
    Doing.CALMING: Step.COMPARE,
    Doing.QUIETENING: Step.CLOSE,
    Doing.CLOSING: Step.CLOSE,
}
AFTER = {Step.HOLD: Step.COMPARE}


def standing(turns: Iterable[tuple[float, Doing]]) -> StepSince:
    """Return the step of a run whose timeline has these turns: seconds after the start, and what it did from then on."""
    found = StepSince(Step.FOLLOW, 0.0)
    for at, doing in turns:
        step = AFTER.get(found.step, found.step) if doing is Doing.COMPARING else STEPS.get(doing, found.step)
        if step is not found.step:
            found = StepSince(step, at)
    return found
