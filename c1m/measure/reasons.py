"""Why a process ended, why a node opens no more connections, and why it closes: values, and the sentences that people read.

Nodes send the values, and decisions read them. ``str()`` of a value is its sentence, or the part of one; nothing but people
reads it.
"""

from __future__ import annotations

import enum
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from c1m.text.units import format_bytes, format_duration


class ChildKind(enum.IntEnum):
    """What a node's child process is. The numbers are those on the wire."""

    UNKNOWN = 0
    SHARD = 1
    ACCEPTOR = 2


CHILD_WORDS: Final[Mapping[ChildKind, str]] = {
    ChildKind.UNKNOWN: "child",
    ChildKind.SHARD: "shard",
    ChildKind.ACCEPTOR: "acceptor",
}


def child_name(kind: ChildKind, index: int) -> str:
    """Return the name of a child, such as "shard 3"."""
    return f"{CHILD_WORDS[kind]} {index}"


class ExitKind(enum.IntEnum):
    """How a child ended. The numbers are those on the wire."""

    UNKNOWN = 0  # an earlier c1m sent only a sentence
    FAILED = 1  # it raised an exception
    SIGNALLED = 2  # it was killed, but not by its node
    EXITED = 3
    LINK_CLOSED = 4  # it closed its link, and its process has not ended
    TOOK_NO_ORDER = 5  # its node killed it, because it accepted no order
    IDLE = 6  # its node killed it, because it made no progress while it should close
    GIVEN_UP = 7  # not an end: the children have ended so often that they are not replaced any more


@dataclass(frozen=True, slots=True)
class ExitReason:
    """How one or more children ended that shared a process. Those with equal reasons but other numbers are other ends."""

    kind: ExitKind
    child: ChildKind = ChildKind.UNKNOWN
    indices: tuple[int, ...] = ()  # of the children, the first one first
    pid: int = 0
    number: int = 0  # from 1, of this reason among those of the run on its node; 0: not reported
    # SIGNALLED: the signal; EXITED: the exit code; TOOK_NO_ORDER, IDLE: seconds; GIVEN_UP: how often they ended
    value: int = 0
    detail: str = ""  # FAILED: the exception; UNKNOWN: the whole sentence
    not_replaced: str = ""  # why no other process could take its place; empty: one did, or it was not tried

    def __str__(self) -> str:
        """Return how the children ended, as part of a sentence."""
        return self.ended() + (f", and could not be replaced: {self.not_replaced}" if self.not_replaced else "")

    def ended(self) -> str:
        """Return the same without why they were not replaced."""
        names = [child_name(self.child, index) for index in self.indices]
        first = f"{names[0] if names else CHILD_WORDS[self.child]} (pid {self.pid})"
        many = len(names) > 1
        all_of_them = f"{names[0]} and {len(names) - 1} more (pid {self.pid})" if many else first
        match self.kind:
            case ExitKind.FAILED:
                return f"{first} failed: {self.detail}"
            case ExitKind.SIGNALLED:
                return f"{all_of_them} {'were' if many else 'was'} killed by {signal_name(self.value)}"
            case ExitKind.EXITED:
                return f"{all_of_them} exited with status {self.value}"
            case ExitKind.LINK_CLOSED:
                return f"{first} closed its link"
            case ExitKind.TOOK_NO_ORDER:
                return f"{first} accepted no order for {self.value} s, and was killed"
            case ExitKind.IDLE:
                return f"{first} was idle for {self.value} s instead of closing, and was killed"
            case ExitKind.GIVEN_UP:
                return f"{', '.join(names)} ended for the {self.value}th time; its share is given up"
            case ExitKind.UNKNOWN:
                return self.detail


def signal_name(number: int) -> str:
    """Return the name of a signal, such as "SIGKILL"; of a number without a name, the number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class HaltKind(enum.IntEnum):
    """Why a node opens no more connections. The numbers are those on the wire."""

    UNKNOWN = 0  # an earlier c1m sent only a sentence
    MEMORY = 1  # the host was about to run out of memory


@dataclass(frozen=True, slots=True)
class HaltReason:
    """Why a node opens no more connections."""

    kind: HaltKind
    available_bytes: int = 0  # of memory, when it stopped
    floor_bytes: int = 0  # below which it stops
    detail: str = ""  # UNKNOWN: the whole sentence

    def __str__(self) -> str:
        """Return the reason as a sentence about the node, without the node's name."""
        match self.kind:
            case HaltKind.MEMORY:
                return (
                    f"stopped opening with {format_bytes(self.available_bytes)} of memory left, the floor is "
                    f"{format_bytes(self.floor_bytes)}; ask for fewer connections, or add memory"
                )
            case HaltKind.UNKNOWN:
                return self.detail


class ClosingKind(enum.IntEnum):
    """Why a node closes the connections of a run. The numbers are those on the wire."""

    UNKNOWN = 0  # an earlier c1m sent only a sentence
    ASKED = 1
    UNPREPARED = 2
    LEAVING = 3  # the node is shutting down
    LEASE_OVER = 4


@dataclass(frozen=True, slots=True)
class ClosingReason:
    """Why a node closes the connections of a run."""

    kind: ClosingKind
    lease_seconds: float = 0.0  # LEASE_OVER: the length of the lease
    node_stopped: bool = False  # LEASE_OVER: the node itself did not run for that long
    detail: str = ""  # UNKNOWN: the whole sentence

    def __str__(self) -> str:
        """Return the reason as a sentence about the node, with "it" for its name."""
        match self.kind:
            case ClosingKind.ASKED:
                return "it was asked to"
            case ClosingKind.UNPREPARED:
                return "it could not be prepared"
            case ClosingKind.LEAVING:
                return "it is shutting down"
            case ClosingKind.LEASE_OVER:
                stopped = " while this node was stopped" if self.node_stopped else ""
                return f"its lease of {format_duration(self.lease_seconds)} ended{stopped}"
            case ClosingKind.UNKNOWN:
                return self.detail


ASKED: Final = ClosingReason(ClosingKind.ASKED)
UNPREPARED: Final = ClosingReason(ClosingKind.UNPREPARED)
LEAVING: Final = ClosingReason(ClosingKind.LEAVING)
