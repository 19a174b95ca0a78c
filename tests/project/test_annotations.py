"""What annotations in coordinator/ may not be: Any, object, or an alias of either. JSON is a matter of the codecs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tree import ROOT

COORDINATOR = ROOT / "coordinator"
# They turn values of any type into JSON and back.
CODECS = ("summary/codec.py", "summary/records.py", "summary/schema.py", "summary/json_text.py", "journal/codec.py")
# How many annotations are left elsewhere, by package. A number may only become smaller.
LEFT = {".": 3, "commands": 5, "journal": 3, "run": 2, "spec": 28}


def files() -> Iterator[Path]:
    for path in sorted(COORDINATOR.rglob("*.py")):
        if str(path.relative_to(COORDINATOR)) not in CODECS:
            yield path


def is_vague(annotation: ast.expr | None, aliases: set[str]) -> bool:
    """Whether Any, object or an alias of them is in an annotation, also in one that is written as text."""
    if annotation is None:
        return False
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name) and node.id in {"Any", "object", *aliases}:
            return True
        if isinstance(node, ast.Attribute) and node.attr == "Any":
            return True
        if isinstance(node, ast.Constant) and node.value in {"Any", "object", *aliases}:
            return True
    return False


def aliases_of(trees: list[ast.Module]) -> set[str]:
    """Names that modules give to types which have Any in them."""
    found: set[str] = set()
    for tree in trees:
        for node in tree.body:
            value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
            if isinstance(value, (ast.Subscript, ast.BinOp, ast.Name)) and is_vague(value, found):
                found |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}
    return found


def annotated(tree: ast.Module) -> Iterator[tuple[int, ast.expr | None]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.returns
        elif isinstance(node, (ast.arg, ast.AnnAssign)):
            yield node.lineno, node.annotation
        elif isinstance(node, ast.ClassDef):
            yield from ((node.lineno, base) for base in node.bases)


def vague() -> dict[str, list[str]]:
    """Places of annotations that say nothing, by package."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files()}
    aliases = aliases_of(list(trees.values()))
    found: dict[str, list[str]] = {}
    for path, tree in trees.items():
        package = str(path.relative_to(COORDINATOR).parent)
        for line, annotation in annotated(tree):
            if is_vague(annotation, aliases):
                found.setdefault(package, []).append(f"coordinator/{path.relative_to(COORDINATOR)}:{line}")
    return found


def test_annotations_say_what_a_value_is() -> None:
    found = vague()

    for package, places in found.items():
        assert len(places) <= LEFT.get(package, 0), f"annotations that say nothing in coordinator/{package}: {places}"


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("dict[str, Any]", True),
        ("Callable[[object], int]", True),
        ("typing.Any", True),
        ("'Any'", True),
        ("Mapping[str, Layer]", True),
        ("Mapping[str, int]", False),
        ("Literal['some text', 'Anything']", False),
    ],
)
def test_what_is_vague(annotation: str, expected: bool) -> None:
    assert is_vague(ast.parse(annotation, mode="eval").body, {"Layer"}) is expected


def test_aliases_are_found() -> None:
    module = ast.parse("Layer = tuple[str, dict[str, Any]]\nWhole: TypeAlias = list[Layer]\nNAMES = ('Any', 'object')\n")

    assert aliases_of([module]) == {"Layer", "Whole"}
