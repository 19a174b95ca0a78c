"""The English of what people read: plain docstrings, sentences, comments and pages, and no fewer docstrings than before."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from tree import ROOT

# Pattern -> why it is avoided. A docstring is read without the signature, so it begins with what a function does or returns.
RIDDLES = {
    r"^(Of|Whom|Whose|Whoever|Nobody|Somebody|Who|Those|By what|To whom|As it|From when)\b": "begin with a verb or a noun",
    r"^What of it\b": "begin with a verb or a noun",
    r"^(What|Which|Whether|How|When|Where|Why)\b.*\?$": "make it a statement",
}
MANNERED = {
    r"\b[Ww]hoever\b": "name who it is: the caller, a client, the operator",
    r"\b[Ww]hom\b": "begin with the subject",
    r"\blest\b": "write: so that ... not",
    r"\b(is|are|was|were|be|been) told\b": "write: is reported, is sent, is shown, is asked",
    r"\btells? of\b": "write: reports, shows, names",
    r"\btold of\b": "write: reported",
    r"\bnobody (is|has|can|else|knows|asks|hears|counts|looks)\b": "begin with the subject that acts",
    r"\b(is|are|was|were|be|been) (said|heard)\b": "write: is reported, is printed, is received",
    r"\b(has|have|had) (told|heard|said(?! nothing))\b": "write: has reported, has sent, has received",
    r"\b(of itself|of themselves)\b": "name the thing that is meant: its description, its state",
    r"\bwho has\b": "name who it is: the owner, a holder of the key",
    r"\b(heirs?|mourns?|obituary|forsakes?|tidings)\b": "write: replacement, on exit, exit reason, give up, samples",
    r"\blast words\b": "write: exit reason, error message",
    r"\bof (its|their) own accord\b": "write: by itself",
}
PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
    *(f"coordinator/planning/pages/{path.name}" for path in sorted((ROOT / "coordinator/planning/pages").glob("*.md"))),
)
# Share of functions with a docstring, in percent, that each part had before; it may not fall.
DOCUMENTED = {"c1m": 87, "coordinator": 59, "worker": 63, "target": 54}
# Variables, attributes and functions with these names say what happened to a value, not what it is: lines, samples, reasons.
# The number of them that are left; it only shrinks.
VAGUE_NAMES = ("told", "said", "heard", "news")
VAGUE_NAMES_LEFT = 91
GENERATED = re.compile("<!-- made by .*?<!-- until here -->", re.DOTALL)  # tables that quote what programs wrote on some day


def sources(part: str) -> Iterator[Path]:
    for path in sorted((ROOT / part).rglob("*.py")):
        linked = part == "c1m" and path.relative_to(ROOT).parts[1] in (*DOCUMENTED, "v1")
        if not linked:
            yield path


def documented(path: Path) -> Iterator[tuple[str, str]]:
    """Each place of a docstring in a file, and its text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and (
            text := ast.get_docstring(node)
        ):
            yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", text


def found(patterns: dict[str, str], place: str, text: str) -> list[str]:
    return [f"{place}: {match[0]!r}: {why}" for pattern, why in patterns.items() if (match := re.search(pattern, text))]


def comments(path: Path) -> Iterator[tuple[str, str]]:
    """Each place of a comment in a file, and its text."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT:
            yield f"{path.relative_to(ROOT)}:{token.start[0]}", token.string


def names(path: Path) -> Iterator[tuple[str, str]]:
    """Each place where a file gives a name to a value or a function, and the name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", name


@pytest.mark.parametrize("part", sorted(DOCUMENTED))
def test_docstrings_are_no_riddles(part: str) -> None:
    complaints = [
        complaint
        for path in sources(part)
        for place, text in documented(path)
        for complaint in found(RIDDLES | MANNERED, place, text)
    ]

    assert complaints == []


@pytest.mark.parametrize("part", sorted(DOCUMENTED))
def test_sentences_for_people_are_plain(part: str) -> None:
    """Strings of several words: help, reasons, notes, refusals and labels."""
    complaints = []
    for path in sources(part):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count(" ") > 2:
                complaints += found(MANNERED, f"{path.relative_to(ROOT)}:{node.lineno}", node.value)

    assert complaints == []


@pytest.mark.parametrize("part", sorted(DOCUMENTED))
def test_comments_are_plain(part: str) -> None:
    assert [
        complaint for path in sources(part) for place, text in comments(path) for complaint in found(MANNERED, place, text)
    ] == []


def test_vague_names_become_fewer() -> None:
    vague = [
        f"{place}: {name}"
        for part in sorted(DOCUMENTED)
        for path in sources(part)
        for place, name in names(path)
        if name in VAGUE_NAMES
    ]

    assert len(vague) <= VAGUE_NAMES_LEFT, f"{len(vague)} names say what happened, not what they are: {vague}"


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_plain(page: str) -> None:
    text = GENERATED.sub("", (ROOT / page).read_text(encoding="utf-8"))

    assert [each for line in text.splitlines() for each in found(MANNERED, page, line)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "proto").rglob("*.proto")), ids=lambda path: path.name)
def test_comments_of_the_protocol_are_plain(path: Path) -> None:
    comments = re.findall(r"(?:^ *// .*\n)+", path.read_text(encoding="utf-8"), re.MULTILINE)
    texts = [re.sub(r"^ *// |\n *//", "", comment) for comment in comments]

    assert texts
    assert [complaint for text in texts for complaint in found(RIDDLES | MANNERED, path.name, text)] == []


@pytest.mark.parametrize("part", sorted(DOCUMENTED))
def test_functions_have_docstrings(part: str) -> None:
    functions = [
        node
        for path in sources(part)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    share = 100 * sum(ast.get_docstring(node) is not None for node in functions) / len(functions)

    assert share >= DOCUMENTED[part] - 0.5, f"{share:.1f} % of the functions in {part} have a docstring"
