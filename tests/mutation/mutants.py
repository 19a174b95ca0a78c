"""Mutants: small changes of a module's syntax tree, each of which a test should notice. Pure."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import CodeType
from typing import Any

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}
# No program can tell these: what is only for type checkers and people, and checks of what cannot happen.
FIELDS_LEFT_OUT = {"annotation", "returns", "decorator_list", "bases"}
KEYWORDS_LEFT_OUT = {"strict", "encoding", "repr"}
NODES_LEFT_OUT = (ast.Assert, ast.Import, ast.ImportFrom)
DROPPED = "(dropped)"


@dataclass(frozen=True)
class Change:
    """One change of a tree, not made yet. ``where``: the functions and classes around it."""

    where: str
    lines: tuple[int, int]  # of the innermost function, or of the statement of the module: whose tests concern it
    in_function: bool
    line: int
    before: str
    after: str
    make: Callable[[], object]


@dataclass(frozen=True)
class Place:
    """What is around a node."""

    where: str = ""
    lines: tuple[int, int] = (0, 0)
    in_function: bool = False

    def inside(self, node: ast.AST) -> Place:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return Place(f"{self.where}.{node.name}".lstrip("."), (node.body[0].lineno, node.end_lineno or 0), True)
        if isinstance(node, ast.ClassDef):
            return Place(f"{self.where}.{node.name}".lstrip("."))
        if isinstance(node, ast.stmt) and not self.in_function:
            return Place(self.where, (node.lineno, node.end_lineno or 0))
        return self


def choose(source: str, seed: str, most: int) -> list[int]:
    """Return the numbers of ``most`` of the changes of a module, at random, in order."""
    numbers = range(len(list(changes(ast.parse(source)))))
    return sorted(random.Random(seed).sample(numbers, min(most, len(numbers))))


def mutate(source: str, path: str, number: int) -> tuple[Change, CodeType]:
    """Return the change with this number, and the module with it."""
    tree = ast.parse(source)
    change = list(changes(tree))[number]
    change.make()
    return change, compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


def changes(tree: ast.AST) -> Iterator[Change]:
    """Yield every change of a module, always in the same order."""
    for node, place in walk(tree, Place()):
        for before, after, make in of_node(node):
            line = getattr(node, "lineno", place.lines[0])
            yield Change(place.where, place.lines, place.in_function, line, short(before), short(after), make)


def walk(node: ast.AST, place: Place) -> Iterator[tuple[ast.AST, Place]]:
    if isinstance(node, NODES_LEFT_OUT) or is_alias(node, place) or getattr(node, "arg", None) in KEYWORDS_LEFT_OUT:
        return
    place = place.inside(node)
    yield node, place
    for name, value in ast.iter_fields(node):
        if name not in FIELDS_LEFT_OUT:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from walk(child, place)


def is_alias(node: ast.AST, place: Place) -> bool:
    """Return whether a statement of the module gives a type a name."""
    value = node.value if isinstance(node, ast.Assign) and not place.in_function else None
    return isinstance(value, ast.Subscript) or (isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr))


def short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:97]}..."


Made = tuple[str, str, Callable[[], object]]  # text before, text after, and what makes the change in place


def of_node(node: ast.AST) -> Iterator[Made]:
    """Yield the changes of one node."""
    match node:
        case ast.Compare(ops=[op]):
            yield from (put(node, "ops", [other()]) for other in COMPARISONS[type(op)])
        case ast.BoolOp(op=op):
            yield put(node, "op", ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.BinOp(op=op) if type(op) in OPERATORS and not is_text(node.left, node.right):
            yield put(node, "op", OPERATORS[type(op)]())
        case ast.UnaryOp(op=ast.Not()):
            yield put(node, "operand", negated(node.operand))
        case ast.UnaryOp(op=ast.USub()):
            yield put(node, "op", ast.UAdd())
        case ast.Constant(value=bool() | int() | float() as value):
            others = [not value] if isinstance(value, bool) else [0, 2] if value == 1 else [value + 1]
            yield from (put(node, "value", other) for other in others)
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test) if not isinstance(test, ast.UnaryOp | ast.Compare):
            yield put(node, "test", negated(test), (f"if {ast.unparse(test)}", f"if not ({ast.unparse(test)})"))
        case ast.comprehension():
            yield from dropped(node, "ifs")
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield put(node, "value", ast.Constant(None))
        case ast.List(ctx=ast.Load()) | ast.Tuple(ctx=ast.Load()) | ast.Set() if len(node.elts) > 1:
            yield from dropped(node, "elts")
        case ast.Dict() if len(node.keys) > 1:
            yield from dropped_keys(node)
        case ast.Call():
            yield from of_call(node)
    for field in ("body", "orelse", "finalbody"):
        yield from dropped_statements(getattr(node, field, None))


def put(node: ast.AST, field: str, value: object, texts: tuple[str, str] | None = None) -> Made:
    """Return the change that gives a field of a node another value."""
    if texts is None:
        before, old = ast.unparse(node), getattr(node, field)
        setattr(node, field, value)
        texts = before, ast.unparse(node)
        setattr(node, field, old)
    return *texts, partial(setattr, node, field, value)


def negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def is_text(*nodes: ast.expr) -> bool:
    """Return whether one of these is a text or a collection, to which no arithmetic applies."""
    collections = ast.JoinedStr | ast.List | ast.ListComp | ast.Tuple | ast.Set | ast.Dict
    return any(
        isinstance(node, collections) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
        for node in nodes
    )


def dropped(node: ast.AST, field: str) -> Iterator[Made]:
    """Yield the dropping of each item of a field."""
    items = getattr(node, field)
    for index, item in enumerate(items):
        yield put(node, field, items[:index] + items[index + 1 :], (ast.unparse(item), DROPPED))


def dropped_keys(node: ast.Dict) -> Iterator[Made]:
    def drop(index: int) -> None:
        del node.keys[index], node.values[index]

    for index, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
        yield f"{ast.unparse(key) if key else '**'}: {ast.unparse(value)}", DROPPED, partial(drop, index)


def of_call(node: ast.Call) -> Iterator[Made]:
    if isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
        other = ast.Name(FUNCTIONS[node.func.id], ast.Load())
        yield put(node, "func", other)
    for keyword in node.keywords:
        if keyword.arg and keyword.arg not in KEYWORDS_LEFT_OUT:
            rest = [each for each in node.keywords if each is not keyword]
            yield put(node, "keywords", rest, (f"{ast.unparse(node.func)}(... {ast.unparse(keyword)})", DROPPED))


def dropped_statements(body: Any) -> Iterator[Made]:
    """Yield the dropping of each statement that has an effect beyond a local name. A lambda's body is no list."""
    for index, each in enumerate(body if isinstance(body, list) else ()):
        match each:
            case (
                ast.Expr(value=ast.Call() | ast.Await() | ast.Yield() | ast.YieldFrom())
                | ast.AugAssign()
                | ast.Raise()
                | ast.Continue()
                | ast.Delete()
                | ast.Assign(targets=[ast.Attribute() | ast.Subscript()])
            ):
                yield ast.unparse(each), DROPPED, partial(body.__setitem__, index, ast.Pass())
