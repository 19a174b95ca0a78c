"""How far a run is, and how it ends: words that every process knows, acceptors among them, which carry little else."""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Phase(enum.IntEnum):
    """How far a process or a node is with its run; the numbers are those on the wire."""

    PREPARED = 1
    OPENING = 2
    HOLDING = 3  # everything was opened, or has failed
    CLOSING = 4
    CLOSED = 5  # nothing is open any more, and nothing will be


def slowest(phases: Iterable[Phase]) -> Phase:
    """A node is as far as the slowest of its processes; one without processes has nothing left to close."""
    return min(phases, default=Phase.CLOSED)


class Close(enum.IntEnum):
    """How connections are closed at the end; the numbers are those on the wire."""

    RESET = 1
    FIN = 2


class CloseOrder(enum.IntEnum):
    """Which connections leave first when the schedule falls; the numbers are those on the wire."""

    OLDEST = 1
    RANDOM = 2
