"""The metrics of a summary by name: what a requirement may ask for, in which unit, and when it is known. Pure.

Names are paths into the summary. The beginning and the unit may be left out: ``connect_latency.p99`` is
``connect_latency_us.p99``, ``ghosts`` is ``reconciliation.ghosts``.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, get_args, get_origin

from c1m.coordinator.summary.latencies import LatencyFigures
from c1m.coordinator.summary.records import Field, Record, is_record, leaves_of, part_of, unit_of
from c1m.coordinator.summary.summary import Figures
from c1m.coordinator.summary.units import CAUSES, NO_FIGURE, WHEN_ASKED, Unit
from c1m.measure.tally import PEER_CLOSED, PEER_RESET, PROCESS_DIED, TIMED_OUT
from c1m.text.units import (
    format_bytes,
    format_duration,
    format_rate,
    parse_bytes,
    parse_duration,
    parse_number,
    parse_rate,
)

Value: TypeAlias = int | float
Node: TypeAlias = Record | tuple[Record, ...] | Mapping[str, int] | Value | None  # what a path leads through


def format_number(value: float) -> str:
    """Return a number as people read it."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


PARSERS: Mapping[Unit, Callable[[str], float]] = {
    Unit.COUNT: parse_number,
    Unit.SECONDS: parse_duration,
    Unit.MICROSECONDS: parse_duration,
    Unit.BYTES: parse_bytes,
    Unit.PER_SECOND: parse_rate,
    Unit.PERCENT: lambda text: parse_number(text.removesuffix("%").strip()),
}
FORMATS: Mapping[Unit, Callable[[float], str]] = {
    Unit.COUNT: format_number,
    Unit.SECONDS: format_duration,
    Unit.MICROSECONDS: format_duration,
    Unit.BYTES: lambda value: f"{value:,.0f} B" if abs(value) < 1e6 else format_bytes(value),
    Unit.PER_SECOND: format_rate,
    Unit.PERCENT: lambda value: f"{value:.4g} %",
}
# Division is exact where it has to be: 50,000 us divided by a million are the 0.05 s that "50ms" is; multiplied by a millionth
# they would be less.
MICROSECONDS = 1_000_000

LEFT_OUT = ("_at_hold_end", "_through_hold", "_us", "_seconds", "_bytes", "_percent", "_per_second")  # of a name, if you like
EACH = "*"  # any name that is counted there
WORKERS = "workers"  # where the figures of each worker are; most of them have a namesake of the target
# Why connections end or fail: the names in mappings that are marked with CAUSES.
KNOWN_CAUSES = frozenset({PEER_CLOSED, PEER_RESET, TIMED_OUT, PROCESS_DIED, *errno.errorcode.values()})


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of the summary, which requirements may name.

    ``path`` leads to the metric in the summary. ``workers``, ``stages`` and other lists have one value for each row.
    """

    path: tuple[str, ...]
    unit: Unit
    meaning: str
    through_hold: bool = True  # samples have it at every moment of the hold
    of_cause: bool = False  # it is the count of one cause; what was never counted is 0, and not unknown
    of_latency: bool = False  # it is a part of a latency's percentiles

    def __str__(self) -> str:
        return ".".join(self.path)

    @property
    def divisor(self) -> int:
        """What a value is divided by for ``parse`` and people: durations of the summary may be in microseconds."""
        return MICROSECONDS if self.unit is Unit.MICROSECONDS else 1

    def parse(self, text: str) -> float:
        """Parse a value with its unit. Return seconds for a duration, otherwise the summary's unit. Raises ValueError."""
        return PARSERS[self.unit](text)

    def format(self, value: float) -> str:
        """Return a value of the metric, in the summary's unit, as text for people, with its unit."""
        return FORMATS[self.unit](value / self.divisor)

    def named(self, words: Sequence[str]) -> Figure | None:
        """Return the metric if the words of a name are the end of its path, with the words in place of EACH; None if not."""
        ending = self.path[-len(words) :]
        if len(words) > len(self.path) or ending[0] == EACH or not all(map(same, ending, words)):
            return None
        chosen = tuple(word if own == EACH else own for own, word in zip(ending, words, strict=True))
        return replace(self, path=self.path[: -len(words)] + chosen)

    def is_unmeasured(self, figures: Figures) -> bool:
        """Return whether this metric is part of a latency of which nothing has been measured yet."""
        return self.of_latency and any(count == 0 for _, count in reached(figures, (*self.path[:-1], "count")))

    def values(self, figures: Figures) -> list[tuple[str, Value | None]]:
        """Return all values of the metric in a summary, as pairs (name of the row, value).

        Without rows there is one pair with the name "". A value of None is unknown.
        """
        return reached(figures, self.path, absent=0 if self.of_cause else None)


