"""Values of a run as the journal keeps them, in JSON, and back. cattrs does it by their types."""

from __future__ import annotations

from typing import Any, TypeVar

from cattrs.preconf.json import make_converter

from .criteria import Criterion, parse

T = TypeVar("T")

converter = make_converter()
# A whole number stays one: JSON tells them apart, and summaries are compared as texts.
converter.register_structure_hook(float, lambda number, _: number)
converter.register_unstructure_hook(Criterion, str)
converter.register_structure_hook(Criterion, lambda text, _: parse(text))


def to_json(value: Any) -> bytes:
    return converter.dumps(value).encode()


def from_plain(value: Any, kind: type[T]) -> T:
    return converter.structure(value, kind)
