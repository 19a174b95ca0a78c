"""Records to JSON values and back, by their types.

Fields are only added over time. A document of an older c1m lacks some: they get their defaults, or are unknown. Those that
only a newer c1m knows are ignored.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

from c1m.measure.counter import Shown

from .records import Field, Record, fields_of, is_record, without_extras, without_none
from .units import Mark

R = TypeVar("R", bound=Record)
Convert = Callable[[Any], Any]

# -- to JSON


def to_plain(record: Record) -> dict[str, Any]:
    """Return a record as JSON values."""
    made: dict[str, Any] = {}
    writer_of(type(record), "")(record, made)
    return made


@cache
def writer_of(record: type, prefix: str, shown: Shown | None = None) -> Callable[[Any, dict[str, Any]], None]:
    """Return a function that adds the fields of a record to JSON values. ``prefix``: before each name."""
    steps = [
        (
            prefix + each.name,
            each.attribute,
            writer_of(each.type, prefix + each.inline.prefix, each.inline.shown) if each.inline else None,
            converter_of(each.type),
            Mark.LEFT_OUT in each.marks,
        )
        for each in fields_of(record, shown)
    ]

    def write(value: Any, made: dict[str, Any]) -> None:
        for name, attribute, write_inline, convert, is_left_out in steps:
            part = getattr(value, attribute)
            if write_inline is not None:
                if part is not None:
                    write_inline(part, made)
            elif part is not None:
                made[name] = convert(part) if convert else part
            elif not is_left_out:
                made[name] = None

    return write


def converter_of(hint: Any) -> Convert | None:
    """Return a function that makes JSON of values of a type; None if they are JSON already."""
    kind, _ = without_none(without_extras(hint)[0])
    kind, _ = without_extras(kind)
    if is_record(kind):
        return to_plain
    if kind is datetime:
        return instant
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return lambda value: value.value
    if get_origin(kind) in (tuple, Sequence):
        return list_converter(converter_of(get_args(kind)[0]))
    if get_origin(kind) is Mapping:
        return mapping_converter(converter_of(get_args(kind)[1]))
    if get_args(kind):  # a union of plain types, and of lists of them
        return lambda value: list(value) if isinstance(value, tuple) else value
    return None


def list_converter(convert: Convert | None) -> Convert:
    """Return a function that makes a list, whose items ``convert`` makes JSON; None: they are."""
    if convert is None:
        return list
    return lambda values: [None if value is None else convert(value) for value in values]


def mapping_converter(convert: Convert | None) -> Convert:
    """Return a function that makes a dict, whose values ``convert`` makes JSON; None: they are."""
    if convert is None:
        return dict
    return lambda values: {name: None if value is None else convert(value) for name, value in values.items()}


def instant(moment: datetime) -> str:
    """Return a time in ISO 8601 with milliseconds."""
    return moment.isoformat(timespec="milliseconds")


# -- from JSON


def from_plain(values: Mapping[str, Any], record: type[R], shown: Shown | None = None) -> R:
    """Return the record of JSON values. Raises ValueError if a field is missing without which there is no record."""
    return record(**{each.attribute: read_field(values, each) for each in fields_of(record, shown)})


def read_field(values: Mapping[str, Any], each: Field) -> Any:
    """Return the value of a field. Raises ValueError if it is missing and has neither a default nor a neutral value."""
    if each.inline is not None:
        prefix = each.inline.prefix
        own = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
        if each.is_optional and not any(part.name in own for part in fields_of(each.type)):
            return None
        return from_plain(own, each.type, each.inline.shown)
    if each.name in values:
        return read(values[each.name], each.type)
    if each.default is not MISSING:
        return each.default
    if each.is_optional:
        return None
    if get_origin(each.type) in (tuple, Sequence, Mapping):
        return read((), each.type)
    raise ValueError(f"the document has no {each.name!r}")


def read(value: Any, hint: Any) -> Any:
    """Return the value of a type. None stays None."""
    kind, _ = without_none(without_extras(hint)[0])
    kind, _ = without_extras(kind)
    if value is None:
        return None
    if is_record(kind):
        return from_plain(value, kind)
    if kind is datetime:
        return datetime.fromisoformat(value)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(value)
    if get_origin(kind) in (tuple, Sequence):
        return tuple(read(each, get_args(kind)[0]) for each in value)
    if get_origin(kind) is Mapping:
        return {name: read(each, get_args(kind)[1]) for name, each in dict(value).items()}
    return tuple(value) if isinstance(value, list) else value
