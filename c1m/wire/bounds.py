"""What a message may ask for: numbers within bounds, words that there are. Whoever sends it may be anybody. Pure.

A number that is none (NaN) lies within no bounds. Each function raises UsageError with the value, the bounds and what it is of.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sized
from typing import TypeVar

from c1m.errors import UsageError
from c1m.text.units import LONGEST_SECONDS as LONGEST_SECONDS

M = TypeVar("M", bound=enum.IntEnum)
N = TypeVar("N", int, float)

LONGEST_LEASE_SECONDS = 86_400.0  # a node that nobody watches is not to be lost for longer
MOST_CONNECTIONS = 10**12  # of a run; 200 TB of sockets a side
MOST_IN_FLIGHT = 2**32 - 1  # what fits a message
FASTEST_CLOSE = 1e9  # connections a second
MOST_PUSHES = 1000.0  # a second to each connection
LONGEST_KEEPALIVE_SECONDS = 32_767  # include/net/tcp.h: MAX_TCP_KEEPIDLE
MOST_TRICKLE = 1e6  # bytes a second of each connection
LEAST_LIFETIME = 1e-6  # seconds; less than a connect takes
MOST_BLOCKS = MOST_RANGES = 4096  # of addresses and of ports: all of them go to every shard, within one message
MOST_ROUTES = 5000  # of a shard: as many fit one message to it
MOST_STORMS = 1000
MOST_DESTINATIONS = 65_536
MOST_CORES = 65_536  # of a machine; the kernel's NR_CPUS is 8,192 at most
LONGEST_RUN_ID = 100  # characters


def within(what: str, value: N, least: float, most: float) -> N:
    """The value, if it lies between the two, both included."""
    if not least <= value <= most:
        raise UsageError(f"{what} of {value:,} makes no sense; it must be from {least:,} to {most:,}")
    return value


def amount(what: str, value: float) -> float:
    """The value, if it is a number of zero or more, and not without an end."""
    if not 0 <= value < math.inf:
        raise UsageError(f"{what} of {value:g} is no amount")
    return value


def at_most(what: str, items: Sized, most: int) -> None:
    """For whatever is repeated in a message."""
    if len(items) > most:
        raise UsageError(f"{len(items):,} {what} are too many for one request; send at most {most:,}")


def member(kind: type[M], number: int) -> M:
    """The one of that number: a message may hold numbers that nobody has given a name."""
    try:
        return kind(number)
    except ValueError:
        known = ", ".join(f"{each.value} is {each.name}" for each in kind)
        raise UsageError(f"{number} is no {kind.__name__}; {known}") from None
