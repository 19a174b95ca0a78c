"""A node's child, as its control process sees it: what it was told, what it last said of itself, what it held when it ended."""

from __future__ import annotations

import os
import signal
from _socket import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import trio

from c1m.measure.phase import Phase
from c1m.measure.tally import PROCESS_DIED, Tally
from c1m.traffic.turnover import Wave

from . import link

# A child that has an order and neither says anything nor uses the processor for so long is killed: it was stopped by a signal,
# most likely. To close a full descriptor table takes a child about 0.3 s of that, and fifty of them on two cores about 15 s.
STUCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A child to be: its name, its first message, and the descriptors that it gets a copy of."""

    name: str
    assignment: link.Message  # with the "index" of its place in the crew
    descriptors: tuple[int, ...] = ()


@dataclass(eq=False)
class Child:
    """One shard or acceptor; others may share its process."""

    name: str
    pid: int
    end: socket
    index: int = 0  # of its place in the crew
    said: int = 0  # messages
    phase: Phase | None = None  # what it last said of itself; None until it did
    full: bool = False
    tally: Tally = field(default_factory=Tally)
    counted_at: float = 0.0  # when that was so, on the monotonic clock; 0: it does not say
    cpu_seconds: float = 0.0
    reached_ns: Mapping[int, int] = field(default_factory=dict)  # stage -> when it had reached that
    heard: bytes = b""  # the first that a server said to it
    probed: tuple[int, int] | None = None  # connections that a probe asked about, and of those, ghosts
    waves: tuple[Wave, ...] = ()  # of storms, as far as they have come
    turnover_stopped: bool = False  # nothing changes hands any more
    traffic_stopped: bool = False  # it was told to send nothing more, and nothing is under way
    # Kind -> names and rows of ``c1m.source_latency``
    sources: dict[str, tuple[Sequence[str], bytes]] = field(default_factory=dict)
    last_words: str = ""
    mourned: bool = False  # how it ended is told
    killed_for: str = ""  # by us
    lost: int = 0  # connections that it held when it ended
    relieved: bool = False  # another one has its place
    gone: trio.Event = field(default_factory=trio.Event)

    async def send(self, order: link.Message) -> None:
        """An order to a child that is gone is not an error: its end is told elsewhere."""
        packet = link.encode(order)
        with trio.move_on_after(STUCK_SECONDS) as patience, suppress(BrokenPipeError, ConnectionResetError):
            while not self.gone.is_set():
                try:
                    self.end.send(packet)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self.end)
                else:
                    return
        if patience.cancelled_caught:
            self.kill(f"took no order for {STUCK_SECONDS:.0f} s")

    def kill(self, reason: str) -> None:
        self.killed_for = self.killed_for or reason
        with suppress(ProcessLookupError):  # it has ended, and nobody has read that yet
            os.kill(self.pid, signal.SIGKILL)

    def take(self, message: link.Message) -> None:
        self.said += 1
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
        self.reached_ns = message.get("reached", {})
        self.probed = message.get("probed")
        self.waves = tuple(Wave(*wave) for wave in message.get("waves", ()))
        self.turnover_stopped = message.get("turnover_stopped", False)
        self.traffic_stopped = message.get("traffic_stopped", False)

    def count_losses(self) -> None:
        """The kernel has closed what a dead child held; count it as that."""
        self.lost = self.tally.open
        lost = dict(self.tally.dropped)
        if self.lost:
            lost[PROCESS_DIED] = lost.get(PROCESS_DIED, 0) + self.lost
        failed = dict(self.tally.failed)
        if self.tally.in_flight:
            failed[PROCESS_DIED] = self.tally.in_flight
        self.tally = replace(self.tally, dropped=lost, failed=failed, away=0, waiting=0)
