"""The phases of a run and the ways it ends.

Every process imports this module, including acceptors, which import little else.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Phase(enum.IntEnum):
    """The phase of a process's or a node's run. The numbers are those on the wire."""

    PREPARED = 1
    OPENING = 2
    HOLDING = 3  # every connection was opened or has failed
    CLOSING = 4
    CLOSED = 5  # nothing is open any more, and nothing will be opened


def slowest(phases: Iterable[Phase]) -> Phase:
    """Return the phase of the slowest of some processes, which is the phase of their node. Without processes it is CLOSED."""
    return min(phases, default=Phase.CLOSED)


class Close(enum.IntEnum):
    """How connections are closed at the end. The numbers are those on the wire."""

    RESET = 1
    FIN = 2


class CloseOrder(enum.IntEnum):
    """Which connections are closed first when the schedule falls. The numbers are those on the wire."""

    OLDEST = 1
    RANDOM = 2
