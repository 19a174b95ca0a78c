"""Figures of a summary of which a test says only those that matter to it, and schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from c1m.coordinator.summary.codec import from_plain
from c1m.coordinator.summary.records import is_record, leaves_of
from c1m.coordinator.summary.summary import Figures, Snapshot
from c1m.coordinator.summary.units import Mark

PLAIN = {int: 0, float: 0.0, str: "", bool: False}


def figures(parts: Mapping[str, Any]) -> Figures:
    """Figures with these parts, as JSON has them; all others are zero, empty or unknown."""
    return from_plain(filled(Figures, parts), Figures)


def moment(at_seconds: float, parts: Mapping[str, Any]) -> Snapshot:
    """A moment at which the run had these figures."""
    return Snapshot(at_seconds, figures(parts))


def filled(record: type, parts: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of a record with these parts; those of records in it may be incomplete as well."""
    made: dict[str, Any] = {}
    for name, leaf in leaves_of(record).items():
        kind = leaf.field.type
        if name in parts:
            made[name] = completed(kind, parts[name])
        elif Mark.LEFT_OUT not in leaf.field.marks:
            made[name] = None if leaf.field.is_optional else nothing(kind)
    return made


def completed(kind: Any, given: Any) -> Any:
    if is_record(kind) and given is not None:
        return filled(kind, given)
    if get_origin(kind) is tuple and is_record(get_args(kind)[0]):
        return [filled(get_args(kind)[0], each) for each in given]
    return given


def nothing(kind: Any) -> Any:
    if is_record(kind):
        return filled(kind, {})
    return {tuple: [], Sequence: [], Mapping: {}}.get(get_origin(kind), PLAIN.get(kind))
