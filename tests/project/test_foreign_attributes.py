"""Who may change a value: an attribute is assigned by the methods of its own class, and by nobody else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tree import ROOT

# Objects of other libraries, which are set up by their attributes, and objects that one function makes and hands out.
EXCEPTIONS = {
    "coordinator/commands/options.py": {"with_own.__annotations__", "with_own.__signature__"},  # a function
    "coordinator/commands/inspecting.py": {"command.__doc__"},  # a function
    "coordinator/fleet/unreachable.py": {"context.check_hostname", "context.verify_mode"},  # an ssl.SSLContext
    "coordinator/planning/headroom.py": {"place.each", "place.room", "join(found, budget).target_each"},
}
OF_RICH = "coordinator/report"  # tables and columns


def assigned(path: Path) -> Iterator[ast.expr]:
    """What a file assigns to, with each part of a tuple by itself."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For | ast.NamedExpr):
            targets = [node.target]
        for target in targets:
            yield from target.elts if isinstance(target, ast.Tuple | ast.List) else [target]


def foreign(path: Path) -> list[str]:
    """The attributes that a file assigns although they are another object's."""
    attributes = [target for target in assigned(path) if isinstance(target, ast.Attribute)]
    return [ast.unparse(each) for each in attributes if ast.unparse(each.value) not in ("self", "cls")]


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "coordinator").iterdir() if path.is_dir()))
def test_no_attribute_is_assigned_from_a_foreign_class(folder: str) -> None:
    for path in sorted((ROOT / "coordinator" / folder).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if not name.startswith(OF_RICH):
            assert set(foreign(path)) <= EXCEPTIONS.get(name, set()), f"{name}: let a method of its class do that"


def test_every_exception_is_in_use() -> None:
    for name, allowed in EXCEPTIONS.items():
        assert allowed == set(foreign(ROOT / name)), name
