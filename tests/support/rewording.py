"""A pytest plugin that rewords every sentence of c1m as its modules are imported, and says of each failure what it shows.

Each word of a sentence gets a mark before it, which depends on the place in the source. The same word written in two places
is then no longer the same text: what finds a sentence by its words, finds it no longer. Values in the sentence stay as they
are. The marks can be removed again: a test that fails, and would pass without them, fails of a sentence alone.

``-p rewording`` loads it (tests/reword.py does). Another way would be too late: modules of c1m would have been imported.
"""

from __future__ import annotations

import ast
import copy
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import pytest
from tree import ROOT

PACKAGES: Final = ("c1m", "coordinator", "worker", "target")
# Text that belongs to others: generated code, and what gRPC writes into its own log.
NOT_OURS: Final = ("c1m/v1/", "c1m/security/handshake_log.py")
NAMES: Final = ("coordinator/spec/metrics.py",)  # lists of names of figures, which look like sentences
KEYS: Final = ("accept from elsewhere",)  # among the errors of a tally
WORD_TABLES: Final = ("coordinator/report/doing_words.py", "c1m/measure/reasons.py")  # dicts whose values are words for people

FIRST_MARK, MARKS = 0x2800, 256  # Braille: printable, and in no sentence of c1m
MARK: Final = re.compile(f"[{chr(FIRST_MARK)}-{chr(FIRST_MARK + MARKS - 1)}]")
WORD: Final = re.compile(r"(?<![\w{./:=%$@+<>\\-])[A-Za-z]?[a-z]+(?![\w}/:=(\\])")
STATEMENT: Final = re.compile(r"\s*(SELECT|INSERT|CREATE|PRAGMA|UPDATE|DELETE|BEGIN|COMMIT)\b")
LEAST_WORDS, LEAST_WORDS_WITH_VALUES = 3, 2  # of a text that is taken for a sentence


def mark_at(path: str, line: int, column: int) -> str:
    """Return the mark of a place in the source."""
    return chr(FIRST_MARK + crc32(f"{path}:{line}:{column}".encode()) % MARKS)


def reworded(text: str, mark: str) -> str:
    """Return the text with the mark before each word."""
    return WORD.sub(lambda word: mark + word[0], text)


def words_in(texts: Iterable[str]) -> int:
    return sum(len(WORD.findall(text)) for text in texts)


