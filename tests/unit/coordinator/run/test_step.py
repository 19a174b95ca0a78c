"""The steps of a run: what leads from one to the next, and at which step a run was, by what it did last."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest

from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.run.steps import (
    DOING,
    ENDINGS,
    TRANSITIONS,
    WAS,
    Event,
    IllegalTransitionError,
    Standing,
    Step,
    after,
    standing,
)

WHOLE_RUN = [
    (Step.SURVEYING, Event.PLANNED),
    (Step.PREPARING, Event.STARTED),
    (Step.FOLLOWING, Event.SCHEDULE_ENDED),
    (Step.HOLDING, Event.HOLD_OVER),
    (Step.MOVING, Event.MOVED),
    (Step.CALMING, Event.CALMED),
    (Step.COMPARING, Event.COMPARED),
    (Step.CLOSING, Event.CLOSED),
]


def test_a_run_that_nothing_disturbs_goes_through_all_steps() -> None:
    step = Step.SURVEYING
    for at, event in WHOLE_RUN:
        assert step is at
        step = after(step, event)

    assert step is Step.ENDED
    assert {at for at, _ in WHOLE_RUN} | {Step.RESUMING, Step.ENDED} == set(Step)


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("event", Event)
def test_an_event_leads_on_or_raises(step: Step, event: Event) -> None:
    if event in TRANSITIONS[step]:
        assert after(step, event) is TRANSITIONS[step][event]
    else:
        with pytest.raises(IllegalTransitionError, match=f"{event.name} at the step {step.name}"):
            after(step, event)


@pytest.mark.parametrize("step", [step for step in Step if step not in (Step.CLOSING, Step.ENDED)])
def test_whatever_ends_a_run_leads_to_closing_from_every_step(step: Step) -> None:
    for event in (Event.INTERRUPTED, Event.NODE_LOST, Event.FAILED):
        assert after(step, event) is Step.CLOSING


def test_every_event_is_expected_somewhere_and_no_step_is_a_dead_end() -> None:
    assert {event for events in TRANSITIONS.values() for event in events} == set(Event)
    assert {step for step, events in TRANSITIONS.items() if not events} == {Step.ENDED}


def test_only_a_retarget_leads_back() -> None:
    forward = {
        step: {to for event, to in events.items() if event is not Event.RETARGETED and event not in ENDINGS}
        for step, events in TRANSITIONS.items()
    }

    assert list(TopologicalSorter(forward).static_order())


@pytest.mark.parametrize(
    ("doing", "was", "since"),
    [
        ("", Event.WAS_FOLLOWING, 0),
        ("opening", Event.WAS_FOLLOWING, 0),
        ("opening comparing", Event.WAS_FOLLOWING, 0),
        ("opening comparing holding", Event.WAS_HOLDING, 2),
        ("opening holding comparing", Event.WAS_COMPARING, 2),
        ("opening holding calming comparing", Event.WAS_COMPARING, 2),
        ("opening holding calming", Event.WAS_COMPARING, 2),
        ("opening holding following", Event.WAS_FOLLOWING, 2),
        ("opening holding following comparing", Event.WAS_FOLLOWING, 2),
        ("opening holding following holding", Event.WAS_HOLDING, 3),
        ("opening closing", Event.WAS_CLOSING, 1),
        ("opening holding comparing quietening closing", Event.WAS_CLOSING, 3),
    ],
)
def test_what_it_did_last_says_where_it_was(doing: str, was: Event, since: int) -> None:
    assert standing(enumerate(map(Doing, doing.split()))) == Standing(was, since)


def test_all_that_a_run_does_says_at_which_step_it_is() -> None:
    """What is not in the table would resume a run at the step before it."""
    assert set(Doing) - set(WAS) == {Doing.COMPARING, Doing.WAKING}  # these happen in several steps


def test_a_run_is_resumed_at_the_step_whose_doing_the_journal_has() -> None:
    """Except that a run that was calmed or compared goes through both again."""
    for step, doing in DOING.items():
        if doing in WAS and step not in (Step.MOVING, Step.CALMING):
            assert after(Step.RESUMING, WAS[doing]) is step
