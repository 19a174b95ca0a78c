"""The language of schedules: what a person writes after --stage, and the straight lines that it stands for. Pure.

100k@10s               go to 100,000 along a straight line within 10 s, from where the stage before it ended
1M@10m                 the same; after a stage that ended there, stay for ten minutes
step:200k@30s          go to 200,000 at once, and stay for 30 s
spike:500k@5s          go to 500,000 at once, stay for 5 s, and go back at once
stairs:250k/5@5m       go to 250,000 in five equal steps, and stay on each for a fifth of the five minutes
sine:50k-150k/60s@10m  go between the two numbers in waves of 60 s, starting at the first, for ten minutes
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import cos, pi

from c1m.text.units import parse_count, parse_duration

from .schedule import Schedule, Stage, nanoseconds

FORMS = "write 100k@10s, step:200k@30s, spike:500k@5s, stairs:250k/5@5m or sine:50k-150k/60s@10m"
LINES_A_WAVE = 64  # of a sine: the lines deviate from it by 0.12 % of its height at most
MOST_STAGES = 5000  # of a run: as many as fit in one message to a shard
Draw = Callable[[int], tuple[Stage, ...]]  # the argument is the number at which the stage before it ended
_WORD = re.compile(r"(?:([a-z]+):)?([^@]*)@([^@]*)")


@dataclass(frozen=True, slots=True)
class Shape:
    """The value of one --stage option as it was written. ``draw`` returns the stages that it stands for."""

    text: str
    draw: Draw = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.text


def parse_shape(text: str) -> Shape:
    """Return the shape that the text of one --stage option describes. Raises ValueError with the reason for any other text."""
    word = text.strip()
    match = _WORD.fullmatch(word)
    kind = match[1] or "line" if match else ""
    if match is None or kind not in KINDS:
        raise ValueError(f"{text!r} is not a stage; {FORMS}")
    try:
        return Shape(word, KINDS[kind](match[2], nanoseconds(parse_duration(match[3]))))
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None


def schedule_of(shapes: Iterable[Shape]) -> Schedule:
    """Return the schedule that follows some shapes one after another.

    Raises ValueError if it never opens a connection or has too many lines.
    """
    schedule = Schedule(draw(shapes, 0))
    if not schedule.peak:
        raise ValueError("the stages never open a connection; one of them must be above 0")
    return schedule


def draw(shapes: Iterable[Shape], origin: int) -> tuple[Stage, ...]:
    """Return the stages of some shapes one after another, starting from ``origin`` connections.

    Raises ValueError if there are too many stages.
    """
    stages: list[Stage] = []
    for shape in shapes:
        stages += shape.draw(stages[-1].total if stages else origin)
    if len(stages) > MOST_STAGES:
        raise ValueError(
            f"the stages make {len(stages):,} straight lines; at most {MOST_STAGES:,} are possible; use fewer waves or steps"
        )
    return tuple(stages)


def line(size: str, within: int) -> Draw:
    """Return a function that draws a straight line to a number of connections, such as "100k", as stages.

    Raises ValueError for other text.
    """
    total = parse_count(size)
    return lambda _: (Stage(total, within),)


def step(size: str, stay: int) -> Draw:
    """Return a function that draws a jump to a number of connections, such as "200k", which then stays, as stages.

    Raises ValueError for other text.
    """
    total = parse_count(size)
    return lambda _: (Stage(total, 0), Stage(total, stay, named=False))


def spike(size: str, stay: int) -> Draw:
    """Return a function that draws a jump to a number of connections, such as "500k", which stays and then jumps back, as
    stages. Raises ValueError for other text.
    """
    total = parse_count(size)
    return lambda origin: (Stage(total, 0), Stage(total, stay, named=False), Stage(origin, 0))


def stairs(size: str, within: int) -> Draw:
    """Return a function that draws equal steps to a number of connections, such as "250k/5", as stages.

    Raises ValueError for a number of steps that is out of range.
    """
    top, _, count = size.partition("/")
    total, steps = parse_count(top), parse_count(count) if count else 0
    if not 1 <= steps <= MOST_STAGES:
        raise ValueError(f"stairs have 1 to {MOST_STAGES:,} steps; write stairs:250k/5@5m for five")

    def draw(origin: int) -> tuple[Stage, ...]:
        stages = []
        for index in range(steps):
            height = origin + (total - origin) * (index + 1) // steps
            stay = within * (index + 1) // steps - within * index // steps
            stages += [Stage(height, 0), Stage(height, stay, named=False)]
        return tuple(stages)

    return draw


def sine(size: str, lasting: int) -> Draw:
    """Return a function that draws waves between two numbers of connections, such as "50k-150k/60s", as stages.

    Raises ValueError if a part is missing.
    """
    ends, _, period = size.partition("/")
    first, dash, other = ends.partition("-")
    if not dash or not period:
        raise ValueError("a sine has two numbers and a period; write sine:50k-150k/60s@10m")
    one, two = parse_count(first), parse_count(other)
    wave = nanoseconds(parse_duration(period))
    if not wave:
        raise ValueError("the period of a sine must be more than 0 s")

    def height(elapsed: int) -> int:
        return round(one + (two - one) * (1 - cos(2 * pi * elapsed / wave)) / 2)

    times = [index * wave // LINES_A_WAVE for index in range(min(lasting * LINES_A_WAVE // wave, MOST_STAGES) + 1)]
    if times[-1] < lasting:
        times.append(lasting)
    waves = tuple(Stage(height(end), end - begin, named=False) for begin, end in pairwise(times))
    return lambda _: (Stage(one, 0), *waves)


KINDS: Mapping[str, Callable[[str, int], Draw]] = {
    "line": line,
    "step": step,
    "spike": spike,
    "stairs": stairs,
    "sine": sine,
}
