"""Bounds of what a message may ask for. Anyone may have sent the message. Pure.

NaN is within no bounds. Each function raises UsageError with the name of the field, the value and the bounds.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sized
from typing import TypeVar

from c1m.errors import UsageError
from c1m.orders.shard_settings import LONGEST_KEEPALIVE_SECONDS as LONGEST_KEEPALIVE_SECONDS
from c1m.orders.shard_settings import MOST_CONNECTIONS as MOST_CONNECTIONS
from c1m.orders.shard_settings import MOST_IN_FLIGHT as MOST_IN_FLIGHT
from c1m.orders.shard_settings import MOST_PUSHES as MOST_PUSHES
from c1m.text.units import LONGEST_SECONDS as LONGEST_SECONDS

M = TypeVar("M", bound=enum.IntEnum)
N = TypeVar("N", int, float)

LONGEST_LEASE_SECONDS = 86_400.0  # the longest time that an unwatched node may stay busy
FASTEST_CLOSE = 1e9  # connections a second
MOST_TRICKLE = 1e6  # bytes a second of each connection
LEAST_LIFETIME = 1e-6  # seconds; less than a connect takes
MOST_BLOCKS = MOST_RANGES = 4096  # of addresses and of ports: all of them go to every shard in one message
MOST_ROUTES = 5000  # of a shard: as many as fit in one message to it
MOST_STORMS = 1000
MOST_DESTINATIONS = 65_536
MOST_CORES = 65_536  # of a machine; the kernel's NR_CPUS is at most 8,192
LONGEST_RUN_ID = 100  # characters


def within(what: str, value: N, least: float, most: float) -> N:
    """Return a request's value unchanged if it is between ``least`` and ``most``, both included.

    Raises UsageError otherwise.
    """
    if not least <= value <= most:
        raise UsageError(f"{what} of {value:,} is out of range; it must be from {least:,} to {most:,}")
    return value


def amount(what: str, value: float) -> float:
    """Return a request's value unchanged if it is a finite number of zero or more. Raises UsageError otherwise."""
    if not 0 <= value < math.inf:
        raise UsageError(f"{what} of {value:g} is not a finite number of zero or more")
    return value


def at_most(what: str, items: Sized, most: int) -> None:
    """Raise UsageError if a repeated field of a request has more than ``most`` items. Returns nothing."""
    if len(items) > most:
        raise UsageError(f"{len(items):,} {what} are too many for one request; send at most {most:,}")


def member(kind: type[M], number: int) -> M:
    """Return the enum member with the number that a request contains. Raises UsageError for a number that has no name."""
    try:
        return kind(number)
    except ValueError:
        known = ", ".join(f"{each.value} is {each.name}" for each in kind)
        raise UsageError(f"{number} is not a value of {kind.__name__}; {known}") from None
