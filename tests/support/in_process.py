"""A node's children in this process: what a supervisor gets from a zygote, as tasks, threads or scripts of the test."""

from __future__ import annotations

import itertools
import os
import threading
from _socket import AF_UNIX, SOCK_SEQPACKET, socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace

import trio

from c1m.errors import RefusedError
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
    """A child without a process of its own. Killing it closes its link, as the kernel does for a process."""

    theirs: socket | None = None

    def kill(self, reason: str) -> None:
        self.killed_for = self.killed_for or reason
        if self.theirs:
            self.theirs.close()


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
        await trio.lowlevel.wait_readable(theirs)
        if message := link.receive(theirs):
            shard = Shard(theirs, ShardAssignment.from_message(message), report_seconds=PROMPTLY)
            self.shards.append(shard)
            await shard.run()
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


class Script:
    """A child that the test plays: ``ends`` are the children's ends of the links, in the order of their start."""

    def __init__(self) -> None:
        self.ends: list[socket] = []

    def begin(self, theirs: socket, _: list[int], __: Callable[[], None]) -> None:
        theirs.settimeout(10)
        self.ends.append(theirs)

    def orders(self, index: int) -> list[link.Message]:
        """Return the messages that a child has got and not read yet."""
        end, found = self.ends[index], []
        end.setblocking(False)
        with suppress(BlockingIOError):
            while (message := link.receive(end)) is not None:
                found.append(message)
        return found


def adopt(descriptor: int) -> socket:
    """Return the socket of a link's descriptor."""
    return socket(AF_UNIX, SOCK_SEQPACKET, 0, descriptor)
