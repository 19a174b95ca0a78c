"""Records as JSON text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .codec import to_plain
from .records import Record

INDENT = "  "
encode = json.JSONEncoder().encode


def written(document: Record) -> str:
    """Return the document as indented JSON, with each list of plain values on one line: timelines have hundreds of numbers."""
    return indented(to_plain(document))


def lines(documents: Iterable[Record]) -> Iterator[str]:
    """Yield each document as JSON in a line of its own."""
    for document in documents:
        yield encode(to_plain(document)) + "\n"


def indented(value: Any) -> str:
    """Return JSON values as text, like ``written``."""
    pieces: list[str] = []
    add_pieces(value, "\n", pieces.append)
    return "".join(pieces)


def add_pieces(value: Any, newline: str, add: Callable[[str], None]) -> None:
    """Add the JSON text of a value piece by piece. ``newline`` is a line break with the current indentation."""
    deeper = newline + INDENT
    if isinstance(value, dict) and value:
        separator = "{" + deeper
        for name, item in value.items():
            add(f"{separator}{encode(name)}: ")
            add_pieces(item, deeper, add)
            separator = "," + deeper
        add(newline + "}")
    elif isinstance(value, (list, tuple)) and any(isinstance(item, (dict, list, tuple)) for item in value):
        separator = "[" + deeper
        for item in value:
            add(separator)
            add_pieces(item, deeper, add)
            separator = "," + deeper
        add(newline + "]")
    else:
        add(encode(value))