def same(own: str, word: str) -> bool:
    """Return True if ``word``, from the name of a metric that a user wrote, stands for the part ``own`` of a path."""
    return own == EACH or word in (own, bare(own))


def bare(word: str) -> str:
    """Return a word of a metric's name without the endings that users may leave out."""
    for ending in LEFT_OUT:
        word = word.removesuffix(ending)
    return word


def reached(node: Node, path: Sequence[str], whose: str = "", absent: Value | None = None) -> list[tuple[str, Value | None]]:
    """Return the name of each row and the value at the end of the path; for a mapping of counts, their sum.

    ``absent``: the value of a name that a mapping does not have.
    """
    if isinstance(node, tuple):
        within = f"{whose} " if whose else ""
        return [found for name, item in members(node).items() for found in reached(item, path, within + name, absent)]
    if node is None:
        return [(whose, None)]
    if isinstance(node, Mapping):
        return [(whose, node.get(path[0], absent) if path else sum(node.values()))]
    if isinstance(node, Value):
        return [(whose, node)]
    return reached(part_of(node, path[0]), path[1:], whose, absent)


def members(rows: Sequence[Record]) -> dict[str, Record]:
    """Return the rows of a list in the summary as a mapping: name of the row -> row.

    The name is that of a worker, of a worker's source address or of a cache, otherwise the row's number.
    """
    return {called(row) or f"number {number}": row for number, row in enumerate(rows, 1)}


def called(row: Record) -> str:
    """Return the name of a row of the summary; an empty string if it has none."""
    return " ".join(name for part in ("node", "source", "name") if (name := part_of(row, part)))


# -- the table of all figures


def figures_of(record: type, path: tuple[str, ...] = (), *, through_hold: bool = True) -> Iterator[Figure]:
    """Yield the figures of a record and of the records in it, those of the record itself first."""
    inner = []
    for name, leaf in leaves_of(record).items():
        field, own, through = leaf.field, (*path, name), through_hold and WHEN_ASKED not in leaf.field.marks
        item = get_args(field.type)[0] if get_origin(field.type) is tuple else field.type
        if NO_FIGURE in field.marks:
            continue
        if is_record(item):
            inner.append((item, own, through))
        elif get_origin(item) is Mapping:
            yield from counted(field, own, through_hold=through)
        elif field.unit:
            yield Figure(own, field.unit, field.meaning, through, of_latency=record is LatencyFigures)
    for item, own, through in inner:
        yield from figures_of(item, own, through_hold=through)


def counted(field: Field, path: tuple[str, ...], *, through_hold: bool) -> Iterator[Figure]:
    """Yield the figures of a mapping of counts: one for each name, and the sum if the names are causes."""
    unit = unit_of(get_args(field.type)[1]) or Unit.COUNT
    if CAUSES in field.marks:
        yield Figure(path, unit, field.meaning, through_hold)
    yield Figure((*path, EACH), unit, field.meaning, through_hold, of_cause=CAUSES in field.marks)


# A name that fits several figures is that of the whole run or of the target, before that of workers.
FIGURES = tuple(sorted(figures_of(Figures), key=lambda figure: figure.path[0] == "workers"))


def find(name: str) -> Figure:
    """Return the metric with this name; if several end in it, the one with the shortest path, and rather the target's than the
    workers'.

    Raises ValueError for an unknown name, with similar ones, and for a name that fits several metrics alike, with all of them.
    """
    words = name.split(".")
    found = [figure for each in FIGURES if (figure := each.named(words))]
    if not found:
        raise ValueError(f"there is no figure {name!r}; {resembling(name, names_of_all())}")
    shortest = min(len(each.path) for each in found)
    nearest = [each for each in found if len(each.path) == shortest]
    figure, *others = [each for each in nearest if each.path[0] != WORKERS] or nearest
    if others:
        raise ValueError(f"{name!r} could be {' or '.join(map(str, (figure, *others)))}; write one of these in full")
    if figure.of_cause and figure.path[-1] not in KNOWN_CAUSES:
        # Such a requirement would judge a 0 in every run.
        raise ValueError(f"nothing is ever counted as {figure.path[-1]!r}; {resembling(figure.path[-1], KNOWN_CAUSES)}")
    return figure


def resembling(name: str, known: Iterable[str]) -> str:
    """Return a hint with up to three of the known names that are like ``name``; without any, a hint what a name is."""
    close = difflib.get_close_matches(name, list(known), 3)
    return f"did you mean {' or '.join(close)}?" if close else "a figure's name is its path in the summary that --json writes"


def names_of_all() -> set[str]:
    """Return the set of all names of metrics that users may write: paths from any part on, with and without units."""
    endings = [figure.path[start:] for figure in FIGURES for start in range(len(figure.path))]
    return {".".join(map(shown, ending)) for ending in endings for shown in (str, bare) if ending[0] != EACH}
