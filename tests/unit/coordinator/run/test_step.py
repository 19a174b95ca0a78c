"""At which step a run was, by what it did last."""

from __future__ import annotations

import pytest

from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.run.steps import STEPS, Step, StepSince, standing


@pytest.mark.parametrize(
    ("doing", "step", "since"),
    [
        ("", Step.FOLLOW, 0),
        ("opening", Step.FOLLOW, 0),
        ("opening comparing", Step.FOLLOW, 0),
        ("opening comparing holding", Step.HOLD, 2),
        ("opening holding comparing", Step.COMPARE, 2),
        ("opening holding calming comparing", Step.COMPARE, 2),
        ("opening holding calming", Step.COMPARE, 2),
        ("opening holding following", Step.FOLLOW, 2),
        ("opening holding following comparing", Step.FOLLOW, 2),
        ("opening holding following holding", Step.HOLD, 3),
        ("opening closing", Step.CLOSE, 1),
        ("opening holding comparing quietening closing", Step.CLOSE, 3),
    ],
)
def test_what_it_did_last_says_where_it_was(doing: str, step: Step, since: int) -> None:
    assert standing(enumerate(map(Doing, doing.split()))) == StepSince(step, since)


def test_all_that_a_run_does_says_at_which_step_it_is() -> None:
    """What is not in the table would resume a run at the step before it."""
    assert set(Doing) - set(STEPS) == {Doing.COMPARING, Doing.WAKING}  # these happen in several steps
