"""At which step a run was, by what it did last."""

from __future__ import annotations

import ast

import pytest
from tree import ROOT

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
    assert standing(enumerate(doing.split())) == StepSince(step, since)


def test_every_word_of_a_turn_says_at_which_step_a_run_is() -> None:
    """A word that is renamed where a run waits, and not in the table, would resume a run at the step before it."""
    waits = [
        node.args[0].value
        for path in sorted((ROOT / "coordinator" / "run").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("wait", "settle")
        if node.args and isinstance(node.args[0], ast.Constant)
    ]

    assert {"holding", "calming", "closing"} <= set(waits)
    assert set(waits) - set(STEPS) == {"comparing", "waking"}  # these happen in several steps