class Rewording(ast.NodeTransformer):
    """Rewords the sentences of one module. Names of causes, keys and values of enums are no sentences."""

    def __init__(self, path: str, names: frozenset[str]) -> None:
        self.path = path
        self.names = names
        self.count = 0

    def reword(self, node: ast.Constant) -> ast.Constant:
        self.count += 1
        text = reworded(str(node.value), mark_at(self.path, node.lineno, node.col_offset))
        return ast.copy_location(ast.Constant(text), node)

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        text = node.value
        if not isinstance(text, str) or text in self.names or STATEMENT.match(text) or words_in([text]) < LEAST_WORDS:
            return node
        return self.reword(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        texts = [part for part in node.values if isinstance(part, ast.Constant)]
        is_sentence = words_in(str(part.value) for part in texts) >= LEAST_WORDS_WITH_VALUES
        for index, part in enumerate(node.values):
            if isinstance(part, ast.FormattedValue):
                part.value = self.visit(part.value)  # not the format
            elif is_sentence:
                node.values[index] = self.reword(part)  # type: ignore[arg-type]
        return node

    def visit_Dict(self, node: ast.Dict) -> ast.Dict:
        for index, value in enumerate(node.values):
            is_word = self.path in WORD_TABLES and isinstance(value, ast.Constant) and isinstance(value.value, str)
            node.values[index] = self.reword(value) if is_word else self.visit(value)  # type: ignore[arg-type]
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.Subscript:
        node.value = self.visit(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func
        return node if isinstance(function, ast.Attribute) and function.attr == "compile" else self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)  # a docstring

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        return node if bases & {"Enum", "IntEnum", "StrEnum"} else self.generic_visit(node)


def names_with_spaces() -> frozenset[str]:
    """Return what looks like sentences and is none: keys, and the names of causes in the tables of rules."""
    found = set(KEYS)
    for path in (ROOT / "coordinator" / "diagnosis").glob("rule*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Rule" and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
    return frozenset(found)


def ours(path: str) -> str:
    """Return the path of a module of c1m below the root of the tree; empty for any other file."""
    try:
        name = Path(path).resolve().relative_to(ROOT).as_posix()
    except ValueError:
        return ""
    return name if name.split("/")[0] in PACKAGES and not name.startswith((*NOT_OURS, *NAMES)) else ""


def reword_imports() -> None:
    """Reword the modules of c1m that are imported from here on. Their bytecode is neither read nor written."""
    names, plain, stats = names_with_spaces(), SourceFileLoader.source_to_code, SourceFileLoader.path_stats

    def source_to_code(self: SourceFileLoader, data: Any, path: Any, *, _optimize: int = -1) -> Any:
        if name := ours(str(path)):
            tree = Rewording(name, names).visit(ast.parse(data, str(path)))
            return compile(ast.fix_missing_locations(tree), str(path), "exec", dont_inherit=True, optimize=_optimize)
        return plain(self, data, path, _optimize=_optimize)

    def path_stats(self: SourceFileLoader, path: Any) -> Mapping[str, Any]:
        if ours(str(path)):
            raise OSError("reworded code is not kept")
        return stats(self, path)

    SourceFileLoader.source_to_code = source_to_code  # type: ignore[method-assign, assignment]
    SourceFileLoader.path_stats = path_stats  # type: ignore[method-assign]


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Reword before any plugin or test imports a module of c1m."""
    reword_imports()


# -- what a failure shows


def unmarked(value: Any, depth: int = 8) -> Any:
    """Return a copy of a value without the marks in its texts."""
    if isinstance(value, str) and type(value) is str:
        return MARK.sub("", value)
    if depth == 0 or value is None or isinstance(value, (int, float, bytes, type)):
        return value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(unmarked(each, depth - 1) for each in value))
    if isinstance(value, (list, tuple, set, frozenset)) and type(value).__module__ == "builtins":
        return type(value)(unmarked(each, depth - 1) for each in value)
    if isinstance(value, dict):
        return {unmarked(key, depth - 1): unmarked(each, depth - 1) for key, each in value.items()}
    if is_dataclass(value):
        made = copy.copy(value)
        for each in fields(value):
            object.__setattr__(made, each.name, unmarked(getattr(value, each.name), depth - 1))
        return made
    if isinstance(value, Exception):
        return MARK.sub("", str(value))
    return value


OPERATORS: Final[Mapping[str, Callable[[Any, Any], object]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "in": lambda left, right: left in right,
    "not in": lambda left, right: left not in right,
}
NO_MATCH: Final = re.compile(r"Expected regex: (.*)\n\s*Actual message: (.*)")
COMPARED: list[bool] = []  # of the comparisons that failed in the present test: whether they hold without marks


def pytest_assertrepr_compare(op: str, left: object, right: object) -> None:
    """Note of a comparison that failed whether it holds without marks."""
    holds = OPERATORS.get(op, lambda *_: False)
    COMPARED.append(bool(holds(unmarked(left), unmarked(right))))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    COMPARED.clear()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Say in the report of a test that failed whether it failed of a sentence alone."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed and call.excinfo:
        report.user_properties.append(("of a sentence alone", of_a_sentence(call.excinfo)))


def of_a_sentence(failure: pytest.ExceptionInfo[BaseException]) -> bool:
    """Return whether a test would pass if no sentence had been reworded, as far as its failure shows."""
    return bool(COMPARED and COMPARED[-1]) or all(holds_unmarked(error) for error in leaves(failure.value))


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors in a group of errors, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


def holds_unmarked(error: BaseException) -> bool:
    """Return whether what failed with the error holds without marks: an assertion, or the pattern of pytest.raises."""
    if found := NO_MATCH.search(str(error)):  # the error that was raised has the right type
        expected, actual = map(ast.literal_eval, found.groups())
        return re.search(expected, unmarked(actual)) is not None
    entries = pytest.ExceptionInfo.from_exception(error).traceback
    return any(holds_again(entry, error) for entry in reversed(entries) if "assert" in str(entry.statement))


class Unmarking(ast.NodeTransformer):
    """Removes the marks from every value in an expression."""

    def unmark(self, node: ast.expr) -> ast.expr:
        self.generic_visit(node)
        if isinstance(getattr(node, "ctx", None), ast.Store):
            return node
        return ast.copy_location(ast.Call(ast.Name("unmarked", ast.Load()), [node], []), node)

    visit_Name = visit_Attribute = visit_Call = unmark


def holds_again(entry: Any, error: BaseException) -> bool:
    """Return whether the assertion at which a test failed holds without marks. A name that is gone is an error's."""
    names = {**entry.frame.f_globals, **entry.frame.f_locals, "unmarked": unmarked}
    for _ in range(2):
        try:
            (statement,) = ast.parse(str(entry.statement).strip()).body
            assert isinstance(statement, ast.Assert)
            expression = ast.fix_missing_locations(ast.Expression(Unmarking().visit(statement.test)))
            return bool(eval(compile(expression, "assertion", "eval"), names))
        except NameError as gone:
            names[gone.name] = error.__context__
        except Exception:  # what cannot be repeated shows nothing
            return False
    return False
