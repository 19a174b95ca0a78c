"""A node's child process as its control process sees it: its orders, its newest report, and what it held when it ended."""

from __future__ import annotations

import os
import signal
from _socket import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

import trio

from c1m.measure.phase import Phase
from c1m.measure.reasons import ChildKind, ExitKind, child_name
from c1m.measure.tally import PROCESS_DIED, Tally
from c1m.orders.codec import to_message
from c1m.orders.orders import Order
from c1m.traffic.turnover import Wave

from . import link

# A child that has an order is killed if it neither reports nor uses CPU time for this long: most likely it was stopped by a
# signal. Closing a full descriptor table keeps a child silent for about 0.3 s; fifty children on two cores take about 15 s.
STUCK_SECONDS = 5.0


class Assignment(Protocol):
    """What a child is to do, as a record: its first message."""

    @property
    def index(self) -> int:
        """The number of the child among those of its run; a replacement has the same one."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """The specification of a child to start: its kind, its assignment, and the descriptors that it gets copies of."""

    kind: ChildKind
    assignment: Assignment
    descriptors: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The name of the child, such as "shard 3"."""
        return child_name(self.kind, self.assignment.index)


@dataclass(eq=False)
class Child:
    """A child of a node's control process: one shard or acceptor, with its newest report.

    Several children may share a process.
    """

    name: str
    pid: int
    end: socket
    kind: ChildKind = ChildKind.UNKNOWN
    index: int = 0  # among the node's children of this run; a replacement has the same one
    received: int = 0  # messages
    phase: Phase | None = None  # from its newest report; None before the first
    full: bool = False
    tally: Tally = field(default_factory=Tally)
    counted_at: float = 0.0  # when it counted the tally, on the monotonic clock; 0: unknown
    cpu_seconds: float = 0.0
    reached_ns: Mapping[int, int] = field(default_factory=dict)  # stage -> when it reached it
    heard: bytes = b""  # the first bytes that a server sent to it
    probed: tuple[int, int] | None = None  # connections that were probed, and how many of them are ghosts
    waves: tuple[Wave, ...] = ()  # one for each storm, up to now
    turnover_stopped: bool = False  # it replaces no connections any more
    traffic_stopped: bool = False  # it sends nothing any more, and no answer is outstanding
    # Kind -> names and rows of ``c1m.measure.source_latency``
    sources: dict[str, tuple[Sequence[str], bytes]] = field(default_factory=dict)
    last_words: str = ""  # the exception that ended it; empty: none
    mourned: bool = False  # its end has been reported
    killed_for: ExitKind | None = None  # why this node killed it; None: it did not
    killed_after: float = 0.0  # seconds in which it accepted no order, or was idle
    lost: int = 0  # connections that it held when it ended
    relieved: bool = False  # it was replaced
    gone: trio.Event = field(default_factory=trio.Event)

    async def send(self, order: Assignment | Order) -> None:
        """Send an order to the child.

        If the child is gone this does nothing, because its end is reported elsewhere. A child that accepts no order for
        STUCK_SECONDS is killed.
        """
        packet = link.encode(to_message(order))
        with trio.move_on_after(STUCK_SECONDS) as patience, suppress(BrokenPipeError, ConnectionResetError):
            while not self.gone.is_set():
                try:
                    self.end.send(packet)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self.end)
                else:
                    return
        if patience.cancelled_caught:
            self.kill(ExitKind.TOOK_NO_ORDER, STUCK_SECONDS)

    def kill(self, reason: ExitKind, seconds: float) -> None:
        """Kill the child's process, because it was stuck for so many seconds. The first reason is kept."""
        if self.killed_for is None:
            self.killed_for, self.killed_after = reason, seconds
        with suppress(ProcessLookupError):  # it has ended, but its end has not been read yet
            os.kill(self.pid, signal.SIGKILL)

    def take(self, message: link.Message) -> None:
        """Store the contents of a message from the child, such as its tally and phase, in the attributes. Returns nothing."""
        self.received += 1
        if "last_words" in message:
            self.last_words = message["last_words"]
            return
        if "sources" in message:
            self.sources[message["kind"]] = message["sources"]
            return
        self.tally = Tally.from_message(message["tally"])
        self.counted_at = message.get("counted_at", 0.0)
        self.phase = Phase(message["phase"])
        self.full = message.get("full", False)
        self.cpu_seconds = message["cpu_seconds"]
        self.heard = message.get("heard", b"")
        if self.phase is not Phase.PREPARED:  # one that joins a run has been given what the others have reached
            self.reached_ns = message.get("reached", {})
        self.probed = message.get("probed")
        self.waves = tuple(Wave(*wave) for wave in message.get("waves", ()))
        self.turnover_stopped = message.get("turnover_stopped", False)
        self.traffic_stopped = message.get("traffic_stopped", False)

    def count_losses(self) -> None:
        """Count the connections of a child that ended as dropped, and its attempts as failed: the kernel has closed them."""
        self.lost = self.tally.open
        lost = dict(self.tally.dropped)
        if self.lost:
            lost[PROCESS_DIED] = lost.get(PROCESS_DIED, 0) + self.lost
        failed = dict(self.tally.failed)
        if self.tally.in_flight:
            failed[PROCESS_DIED] = self.tally.in_flight
        self.tally = replace(self.tally, dropped=lost, failed=failed, away=0, waiting=0)
