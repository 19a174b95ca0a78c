"""A check of JSON against the part of JSON Schema that c1m uses. Stricter than a validator: a field that the schema does not
describe is a complaint, as are keywords that are not checked here."""

from __future__ import annotations

from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
ANNOTATIONS = {"$schema", "$defs", "title", "description", "unit", "format"}
CHECKED = {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const", "$ref"}


def complaints(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, at: str = "$") -> list[str]:
    """What is wrong with a value, each with its place."""
    root = root or schema
    found = [f"{at}: keyword {word}" for word in schema.keys() - ANNOTATIONS - CHECKED]
    if reference := schema.get("$ref"):
        found += complaints(value, root["$defs"][reference.removeprefix("#/$defs/")], root, at)
    if choices := schema.get("anyOf"):
        ways = {len(way): way for way in (complaints(value, choice, root, at) for choice in choices)}
        found += ways[min(ways)]
    if "type" in schema and not is_of_type(value, schema["type"]):
        return [*found, f"{at}: {value!r} is no {schema['type']}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is none of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: {value!r} is not {schema['const']!r}")
    if isinstance(value, list) and "items" in schema:
        found += [
            each for index, item in enumerate(value) for each in complaints(item, schema["items"], root, f"{at}[{index}]")
        ]
    return found + (members(value, schema, root, at) if isinstance(value, dict) and schema.get("type") else [])


def members(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], at: str) -> list[str]:
    found = [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, item in value.items():
        if name in known:
            found += complaints(item, known[name], root, f"{at}.{name}")
        elif others:
            found += complaints(item, others, root, f"{at}.{name}")
        else:
            found.append(f"{at}: {name} is not described")
    return found


def is_of_type(value: Any, names: str | list[str]) -> bool:
    for name in [names] if isinstance(names, str) else names:
        if isinstance(value, TYPES[name]) and (not isinstance(value, bool) or name == "boolean"):
            return True
    return False
