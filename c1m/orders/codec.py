"""Records as plain values, which can be marshalled, and back by their types. Pure.

A record is a frozen dataclass of numbers, texts, bytes, enums, mappings of plain values, tuples and other records. Its plain
value is a tuple of the plain values of its fields, without names: the assignment of a shard may have thousands of routes.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Iterable
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Message = dict[str, Any]  # the name of a record, and its plain value

Maker = Callable[[Any], Any]


def to_message(record: Any) -> Message:
    """Return a record as a message."""
    return {type(record).__name__: to_plain(record)}


def from_message(message: Message, kinds: Iterable[type[T]]) -> T:
    """Return the record of a message, which is of one of these kinds. Raises ValueError for a message of none of them."""
    for kind in kinds:
        if kind.__name__ in message:
            return from_plain(message[kind.__name__], kind)
    raise ValueError(f"a message of {', '.join(map(str, message))} is not known here")


def to_plain(value: Any) -> Any:
    """Return a value as one that can be marshalled."""
    if isinstance(value, tuple):
        return tuple([to_plain(each) for each in value])
    if isinstance(value, enum.Enum):
        return value.value
    if is_dataclass(value):
        return tuple([to_plain(getattr(value, field.name)) for field in fields(value)])
    return value


def from_plain(plain: Any, kind: type[T]) -> T:
    """Return the value of this type of which ``to_plain`` has made a plain one."""
    made: T = maker_of(cast("Hashable", kind))(plain)
    return made


@cache
def maker_of(kind: Any) -> Maker:
    """Return a function that makes a value of a type of a plain one."""
    if get_origin(kind) in (Union, UnionType):
        return optional(kind)
    if get_origin(kind) is tuple:
        return items(*get_args(kind))
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        make = items(*(hints[field.name] for field in fields(kind)))
        return lambda plain: kind(*make(plain))  # type: ignore[operator]
    return kind if isinstance(kind, type) and issubclass(kind, enum.Enum) else unchanged


def optional(kind: Any) -> Maker:
    """Return the maker of a type or None."""
    (inner,) = [each for each in get_args(kind) if each is not NoneType]
    make = maker_of(inner)
    return lambda plain: None if plain is None else make(plain)


def items(*kinds: Any) -> Maker:
    """Return the maker of a tuple with items of these types, or with any number of the first if the second is an ellipsis."""
    if kinds[1:] == (Ellipsis,):
        make = maker_of(kinds[0])
        return lambda plain: tuple([make(each) for each in plain])
    makers = [maker_of(each) for each in kinds]
    return lambda plain: tuple([make(each) for make, each in zip(makers, plain, strict=True)])


def unchanged(plain: Any) -> Any:
    """Return a plain value, which is the value itself."""
    return plain
