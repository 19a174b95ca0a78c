"""The JSON Schema (draft 2020-12) of records, made from their annotations. The unit of a number is its keyword "unit"."""

from __future__ import annotations

import enum
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin

from c1m.measure.counter import Shown

from .records import fields_of, is_record, leaves_of, unit_of, without_extras, without_none
from .units import Mark, Unit

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLAIN = {int: "integer", float: "number", bool: "boolean", str: "string"}

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Format:
    """What c1m writes as JSON: a document that is one record, or a stream of lines that are each one of several."""

    name: str
    records: tuple[type, ...]


def schema_text(formats: Sequence[Format]) -> str:
    """Return the schema of one format, or of any of several, as text."""
    return json.dumps(schema_of(formats), indent=2)


def schema_of(formats: Sequence[Format]) -> Schema:
    """Return the JSON Schema of documents of one format, or of any of several.

    Each record that they contain is a definition in it ($defs).
    """
    definitions: dict[str, Schema] = {}
    choices = [format_schema(each, definitions) for each in formats]
    root = choices[0] if len(choices) == 1 else {"anyOf": choices}
    return {"$schema": DIALECT, **root, "$defs": dict(sorted(definitions.items()))}


def format_schema(each: Format, definitions: dict[str, Schema]) -> Schema:
    """Return the schema of one format."""
    kinds = [kind_schema(record, definitions) for record in each.records]
    return {"title": each.name, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})}


def record_schema(record: type, definitions: dict[str, Schema]) -> Schema:
    """Return the schema of a record as an object. Other fields are allowed, because fields are added over time."""
    properties = {}
    for name, leaf in leaves_of(record).items():
        found = kind_schema(leaf.field.type, definitions) | unit_keyword(leaf.field.unit)
        if leaf.field.is_optional and Mark.LEFT_OUT not in leaf.field.marks:
            found = with_null(found)
        properties[name] = {"description": leaf.field.meaning, **found}
    return {
        "type": "object",
        "description": inspect.cleandoc(record.__doc__ or ""),
        "properties": properties,
        "required": required(record),
    }


def required(record: type, prefix: str = "", shown: Shown | None = None) -> list[str]:
    """Return the names that JSON always has."""
    names = []
    for each in fields_of(record, shown):
        if each.inline is None:
            names += [] if Mark.LEFT_OUT in each.marks else [prefix + each.name]
        elif not each.is_optional:
            names += required(each.type, prefix + each.inline.prefix, each.inline.shown)
    return names


def type_schema(hint: Any, definitions: dict[str, Schema]) -> Schema:
    """Return the schema of a type. Records are added to the definitions."""
    kind, is_optional = without_none(without_extras(hint)[0])
    found = kind_schema(without_extras(kind)[0], definitions) | unit_keyword(unit_of(hint))
    return with_null(found) if is_optional else found


def unit_keyword(unit: Unit | None) -> Schema:
    """Return the keyword that names a unit; nothing without one."""
    return {"unit": str(unit)} if unit else {}


def kind_schema(kind: Any, definitions: dict[str, Schema]) -> Schema:
    """Return the schema of a type that is neither annotated nor optional."""
    if is_record(kind):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}  # records may contain themselves
            definitions[kind.__name__] = record_schema(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if kind is datetime:
        return {"type": "string", "format": "date-time"}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {"enum": [each.value for each in kind]}
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"const": parts[0]}
    if origin in (tuple, Sequence):
        return {"type": "array", "items": type_schema(parts[0], definitions)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": type_schema(parts[1], definitions)}
    if origin is Union:
        return {"anyOf": [type_schema(part, definitions) for part in parts]}
    return {"type": PLAIN[kind]}


def with_null(found: Schema) -> Schema:
    """Return a schema that allows null as well."""
    if isinstance(found.get("type"), str):
        return {**found, "type": [found["type"], "null"]}
    if "anyOf" in found:
        return {**found, "anyOf": [*found["anyOf"], {"type": "null"}]}
    return {"anyOf": [found, {"type": "null"}]}
