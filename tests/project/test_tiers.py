"""The table of matrices names tests that exist: a renamed one would bring all of its cases into the second tier."""

from __future__ import annotations

import ast

from tiers import MATRICES
from tree import ROOT


def test_every_matrix_is_a_test() -> None:
    found = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }

    assert found >= MATRICES
