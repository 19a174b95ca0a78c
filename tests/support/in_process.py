"""A node's children in this process: what a supervisor gets from a zygote, as tasks, threads or scripts of the test."""

from __future__ import annotations

import itertools
import os
import threading
from _socket import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any

import trio

from c1m.errors import RefusedError
from c1m.measure.phase import Phase
from c1m.measure.reasons import ExitKind
from c1m.measure.tally import Tally
from c1m.orders.acceptor_assignment import AcceptorAssignment
from c1m.orders.codec import from_message
from c1m.orders.orders import KINDS, CloseAll
from c1m.processes import link
from c1m.processes.child import Child
from c1m.processes.zygote_client import ZygoteClient
from c1m.target.acceptor import process as acceptor
from c1m.worker.shard.assignment import ShardAssignment
from c1m.worker.shard.shard import Shard

NO_PROCESS = itertools.count(1 << 23)  # ids that no process has: a kernel's go up to 1 << 22
PROMPTLY = 0.005  # seconds between two reports of a child, so that tests do not wait for them

# Runs a child: its link, the descriptors that came with it, and what to call when it ended.
Begin = Callable[[socket, list[int], Callable[[], None]], object]


class OwnChild(Child):
    """A child without a process of its own. Killing it ends its link, as the kernel does for a process."""

    theirs: socket | None = None

    def kill(self, reason: ExitKind, seconds: float) -> None:
        if self.killed_for is None:
            self.killed_for, self.killed_after = reason, seconds
        if self.theirs and self.theirs.fileno() >= 0:
            self.theirs.shutdown(2)


class InProcessZygote(ZygoteClient):
    """Starts children in this process. ``refused``: the sentence with which the next fork is refused; empty: it is not."""

    def __init__(self, begin: Begin) -> None:
        self.begin = begin
        self.endings = {}
        self.status = {}
        self.process = SimpleNamespace(pid=os.getpid())  # type: ignore[assignment]  # whose memory is read
        self.forked_names: list[str] = []
        self.refused = ""

    async def fork(self, names: Sequence[str], descriptors: Sequence[Sequence[int]]) -> list[Child]:
        if self.refused:
            raise RefusedError(self.refused)
        return [self.fork_one(name, handed) for name, handed in zip(names, descriptors, strict=True)]

    def fork_one(self, name: str, handed: Sequence[int]) -> Child:
        self.forked_names.append(name)
        ours, theirs = link.pair()
        ours.setblocking(False)
        child = OwnChild(name, next(NO_PROCESS), ours)
        child.theirs = theirs
        self.begin(theirs, [os.dup(descriptor) for descriptor in handed], lambda: self.has_exited(child))
        return child

    def has_exited(self, child: Child, status: int = 0) -> None:
        """Report the end of a child, as the zygote does. ``status``: as wait(2) returns it."""
        self.status.setdefault(child.pid, status)
        self.ending(child.pid).set()


class ShardTasks:
    """Runs each child as a shard, a task of ``nursery``."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.shards: list[Shard] = []

    def begin(self, theirs: socket, _: list[int], ended: Callable[[], None]) -> None:
        self.nursery.start_soon(self.run, theirs, ended)

    async def run(self, theirs: socket, ended: Callable[[], None]) -> None:
        theirs.setblocking(False)
        try:
            await trio.lowlevel.wait_readable(theirs)
            if message := link.receive(theirs):
                shard = Shard(theirs, from_message(message, (ShardAssignment,)), report_seconds=PROMPTLY)
                self.shards.append(shard)
                await shard.run()
        finally:
            trio.lowlevel.notify_closing(theirs)
            theirs.close()
            ended()


def acceptors_in(token: trio.lowlevel.TrioToken) -> Begin:
    """Return what runs each child as an acceptor, in a thread of its own."""

    def run(theirs: socket, handed: list[int], ended: Callable[[], None]) -> None:
        acceptor.main(theirs, handed)
        theirs.close()
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(ended)

    return lambda *wanted: threading.Thread(target=run, args=wanted).start()


@dataclass(frozen=True)
class Numbered:
    """An assignment that says nothing but the number of the child."""

    index: int


RECORDS: tuple[type[Any], ...] = (*KINDS, ShardAssignment, AcceptorAssignment, Numbered)


@dataclass(eq=False)
class ScriptedChild:
    """A child that the test plays. By itself it reports that it is ready, and that it is closed when it is to close."""

    end: socket
    ended: Callable[[], None]
    obeys: bool
    orders: list[Any] = field(default_factory=list)  # its assignment first

    async def run(self) -> None:
        try:
            while (order := await self.next_order()) is not None:
                self.orders.append(order)
                if self.obeys and len(self.orders) == 1:
                    self.report(Phase.PREPARED)
                if self.obeys and isinstance(order, CloseAll):
                    self.report(Phase.CLOSED)
        finally:
            self.die()

    async def next_order(self) -> Any:
        """Return the assignment or the next order of the node; None when the link is closed on one side."""
        if not self.is_closed:
            with suppress(trio.ClosedResourceError):
                await trio.lowlevel.wait_readable(self.end)
        message = None if self.is_closed else link.receive(self.end)
        return from_message(message, RECORDS) if message else None

    @property
    def is_closed(self) -> bool:
        return self.end.fileno() < 0

    def report(self, phase: Phase, *, histograms: dict[str, dict[int, int]] | None = None, **counts: Any) -> None:
        """Send a report as shards do; ``counts`` are fields of the tally, and of the report."""
        known = {each.name for each in fields(Tally)}
        tally = Tally(**{name: value for name, value in counts.items() if name in known})
        more = {name: value for name, value in counts.items() if name not in known}
        self.send(
            {"phase": int(phase), "tally": tally.to_message(), "cpu_seconds": 0.5, **more, "histograms": histograms or {}}
        )

    def send(self, message: link.Message) -> None:
        self.end.send(link.encode(message))

    def die(self) -> None:
        """End, and let the zygote know."""
        if not self.is_closed:
            trio.lowlevel.notify_closing(self.end)
            self.end.close()
            self.ended()


class Script:
    """Starts children that the test plays. ``obeys``: whether they obey by themselves."""

    def __init__(self, nursery: trio.Nursery, *, obeys: bool = True) -> None:
        self.nursery = nursery
        self.obeys = obeys
        self.children: list[ScriptedChild] = []

    def begin(self, theirs: socket, handed: list[int], ended: Callable[[], None]) -> None:
        for descriptor in handed:
            os.close(descriptor)
        theirs.setblocking(False)
        child = ScriptedChild(theirs, ended, self.obeys)
        self.children.append(child)
        self.nursery.start_soon(child.run)
