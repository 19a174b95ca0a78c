"""What a counter is: a row of the table that the fields of a tally are."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import get_type_hints


class Shown(enum.Flag):
    """Where the summary shows a counter."""

    RUN = enum.auto()
    WORKER = enum.auto()
    TARGET = enum.auto()


NOWHERE = Shown(0)


@dataclass(frozen=True, slots=True)
class Counter:
    """A row of the table of counters. The field that it annotates has its name, its type and its zero.

    Links, wire, sums, summary, schema, figures of ``--require`` and report follow from it.
    """

    meaning: str  # a sentence
    shown: Shown = NOWHERE
    unit: str = "1"  # 1: a count; B: bytes; s: seconds
    label: str = ""  # of its row in the report; empty: it has none of its own
    of_causes: bool = False  # the names that are counted are causes; one that is missing was counted 0 times
    on_wire: bool = True  # False: it is a time on the host's clock, of which adding takes the later one


def counters_of(tally: type) -> Mapping[str, Counter]:
    """Return the counters of a dataclass, whose fields are annotated with a Counter each, by their names."""
    hints = get_type_hints(tally, include_extras=True)
    return MappingProxyType({each.name: hints[each.name].__metadata__[0] for each in fields(tally)})
