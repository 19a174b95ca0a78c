"""The orders that the processes of a node get after their assignment. Pure. Times are of the monotonic clock, in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from c1m.schedule.schedule import Schedule

from .codec import Message, from_message


@dataclass(frozen=True, slots=True)
class Start:
    """A shard begins to follow the schedule, which has started or starts at a time.

    ``joined``: when the run had been going on for long, the time at which the shard takes part. It had ``reached`` these stages
    {stage: nanoseconds since the start}. None: the shard is there from the start.
    """

    at: float
    joined: float | None = None
    reached: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Halt:
    """A shard opens nothing more."""


@dataclass(frozen=True, slots=True)
class Retarget:
    """A shard follows another schedule, of which the first ``kept`` stages are those of the old one."""

    schedule: Schedule
    kept: int


@dataclass(frozen=True, slots=True)
class StopTurnover:
    """A shard replaces and reopens no connection any more."""


@dataclass(frozen=True, slots=True)
class StopTraffic:
    """A shard sends nothing more, and reports when no answer is outstanding."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A shard asks the kernels of the peers whether they know its connections, ``most`` of them."""

    most: int


@dataclass(frozen=True, slots=True)
class StopAccepting:
    """An acceptor looks at nothing any more until the next order."""


@dataclass(frozen=True, slots=True)
class DropShare:
    """An acceptor closes this share of its connections, above 0 and up to 1, and goes on accepting."""

    share: float


@dataclass(frozen=True, slots=True)
class CloseAll:
    """A process closes all its connections, and takes no other order.

    ``reset``: by RST, otherwise by FIN. A shard pauses ``seconds_a_chunk`` between chunks; 0: not at all.
    """

    reset: bool = True
    seconds_a_chunk: float = 0.0


Order = Start | Halt | Retarget | StopTurnover | StopTraffic | Probe | StopAccepting | DropShare | CloseAll
KINDS: tuple[type[Order], ...] = get_args(Order)


def decode(message: Message) -> Order:
    """Return the order of a message that ``to_message`` has made. Raises ValueError for a message that is no order."""
    return from_message(message, KINDS)
