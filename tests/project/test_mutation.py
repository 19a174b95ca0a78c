"""The mutants: every module of the table exists and can be changed, and what is called equivalent is there to be changed."""

from __future__ import annotations

import ast
import tomllib

import pytest
from tree import ROOT

from mutants import changes, choose, mutate
from mutate import EQUIVALENT, MODULES

SOURCE = '''
LEAST = 3


def enough(values: list[int], bound: int = LEAST) -> bool:
    """Return whether any value is enough."""
    return any(value >= bound for value in values if value)
'''


def test_there_are_as_many_modules_as_we_want_and_each_has_mutants() -> None:
    assert len(MODULES) == len(set(MODULES)) >= 30
    for module in MODULES:
        assert len(choose((ROOT / module).read_text(encoding="utf-8"), "1", 20)) == 20, module


def test_every_mutant_that_is_called_equivalent_exists_and_has_a_reason() -> None:
    for each in tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("mutant", []):
        text = (ROOT / each["module"]).read_text(encoding="utf-8")
        lines = text.splitlines()
        found = {(lines[change.line - 1].strip(), change.before, change.after) for change in changes(ast.parse(text))}
        assert (each["source"], each["before"], each["after"]) in found
        assert each["reason"]


def test_a_mutant_differs_by_one_change_that_is_told() -> None:
    told = [(change.line, change.before, change.after) for change in changes(ast.parse(SOURCE))]

    assert told == [
        (2, "3", "4"),
        (7, "return any((value >= bound for value in values if value))", "return None"),
        (7, "any((value >= bound for value in values if value))", "all((value >= bound for value in values if value))"),
        (7, "value >= bound", "value > bound"),
        (7, "value >= bound", "value < bound"),
        (6, "value", "(dropped)"),
    ]


@pytest.mark.parametrize(
    ("number", "values", "result"), [(0, [3], False), (1, [3], None), (2, [3, 2], False), (3, [3], False), (4, [3], False)]
)
def test_a_mutant_does_what_it_says(number: int, values: list[int], result: bool | None) -> None:
    names: dict[str, object] = {}
    _, code = mutate(SOURCE, "made.py", number)
    exec(code, names)

    assert names["enough"](values) is result  # type: ignore[operator]


def test_the_same_seed_chooses_the_same_mutants() -> None:
    source = (ROOT / MODULES[0]).read_text(encoding="utf-8")

    assert choose(source, "1 verdict", 20) == choose(source, "1 verdict", 20) != choose(source, "2 verdict", 20)
