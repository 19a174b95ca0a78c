"""The control process's side of ``c1m.processes.zygote``: requests children and receives their ends."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from c1m.app.interpreter import module_command
from c1m.errors import C1mError, RefusedError
from c1m.kernel.cgroup import tightest_pids
from c1m.kernel.cgroup_events import cgroups_of
from c1m.measure.reasons import ExitKind, ExitReason
from c1m.measure.tally import name_of

from . import link
from .address_space import THREADS_CURE
from .child import STUCK_SECONDS, Child

FORK_SECONDS = 20.0  # the time limit of the zygote's answer; forking a hundred children takes a second

# Children forked at a time. Each needs a link and a listener, and their descriptors must fit in one message.
AT_ONCE = link.MOST_DESCRIPTORS // 2


class ZygoteClient:
    """The control process's connection to its zygote, the process that forks children.

    There is one per node, started before the first run.
    """

    def __init__(self, module: str) -> None:
        self.end, theirs = link.pair()
        self.end.setblocking(False)
        # The zygote ignores these signals once it runs. Until then they are blocked, which fork() and exec() preserve.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
        try:
            self.process = subprocess.Popen(
                module_command("c1m.processes.zygote", module, str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # a reader of this process's stdout must not wait for the children's end
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self.lock = trio.Lock()
        self.number = 0  # the number of the newest request
        self.forked_send, self.forked = trio.open_memory_channel[tuple[list[int], int]](1)
        self.endings: dict[int, trio.Event] = {}
        self.status: dict[int, int] = {}

    async def run(self) -> None:
        """Receive the zygote's reports about forked and ended processes, until cancelled.

        Raises C1mError when the zygote ends.
        """
        while True:
            await trio.lowlevel.wait_readable(self.end)
            message = link.receive(self.end)
            if message is None:
                raise C1mError("the zygote ended, and without it this node cannot start processes; restart the node")
            if "forked" in message:
                if message["number"] == self.number:  # otherwise the request has timed out, and its links are closed
                    self.forked_send.send_nowait((message["forked"], message["error"]))
            else:
                self.status[message["ended"]] = message["status"]
                self.ending(message["ended"]).set()

    def ending(self, pid: int) -> trio.Event:
        """Return the event that is set when the process with this id has ended."""
        return self.endings.setdefault(pid, trio.Event())

    async def fork(self, names: Sequence[str], descriptors: Sequence[Sequence[int]]) -> list[Child]:
        """Fork children, each with its own copies of its descriptors. They wait for their first message.

        Every child must have the same number of descriptors. Raises RefusedError if the kernel does not make all of them or
        the zygote does not answer; children that were made then end.
        """
        ends = [link.pair() for _ in names]
        handed = [(theirs.fileno(), *more) for (_, theirs), more in zip(ends, descriptors, strict=True)]
        async with self.lock:
            self.number += 1
            request = {"fork": len(names), "number": self.number}
            link.send_descriptors(self.end, request, [one for each in handed for one in each])
            for ours, theirs in ends:
                ours.setblocking(False)
                theirs.close()
            with trio.move_on_after(FORK_SECONDS) as patience:
                pids, error = await self.forked.receive()
            self.number += patience.cancelled_caught
        if patience.cancelled_caught or error:
            for ours, _ in ends:
                ours.close()
            raise RefusedError(self.silent() if patience.cancelled_caught else self.too_few(len(pids), len(names), error))
        return [Child(name, pid, ours) for name, pid, (ours, _) in zip(names, pids, ends, strict=True)]

    def silent(self) -> str:
        """Return the error message for a zygote that has not answered a request for children."""
        return (
            f"could not start processes: the zygote (pid {self.process.pid}) has not answered for {FORK_SECONDS:.0f} s; "
            f"continue it if it was stopped (kill -CONT {self.process.pid}), or restart the node"
        )

    def too_few(self, made: int, wanted: int, error: int) -> str:
        """Return the error message for a fork that failed: how many of the wanted children were made, why, and the cure."""
        if error == errno.ENOMEM:
            return (
                f"could start only {made} of {wanted} processes: fork failed with ENOMEM; the kernel has no memory that it "
                f"may promise (CommitLimit in /proc/meminfo where vm.overcommit_memory is 2), or none at all"
            )
        room = tightest_pids(cgroups_of(self.process.pid).pids)
        most = f"; its cgroup has {room.used:,} of at most {room.limit:,} processes and threads (pids.max)" if room else ""
        return f"could start only {made} of {wanted} processes: fork failed with {name_of(error)}{most}; {THREADS_CURE}"

    async def has_ended(self, child: Child) -> bool:
        """Wait up to two seconds and return whether the zygote has reported the end of the child's process."""
        with trio.move_on_after(2):
            await self.ending(child.pid).wait()
        return self.ending(child.pid).is_set()

    async def exit_reason(self, child: Child, siblings: Sequence[Child] = ()) -> ExitReason:
        """Return how a child ended. ``siblings`` are the children that ended with the same process."""
        if child.last_words:
            return ExitReason(ExitKind.FAILED, child.kind, (child.index,), child.pid, detail=child.last_words)
        await self.has_ended(child)
        together = (child, *siblings)
        kind, value = self.how_it_ended(together)
        return ExitReason(kind, child.kind, tuple(each.index for each in together), child.pid, value=value)

    def how_it_ended(self, together: Sequence[Child]) -> tuple[ExitKind, int]:
        """Return how the process of these children ended: the kind, and what it says of the value of an ExitReason."""
        for child in together:
            if child.killed_for is not None:
                return child.killed_for, round(child.killed_after)
        status = self.status.get(together[0].pid)
        if status is None:
            return ExitKind.LINK_CLOSED, 0
        if os.WIFSIGNALED(status):
            return ExitKind.SIGNALLED, os.WTERMSIG(status)
        return ExitKind.EXITED, os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Close the link to the zygote, which ends the zygote.

        A zygote that does not end, because it was stopped, is killed. The zygote's children end when their own links close.
        """
        self.end.close()
        try:
            self.process.wait(STUCK_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@asynccontextmanager
async def zygote(module: str) -> AsyncIterator[ZygoteClient]:
    """Return a context in which a zygote process runs; its value is the client of that zygote.

    The zygote's children run ``main`` of the module.
    """
    made = ZygoteClient(module)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.run)
            yield made
            nursery.cancel_scope.cancel()
    finally:
        made.close()
