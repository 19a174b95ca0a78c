"""Bodies of journal records: values to JSON and back by their types (cattrs), and compression of samples."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar, get_type_hints

from cattrs.gen import make_dict_structure_fn
from cattrs.preconf.json import make_converter

from c1m.coordinator.diagnosis.causes import Cause
from c1m.coordinator.ledger.doing import Role
from c1m.coordinator.spec.requirements import Criterion, parse

T = TypeVar("T")


def number(value: Any, _: type) -> int | float:
    """Return an int or float unchanged, so that an int stays an int: summaries are compared as text.

    Raises ValueError for any other value, and for NaN and infinity.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value


def is_named_tuple(kind: Any) -> bool:
    """Return True if the type ``kind`` is a NamedTuple."""
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def from_named_tuple(kind: Any) -> Callable[[Any], Any]:
    """Return a function that converts a value of the NamedTuple ``kind`` into a list, for cattrs to write as JSON.

    cattrs has one, but it reads the annotations, which ``from __future__ import annotations`` has turned into strings.
    """
    hints = tuple(get_type_hints(kind).values())
    return lambda value: [converter.unstructure(each, hint) for each, hint in zip(value, hints, strict=True)]


def to_named_tuple(kind: Any) -> Callable[[Any, Any], Any]:
    """Return a function that converts a list into a value of the NamedTuple ``kind``.

    The function raises ValueError if the list has another length.
    """
    hints = tuple(get_type_hints(kind).values())
    return lambda value, _: kind(*(converter.structure(each, hint) for each, hint in zip(value, hints, strict=True)))


def with_role(value: Any, _: type) -> Cause:
    """Return the cause of a diagnosis. Journals of an earlier c1m have no role; node names begin with it."""
    first = str(value["node"]).partition(" ")[0]
    return structure_cause({"role": first if first in set(Role) else None, **value}, Cause)


converter = make_converter()
structure_cause = make_dict_structure_fn(Cause, converter)
converter.register_structure_hook(Cause, with_role)
converter.register_unstructure_hook_factory(is_named_tuple, from_named_tuple)
converter.register_structure_hook_factory(is_named_tuple, to_named_tuple)
converter.register_structure_hook(float, number)
converter.register_unstructure_hook(Criterion, str)
converter.register_structure_hook(Criterion, lambda text, _: parse(text))


def to_json(value: Any) -> bytes:
    """Return a value of the run, such as a dataclass, encoded as JSON in bytes."""
    return converter.dumps(value).encode()


def from_plain(value: Any, kind: type[T]) -> T:
    """Return decoded JSON converted into a value of type ``kind``.

    Raises cattrs.BaseValidationError or ValueError if it is no such value.
    """
    try:
        return converter.structure(value, kind)
    except AttributeError as error:  # cattrs calls items() of anything where a mapping should be
        raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Header:
    """The body of a journal's first record: run id, version, start time, seed and settings of the run.

    ``at`` and ``at_monotonic`` are the same moment. All other records have monotonic times only.
    """

    run_id: str
    c1m: str  # version of c1m that wrote the journal
    started_at: datetime
    at: datetime
    at_monotonic: float
    seed: int
    settings: Mapping[str, Any]  # as the user wrote them
    words: tuple[str, ...]  # the same as arguments of "c1m-coord run"


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """The body of a journal's last record: verdict and exit code of the run."""

    verdict: str
    exit_code: int


class Plain(NamedTuple):
    """A value that the journal's thread turns into JSON: for a thousand nodes that takes longer than a run may stand still.

    The value must not change any more.
    """

    value: Any


LEVEL = 6  # of zlib


class SampleCompression:
    """Compresses or decompresses the messages of all nodes in order, with an earlier message of the node as zlib dictionary.

    A sample with a reading is tens of times as long as one without, and consists mostly of names. The newest long message is
    the dictionary of those that follow. zlib uses 32 kB of it, its window.
    """

    def __init__(self) -> None:
        self.dictionaries: dict[str, bytes] = {}  # node -> the message that is its dictionary

    def pack(self, node: str, message: bytes) -> bytes:
        """Return the message of a node in compressed form."""
        packer = zlib.compressobj(LEVEL, zdict=self.dictionaries.get(node, b""))
        self.learn(node, message)
        return packer.compress(message) + packer.flush()

    def unpack(self, node: str, packed: bytes) -> bytes:
        """Return the original message of a node from its compressed form.

        Raises zlib.error if it was not packed by ``pack`` after the same messages.
        """
        unpacker = zlib.decompressobj(zdict=self.dictionaries.get(node, b""))
        message = unpacker.decompress(packed) + unpacker.flush()
        self.learn(node, message)
        return message

    def learn(self, node: str, message: bytes) -> None:
        """Use a message as the node's dictionary from now on if it is at least half as long as the present dictionary."""
        if 2 * len(message) >= len(self.dictionaries.get(node, b"")):
            self.dictionaries[node] = message
