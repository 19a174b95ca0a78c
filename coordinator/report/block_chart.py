"""Charts of values over time, as lines of block characters on one axis. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*#@"  # for terminals that cannot show blocks
UNKNOWN = "?"

Values = Sequence[float | None]


def levels(seconds: Sequence[float], values: Values, width: int) -> list[float | None]:
    """Return the values of a curve in ``width`` columns from 0 to the last moment, by straight lines between known moments.

    Values are None before the first known moment, and constant after the last one.
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
    """Return the value at the moment ``at`` on the straight line between two points (moment, value); None if it is unknown."""
    if before is None or after is None:
        return before[1] if before else after[1] if after and after[0] <= at else None
    (since, start), (until, end) = before, after
    return start + (end - start) * (at - since) / (until - since)


def events(seconds: Sequence[float], values: Values, width: int) -> list[float | None]:
    """Return how many events fall into each of ``width`` columns of time.

    Each count is spread evenly over the interval that ends at its moment. An interval whose count is unknown adds nothing: the
    next count includes it.
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
    """Return, for each of ``width`` columns of time, the largest of the values in it. It is 0 if there are none.

    A value belongs to all columns that its interval touches.
    """
    found = [0.0] * width
    for since, at, value in zip([0.0, *seconds], seconds, values, strict=False):
        if value is not None:
            for column, _ in shares(since, at, seconds[-1] / width, width):
                found[column] = max(found[column], value)
    return list(found)


def shares(since: float, at: float, each: float, width: int) -> list[tuple[int, float]]:
    """Return the columns (of ``each`` seconds) that the interval from ``since`` to ``at`` touches.

    Each is a pair of its index and the share of the interval that lies in it, 0 to 1.
    """
    first, last = (min(int(moment / each), width - 1) if each else 0 for moment in (since, at))
    if first == last or at <= since:
        return [(last, 1.0)]
    edges = [since, *(column * each for column in range(first + 1, last + 1)), at]
    parts = enumerate(pairwise(edges), first)
    return [(column, (end - begin) / (at - since)) for column, (begin, end) in parts if end > begin]


def bars(values: Values, height: int = 1, glyphs: str = BLOCKS, floor: float = 0.0) -> list[str]:
    """Return a bar chart of the values as ``height`` lines of text, the top line first.

    The largest value fills all lines; a value of ``floor`` or less is blank.
    """
    most = max((value for value in values if value is not None), default=floor)
    steps = [None if value is None else eighths(value - floor, most - floor, height, len(glyphs) - 1) for value in values]
    return ["".join(glyph(step, line, glyphs) for step in steps) for line in reversed(range(height))]


def eighths(value: float, most: float, height: int, parts: int) -> int:
    """Return the height of a bar in parts of a character; ``most`` is the value that fills all ``height`` lines.

    A line has ``parts`` of them. A value above zero gets at least 1.
    """
    return max(round(value / most * height * parts), 1) if value > 0 and most > 0 else 0


def glyph(step: int | None, line: int, glyphs: str) -> str:
    """Return the character that a bar of ``step`` parts shows in one line of the chart, counted from the bottom.

    ``step`` is None for an unknown value.
    """
    if step is None:
        return UNKNOWN if line == 0 else " "
    parts = len(glyphs) - 1
    return glyphs[min(max(step - line * parts, 0), parts)]


def ruler(marks: Sequence[tuple[float, str]], end: float, width: int, room: int) -> str:
    """Return a line of words below an axis of ``width`` columns, in which each word begins at its moment.

    A word that would run into the one before it, or beyond ``room`` columns, is left out.
    """
    line = ""
    for at, word in marks:
        column = min(int(at / end * width), width - 1) if end else 0
        if (not line or column > len(line)) and column + len(word) <= room:
            line = line.ljust(column) + word
    return line
