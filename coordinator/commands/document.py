"""The summary as a text: JSON that people can read too, with every list of plain values on one line of its own. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

INDENT = "  "


def written(document: Any) -> str:
    """Indented JSON. A column of the time line has hundreds of numbers; one a line, nobody would scroll past them."""
    return "".join(pieces(document, "\n"))


def pieces(value: Any, newline: str) -> Iterator[str]:
    """``newline`` ends a line and indents the next one."""
    deeper = newline + INDENT
    if isinstance(value, dict) and value:
        for index, (name, item) in enumerate(value.items()):
            yield from (("," if index else "{") + deeper, json.dumps(name), ": ", *pieces(item, deeper))
        yield newline + "}"
    elif isinstance(value, (list, tuple)) and any(isinstance(item, (dict, list, tuple)) for item in value):
        for index, item in enumerate(value):
            yield from (("," if index else "[") + deeper, *pieces(item, deeper))
        yield newline + "]"
    else:
        yield json.dumps(value)
