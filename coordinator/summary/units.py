"""How fields of the summary's records are described: the meaning as text, the unit, and what is special about the field.

A field is annotated with all of it: ``ramp_seconds: Annotated[Seconds | None, "Time until the last opening."]``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Final

from c1m.measure.counter import Shown


class Unit(enum.StrEnum):
    """The unit of a number."""

    COUNT = "1"
    SECONDS = "s"
    MICROSECONDS = "us"
    BYTES = "B"
    PERCENT = "%"
    PER_SECOND = "1/s"


Count = Annotated[int, Unit.COUNT]
Number = Annotated[float, Unit.COUNT]  # such as an average of counts
Seconds = Annotated[float, Unit.SECONDS]
Microseconds = Annotated[int, Unit.MICROSECONDS]
Bytes = Annotated[int, Unit.BYTES]
BytesEach = Annotated[float, Unit.BYTES]  # of one of several, on average
Percent = Annotated[float, Unit.PERCENT]
PerSecond = Annotated[float, Unit.PER_SECOND]


class Mark(enum.Enum):
    """What is special about a field."""

    LEFT_OUT = "JSON does not have the field while it is None"
    CAUSES = "its names are causes; the sum is a figure, and a cause that is missing is 0"
    WHEN_ASKED = "known when all nodes are asked for their counts, or at the end; samples do not have it"
    NO_FIGURE = "no requirement may refer to it"


@dataclass(frozen=True, slots=True)
class Inline:
    """The fields of a record are fields of the one that it belongs to, with this before their names.

    Of a tally only the counters are taken that are shown there.
    """

    prefix: str = ""
    shown: Shown | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """The name of a field in JSON, if it is no name in Python."""

    name: str


@dataclass(frozen=True, slots=True)
class IfUnknown:
    """Why a value, or all that is below it, is unknown or missing."""

    reason: str


LEFT_OUT: Final = Mark.LEFT_OUT
CAUSES: Final = Mark.CAUSES
WHEN_ASKED: Final = Mark.WHEN_ASKED
NO_FIGURE: Final = Mark.NO_FIGURE
