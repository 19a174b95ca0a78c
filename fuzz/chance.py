"""Inputs by chance: of text, of bytes, and of any protobuf message. The chance is an argument, so that a seed repeats them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

EXTREMES = (0, 1, -1, 2, 255, 32_767, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
FLOATS = (0.0, -0.0, 1.0, 0.5, 1e-9, 5e-324, 1e308, -1.0, float("inf"), float("-inf"), float("nan"), 60.0, 1e15)
DIGITS = ("0", "1", "9", "00", "10", "4294967296", "18446744073709551616", "9" * 30, "1e9", "-1", "0x1f", "٣", "²", "nan")
OTHERS = (
    "",
    " ",
    "\n",
    "\t",
    "\0",
    "\r",
    "%",
    "\ud800",
    "\u2028",
    "é",
    "中",
    "\x1b[31m",
    "'",
    '"',
    "{}",
    "-",
    ":",
    "/",
    ",",
    "=",
)
TEXTS = (
    *("", "127.0.0.1", "127.0.0.2", "::1", "fd00::1", "fe80::1%eth0", "10.0.0.300", "host"),
    *("a\0b", "\n", "é" * 50, "[/b]", "٣", "5", "-1", "1 2", "9" * 30),
)
LONGEST_RUN = 40  # of the same piece again
FEW = 4  # of what is repeated in a message, mostly

UNSIGNED = frozenset({FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64})
SIGNED = frozenset({FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64})
BITS_32 = frozenset({FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_INT32})
REAL = frozenset({FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT})


def text(chance: Random, words: Sequence[str]) -> bytes:
    """Pieces of a language, numbers and what is in no language, one after another."""
    pieces = [piece(chance, words) for _ in range(chance.randint(1, 8))]
    return "".join(pieces).encode("utf-8", "surrogatepass")


def piece(chance: Random, words: Sequence[str]) -> str:
    one = chance.choice(chance.choice((words, words, DIGITS, OTHERS)) or OTHERS)
    return one * chance.randint(2, LONGEST_RUN) if chance.random() < 0.03 else one


def decoded(data: bytes) -> str:
    """Any bytes as a command line has them."""
    return data.decode("utf-8", "surrogateescape")


def mutated(data: bytes, chance: Random, other: bytes) -> bytes:
    """A few changes: bytes flipped, cut out, said again, put in another's place, numbers made huge."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(changed))
        end = min(at + chance.randint(0, 16), len(changed))
        match chance.randrange(6):
            case 0 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at:end]
            case 2:
                changed[at:at] = changed[at:end] * chance.randint(1, 8)
            case 3:
                start = chance.randint(0, len(other))
                changed[at:end] = other[start : start + chance.randint(0, 64)]
            case 4:
                changed[at:at] = chance.choice(DIGITS).encode()
            case _:
                del changed[at:]
    return bytes(changed)


def fields_of(message: Message) -> Sequence[FieldDescriptor]:
    """The fields of a message's type, as descriptors of one type: the stubs have those of both implementations of protobuf."""
    return cast("Sequence[FieldDescriptor]", message.DESCRIPTOR.fields)


def fill(message: Message, chance: Random, depth: int = 0) -> None:
    """Some of a message's fields, mostly with what lies at some edge. Enums get numbers without a name, too."""
    for field in fields_of(message):
        if chance.random() < 0.3:
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            fill_map(getattr(message, field.name), field.message_type, chance, depth)
        elif field.is_repeated:
            values = getattr(message, field.name)
            for _ in range(chance.randrange(FEW)):
                if field.message_type:
                    fill(values.add(), chance, depth + 1)
                else:
                    values.append(scalar(field, chance))
        elif field.message_type:
            inner = getattr(message, field.name)
            inner.SetInParent()
            fill(inner, chance, depth + 1)
        else:
            setattr(message, field.name, scalar(field, chance))


def fill_map(values: Any, entry: Descriptor, chance: Random, depth: int) -> None:
    """Some entries of a map; ``entry`` is the type of one, which has a key and a value."""
    key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    for _ in range(chance.randrange(FEW)):
        name = scalar(key, chance)
        if value.message_type:
            fill(values[name], chance, depth + 1)
        else:
            values[name] = scalar(value, chance)


def scalar(field: FieldDescriptor, chance: Random) -> object:
    kind = field.cpp_type
    if kind in REAL:
        return chance.choice(FLOATS) if chance.random() < 0.5 else chance.uniform(0, 100)
    if kind in UNSIGNED or kind in SIGNED:
        bits = 32 if kind in BITS_32 else 64
        low, high = (0, 2**bits - 1) if kind in UNSIGNED else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        one = chance.choice(EXTREMES) if chance.random() < 0.5 else chance.randrange(2000)
        return min(max(one, low), high)
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return chance.choice((0, 1, 2, 3, 4, 5, 6, 99, -1, 2**31 - 1))
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return chance.random() < 0.5
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.choice((0, 1, 16, 300)))
    return chance.choice(TEXTS)
