"""Figures over time as a few lines of text: block characters on one axis, and nothing else. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*#@"  # where blocks cannot be written
UNKNOWN = "?"

Values = Sequence[float | None]


def levels(seconds: Sequence[float], values: Values, width: int) -> list[float | None]:
    """What goes up and down, in ``width`` columns from 0 to the last moment: on straight lines between the known moments.

    Unknown before the first of these; after the last one it is what it was then.
    """
    known = [(at, value) for at, value in zip(seconds, values, strict=True) if value is not None]
    each = seconds[-1] / width
    found: list[float | None] = []
    row = 0
    for column in range(width):
        at = each * (column + 1)
        while row < len(known) and known[row][0] < at:
            row += 1
        found.append(between(known[row - 1] if row else None, known[row] if row < len(known) else None, at))
    return found


def between(before: tuple[float, float] | None, after: tuple[float, float] | None, at: float) -> float | None:
    if before is None or after is None:
        return before[1] if before else after[1] if after and after[0] <= at else None
    (since, start), (until, end) = before, after
    return start + (end - start) * (at - since) / (until - since)


def events(seconds: Sequence[float], values: Values, width: int) -> list[float | None]:
    """What was counted, in ``width`` columns: each count is spread evenly over the interval that ends at its moment.

    An interval of unknown count adds nothing: what rose in it is in the next one.
    """
    found = [0.0] * width
    since = 0.0
    for at, count in zip(seconds, values, strict=True):
        if count is None:
            continue
        for column, share in shares(since, at, seconds[-1] / width, width):
            found[column] += count * share
        since = at
    return list(found)


def highest(seconds: Sequence[float], values: Values, width: int) -> list[float | None]:
    """What was measured in each interval, in ``width`` columns: the largest of those that a column touches, 0 for none."""
    found = [0.0] * width
    for since, at, value in zip([0.0, *seconds], seconds, values, strict=False):
        if value is not None:
            for column, _ in shares(since, at, seconds[-1] / width, width):
                found[column] = max(found[column], value)
    return list(found)


def shares(since: float, at: float, each: float, width: int) -> list[tuple[int, float]]:
    """Which columns of ``each`` seconds an interval lies in, and what share of it lies in each of them."""
    first, last = (min(int(moment / each), width - 1) if each else 0 for moment in (since, at))
    if first == last or at <= since:
        return [(last, 1.0)]
    edges = [since, *(column * each for column in range(first + 1, last + 1)), at]
    parts = enumerate(pairwise(edges), first)
    return [(column, (end - begin) / (at - since)) for column, (begin, end) in parts if end > begin]


def bars(values: Values, height: int = 1, glyphs: str = BLOCKS, floor: float = 0.0) -> list[str]:
    """``height`` lines, the highest first. The largest value fills them, ``floor`` is empty, and more than that is seen."""
    most = max((value for value in values if value is not None), default=floor)
    steps = [None if value is None else eighths(value - floor, most - floor, height, len(glyphs) - 1) for value in values]
    return ["".join(glyph(step, line, glyphs) for step in steps) for line in reversed(range(height))]


def eighths(value: float, most: float, height: int, parts: int) -> int:
    """How many of the ``parts`` of each of ``height`` lines a value fills."""
    return max(round(value / most * height * parts), 1) if value > 0 and most > 0 else 0


def glyph(step: int | None, line: int, glyphs: str) -> str:
    if step is None:
        return UNKNOWN if line == 0 else " "
    parts = len(glyphs) - 1
    return glyphs[min(max(step - line * parts, 0), parts)]


def ruler(marks: Sequence[tuple[float, str]], end: float, width: int, room: int) -> str:
    """Words below an axis of ``width``, each beginning where its moment is, in a line of ``room`` at most.

    One that would run into the one before it is left out.
    """
    line = ""
    for at, word in marks:
        column = min(int(at / end * width), width - 1) if end else 0
        if (not line or column > len(line)) and column + len(word) <= room:
            line = line.ljust(column) + word
    return line
