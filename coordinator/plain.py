"""Values of a run as the journal keeps them, in JSON, and back. cattrs does it by their types."""

from __future__ import annotations

import math
from typing import Any, TypeVar

from cattrs.preconf.json import make_converter

from .criteria import Criterion, parse

T = TypeVar("T")


def number(value: Any, _: type) -> int | float:
    """A whole number stays one: JSON tells them apart, and summaries are compared as texts. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value


converter = make_converter()
converter.register_structure_hook(float, number)
converter.register_unstructure_hook(Criterion, str)
converter.register_structure_hook(Criterion, lambda text, _: parse(text))


def to_json(value: Any) -> bytes:
    return converter.dumps(value).encode()


def from_plain(value: Any, kind: type[T]) -> T:
    return converter.structure(value, kind)
