"""The steps of a run, what leads from one to the next, and the step at which a resumed run goes on. Pure.

Everything that decides which step may follow which is here. An event that a step does not expect raises, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import NamedTuple

from c1m.coordinator.ledger.doing import Doing


class Step(Enum):
    """A step of a run, in the order of a run that is neither interrupted nor retargeted."""

    SURVEYING = auto()  # nodes describe themselves, and the plan is made
    PREPARING = auto()  # nodes get ready; nothing is open
    RESUMING = auto()  # instead of both: the nodes of another coordinator's run are being watched again
    FOLLOWING = auto()  # the schedule, to its end
    HOLDING = auto()
    MOVING = auto()  # shares of lost workers that are being taken over: no other share is moved from here on
    CALMING = auto()  # turnover stops, so that counts stand still
    COMPARING = auto()  # for the last time
    CLOSING = auto()  # connections are being closed: a node that closes was asked to
    ENDED = auto()


class Event(Enum):
    """What leads from one step to another."""

    PLANNED = auto()
    STARTED = auto()  # the workers are asked to start
    SCHEDULE_ENDED = auto()
    RETARGETED = auto()  # another schedule replaces the one that ended
    HOLD_OVER = auto()
    MOVED = auto()
    CALMED = auto()
    COMPARED = auto()
    # The journal of a run that is taken over says at which step it was:
    WAS_FOLLOWING = auto()
    WAS_HOLDING = auto()
    WAS_COMPARING = auto()
    WAS_CLOSING = auto()
    # What ends a run before its time:
    INTERRUPTED = auto()  # by the operator
    NODE_LOST = auto()  # before the start, or so that the run ends
    FAILED = auto()  # an error or a refusal
    CLOSED = auto()  # every node has closed or was given up


class IllegalTransitionError(Exception):
    """An event came at a step that does not expect it: a defect of c1m."""


# What may happen while a run is not closing yet.
ENDINGS = dict.fromkeys((Event.INTERRUPTED, Event.NODE_LOST, Event.FAILED), Step.CLOSING)
TRANSITIONS: Mapping[Step, Mapping[Event, Step]] = {
    Step.SURVEYING: {Event.PLANNED: Step.PREPARING, **ENDINGS},
    Step.PREPARING: {Event.STARTED: Step.FOLLOWING, **ENDINGS},
    Step.RESUMING: {
        Event.WAS_FOLLOWING: Step.FOLLOWING,
        Event.WAS_HOLDING: Step.HOLDING,
        Event.WAS_COMPARING: Step.MOVING,
        Event.WAS_CLOSING: Step.CLOSING,
        **ENDINGS,
    },
    Step.FOLLOWING: {Event.SCHEDULE_ENDED: Step.HOLDING, **ENDINGS},
    Step.HOLDING: {Event.RETARGETED: Step.FOLLOWING, Event.HOLD_OVER: Step.MOVING, **ENDINGS},
    Step.MOVING: {Event.MOVED: Step.CALMING, **ENDINGS},
    Step.CALMING: {Event.CALMED: Step.COMPARING, **ENDINGS},
    Step.COMPARING: {Event.COMPARED: Step.CLOSING, **ENDINGS},
    Step.CLOSING: {Event.CLOSED: Step.ENDED, **ENDINGS},
    Step.ENDED: {},
}
MOVES_SHARES = frozenset({Step.FOLLOWING, Step.HOLDING, Step.MOVING})  # steps in which lost workers' shares are moved


def after(step: Step, event: Event) -> Step:
    """Return the step to which an event leads. Raises IllegalTransitionError if the step does not expect it."""
    try:
        return TRANSITIONS[step][event]
    except KeyError:
        raise IllegalTransitionError(f"{event.name} at the step {step.name}") from None


# What a run does at each step, as the timeline has it. With several stages it follows a schedule, and does not only open.
DOING: Mapping[Step, Doing] = {
    Step.FOLLOWING: Doing.OPENING,
    Step.HOLDING: Doing.HOLDING,
    Step.MOVING: Doing.HOLDING,
    Step.CALMING: Doing.CALMING,
    Step.COMPARING: Doing.COMPARING,
    Step.CLOSING: Doing.CLOSING,
}


class Standing(NamedTuple):
    """Where a run of another coordinator was: the event with which it is resumed, and when that step began."""

    was: Event
    since: float  # seconds after the start of the run


# What a run is doing -> the event. COMPARING is not here: what it belongs to depends on the step before it.
WAS: Mapping[Doing, Event] = {
    Doing.OPENING: Event.WAS_FOLLOWING,
    Doing.FOLLOWING: Event.WAS_FOLLOWING,
    Doing.HOLDING: Event.WAS_HOLDING,
    Doing.CALMING: Event.WAS_COMPARING,
    Doing.QUIETENING: Event.WAS_CLOSING,
    Doing.CLOSING: Event.WAS_CLOSING,
}
COMPARED_AFTER = {Event.WAS_HOLDING: Event.WAS_COMPARING}


def standing(turns: Iterable[tuple[float, Doing]]) -> Standing:
    """Return where a run was whose timeline has these turns: seconds after the start, and what it did from then on."""
    found = Standing(Event.WAS_FOLLOWING, 0.0)
    for at, doing in turns:
        was = COMPARED_AFTER.get(found.was, found.was) if doing is Doing.COMPARING else WAS.get(doing, found.was)
        if was is not found.was:
            found = Standing(was, at)
    return found
