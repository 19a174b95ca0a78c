"""Values of a run as the journal keeps them, in JSON, and back. cattrs does it by their types."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, get_type_hints

from cattrs.preconf.json import make_converter

from c1m.coordinator.spec.requirements import Criterion, parse

T = TypeVar("T")


def number(value: Any, _: type) -> int | float:
    """A whole number stays one: JSON tells them apart, and summaries are compared as texts. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value


def is_named_tuple(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def from_named_tuple(kind: Any) -> Callable[[Any], Any]:
    """A list. cattrs does it too, but looks at annotations that ``from __future__ import annotations`` has made texts of."""
    hints = tuple(get_type_hints(kind).values())
    return lambda value: [converter.unstructure(each, hint) for each, hint in zip(value, hints, strict=True)]


def to_named_tuple(kind: Any) -> Callable[[Any, Any], Any]:
    """Raises ValueError for one that is not as long."""
    hints = tuple(get_type_hints(kind).values())
    return lambda value, _: kind(*(converter.structure(each, hint) for each, hint in zip(value, hints, strict=True)))


converter = make_converter()
converter.register_unstructure_hook_factory(is_named_tuple, from_named_tuple)
converter.register_structure_hook_factory(is_named_tuple, to_named_tuple)
converter.register_structure_hook(float, number)
converter.register_unstructure_hook(Criterion, str)
converter.register_structure_hook(Criterion, lambda text, _: parse(text))


def to_json(value: Any) -> bytes:
    return converter.dumps(value).encode()


def from_plain(value: Any, kind: type[T]) -> T:
    """Raises BaseValidationError of cattrs, or ValueError, for what is no such value."""
    try:
        return converter.structure(value, kind)
    except AttributeError as error:  # cattrs asks what should be a mapping for its items, whatever it is
        raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Header:
    """``at`` and ``at_monotonic`` are one moment: all others are known by the monotonic clock."""

    run_id: str
    c1m: str  # the version that wrote it
    started_at: datetime
    at: datetime
    at_monotonic: float
    seed: int
    settings: Mapping[str, Any]  # as a person writes them
    words: tuple[str, ...]  # the same, after "c1m-coord run"


@dataclass(frozen=True, slots=True)
class JudgedRun:
    verdict: str
    exit_code: int


LEVEL = 6


class SampleCompression:
    """Packs, or unpacks, all messages of all nodes in their order; each in the words of an earlier one of its node.

    A sample with a reading is tens of times as long as one without, and most of it are names: the newest long one is
    the dictionary of those that follow. 32 kB of it count (zlib's window).
    """

    def __init__(self) -> None:
        self.words: dict[str, bytes] = {}

    def pack(self, node: str, message: bytes) -> bytes:
        packer = zlib.compressobj(LEVEL, zdict=self.words.get(node, b""))
        self.learn(node, message)
        return packer.compress(message) + packer.flush()

    def unpack(self, node: str, packed: bytes) -> bytes:
        """Raises zlib.error for what was not packed like this, after the same messages."""
        unpacker = zlib.decompressobj(zdict=self.words.get(node, b""))
        message = unpacker.decompress(packed) + unpacker.flush()
        self.learn(node, message)
        return message

    def learn(self, node: str, message: bytes) -> None:
        if 2 * len(message) >= len(self.words.get(node, b"")):
            self.words[node] = message
