"""The fields of a record as JSON has them: names, types, and what their annotations say."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Protocol, Union, get_args, get_origin, get_type_hints

from c1m.measure.counter import Counter, Shown

from .units import IfUnknown, Inline, Mark, Named, Unit


class Record(Protocol):
    """An instance of a dataclass whose fields are annotated as in ``units``."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record. Its type is without None if it is optional."""

    name: str  # in JSON
    attribute: str  # in Python
    type: Any
    is_optional: bool
    unit: Unit | None  # None: it is no number
    default: Any  # MISSING: there is none
    meaning: str
    marks: frozenset[Mark]
    inline: Inline | None  # its own fields take its place
    if_unknown: str  # why it is unknown; empty: no usual reason
    counter: Counter | None = None  # the row of the table of counters, if it is one


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field as a reader of the JSON finds it, and the attributes that lead to it through inline records."""

    attributes: tuple[str, ...]
    field: Field


@cache
def fields_of(record: type, shown: Shown | None = None) -> tuple[Field, ...]:
    """Return the fields of a dataclass in their order. ``shown``: of a tally, only the counters that are shown there."""
    hints = get_type_hints(record, include_extras=True)
    found = (field_of(each.name, hints[each.name], each.default) for each in fields(record))
    return tuple(each for each in found if shown is None or each.counter is None or each.counter.shown & shown)


def field_of(attribute: str, hint: Any, default: Any = MISSING) -> Field:
    """Return the field that an annotation describes."""
    unit = unit_of(hint)
    kind, extras = without_extras(hint)
    kind, is_optional = without_none(kind)
    kind, _ = without_extras(kind)
    counter = next((each for each in extras if isinstance(each, Counter)), None)
    if counter is not None:
        extras = (counter.meaning, *([Mark.CAUSES] if counter.of_causes else []))
        unit = Unit(counter.unit) if kind in (int, float) else None
    named = next((each.name for each in extras if isinstance(each, Named)), attribute)
    reason = next((each.reason for each in extras if isinstance(each, IfUnknown)), "")
    return Field(
        name=named,
        attribute=attribute,
        type=kind,
        is_optional=is_optional,
        unit=unit,
        default=default,
        meaning=next((each for each in extras if type(each) is str), ""),
        marks=frozenset(each for each in extras if isinstance(each, Mark)),
        inline=next((each for each in extras if isinstance(each, Inline)), None),
        if_unknown=reason,
        counter=counter,
    )


@cache
def leaves_of(record: type, shown: Shown | None = None) -> Mapping[str, Leaf]:
    """Return the fields that JSON has for a record, by name. ``shown``: as in ``fields_of``."""
    found: dict[str, Leaf] = {}
    for each in fields_of(record, shown):
        if each.inline is None:
            found[each.name] = Leaf((each.attribute,), each)
            continue
        for name, leaf in leaves_of(each.type, each.inline.shown).items():
            found[each.inline.prefix + name] = Leaf((each.attribute, *leaf.attributes), leaf.field)
    return found


def part_of(record: Record, name: str) -> Any:
    """Return the value of a field by its name in JSON; None if the record has no such field."""
    leaf = leaf_of(record, name)
    found: Any = record if leaf else None
    for attribute in leaf.attributes if leaf else ():
        found = getattr(found, attribute) if found is not None else None
    return found


def leaf_of(record: Any, name: str) -> Leaf | None:
    """Return the field with a name in JSON; None if the record has none."""
    kind: type = type(record)
    return leaves_of(kind).get(name)


def without_extras(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return a type without its annotations, and the annotations."""
    return (hint.__origin__, hint.__metadata__) if get_origin(hint) is Annotated else (hint, ())


def without_none(hint: Any) -> tuple[Any, bool]:
    """Return a type without None, and whether it had None."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    others = tuple(each for each in get_args(hint) if each is not type(None))
    return Union[others], len(others) < len(get_args(hint))  # noqa: UP007 - made of a tuple


def unit_of(hint: Any) -> Unit | None:
    """Return the unit of a number or of the number that it may be; None for other types."""
    kind, extras = without_extras(hint)
    _, inner = without_extras(without_none(kind)[0])
    return next((each for each in (*extras, *inner) if isinstance(each, Unit)), None)


def is_record(hint: Any) -> bool:
    """Return whether a type is a record."""
    return isinstance(hint, type) and is_dataclass(hint)
