"""What tests/reword.py rewords, and how it knows that a test failed of a sentence alone."""

from __future__ import annotations

import ast
from dataclasses import dataclass

import pytest
from rewording import COMPARED as compared
from rewording import MARK, Rewording, pytest_assertrepr_compare, unmarked

SOURCE = '''
"""A docstring that no user reads."""

class Kind(StrEnum):
    LEFT = "left by itself"

def sentence(node, count):
    if node == "a":
        return f"{node} has {count:,} connections left"
    return {"a key of three": "is it stopped, or off"}["a key of three"]

QUERY = "SELECT at, kind, body FROM records"
RULE = Rule("files of the machine", cure="raise {fs.file-max} or ask for less")
PATTERN = re.compile("three plain words")
'''


def texts(tree: ast.AST) -> list[str]:
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_sentences_are_reworded_and_names_are_not() -> None:
    plain = texts(ast.parse(SOURCE))
    made = texts(Rewording("made.py", frozenset({"files of the machine"})).visit(ast.parse(SOURCE)))

    assert [unmarked(text) for text in made] == plain
    assert sorted(text for text in plain if text not in made) == [
        " connections left",
        " has ",
        "is it stopped, or off",
        "raise {fs.file-max} or ask for less",
    ]
    assert "{fs.file-max}" in "".join(made)


def test_equal_sentences_at_two_places_differ() -> None:
    first, second = texts(Rewording("made.py", frozenset()).visit(ast.parse('"one plain text", "one plain text"')))

    assert first != second
    assert MARK.sub("", first) == MARK.sub("", second) == "one plain text"


@dataclass(frozen=True)
class Judged:
    name: str
    reasons: tuple[str, ...]


@pytest.mark.parametrize(
    ("op", "left", "right", "alone"),
    [
        ("==", "⠁two ⠁words", "two words", True),
        ("==", Judged("failed", ("⠁two ⠁words",)), Judged("failed", ("two words",)), True),
        ("==", Judged("passed", ("⠁two ⠁words",)), Judged("failed", ("two words",)), False),
        ("==", {"kind": 1, "says": ["⠁two ⠁words"]}, {"kind": 1, "says": ["two words"]}, True),
        ("in", "two words", "it has ⠁two ⠁words", True),
        ("in", "three words", "it has ⠁two ⠁words", False),
        ("<", 2, 1, False),
    ],
)
def test_a_comparison_that_holds_without_marks_fails_of_a_sentence_alone(
    op: str, left: object, right: object, alone: bool
) -> None:
    compared.clear()

    pytest_assertrepr_compare(op, left, right)

    assert compared == [alone]
