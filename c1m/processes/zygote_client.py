"""The control process's side of ``c1m.processes.zygote``: children are asked for here, and their ends are told."""

from __future__ import annotations

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
from c1m.measure.tally import name_of

from . import link
from .child import STUCK_SECONDS, Child

FORK_SECONDS = 20.0  # for the zygote to answer; a hundred children take it a second

# Children forked at a time: a link and a listener each, and no more descriptors than fit one message.
AT_ONCE = link.MOST_DESCRIPTORS // 2


class ZygoteClient:
    """The control process's side of ``c1m.processes.zygote``. One per node, started before the first run asks for anything."""

    def __init__(self, module: str) -> None:
        self.end, theirs = link.pair()
        self.end.setblocking(False)
        # It ignores ^C, once it runs; until then it is blocked, as exec() and fork() leave it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            self.process = subprocess.Popen(
                module_command("c1m.processes.zygote", module, str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # whoever reads ours must not wait for our children's end
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self.lock = trio.Lock()
        self.number = 0  # of the newest request
        self.forked_send, self.forked = trio.open_memory_channel[tuple[list[int], int]](1)
        self.endings: dict[int, trio.Event] = {}
        self.status: dict[int, int] = {}

    async def run(self) -> None:
        """Take in what the zygote says, for as long as it lives."""
        while True:
            await trio.lowlevel.wait_readable(self.end)
            message = link.receive(self.end)
            if message is None:
                raise C1mError("the zygote ended, and without it this node can start no process; start the node again")
            if "forked" in message:
                if message["number"] == self.number:  # otherwise nobody waits for it any more, and its links are closed
                    self.forked_send.send_nowait((message["forked"], message["error"]))
            else:
                self.status[message["ended"]] = message["status"]
                self.ending(message["ended"]).set()

    def ending(self, pid: int) -> trio.Event:
        return self.endings.setdefault(pid, trio.Event())

    async def fork(self, names: Sequence[str], descriptors: Sequence[Sequence[int]]) -> list[Child]:
        """Children with their own copies of the descriptors, as many each, waiting for their first message.

        Raises RefusedError when the kernel does not make as many, or the zygote does not answer; those that were made end.
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
        return (
            f"could start no process: the zygote (pid {self.process.pid}) has not answered for {FORK_SECONDS:.0f} s; "
            f"continue it if it was stopped (kill -CONT {self.process.pid}), or start the node again"
        )

    def too_few(self, made: int, wanted: int, error: int) -> str:
        room = tightest_pids(cgroups_of(self.process.pid).pids)
        most = f"; its cgroup has {room.used:,} of at most {room.limit:,} processes and threads (pids.max)" if room else ""
        return (
            f"could start {made} of {wanted} processes: fork says {name_of(error)}{most}; raise TasksMax= of the unit or "
            f"--pids-limit of the container, RLIMIT_NPROC (ulimit -u), or kernel.threads-max and kernel.pid_max"
        )

    async def has_ended(self, child: Child) -> bool:
        """Whether the process that carried it did, as far as the zygote says so soon."""
        with trio.move_on_after(2):
            await self.ending(child.pid).wait()
        return self.ending(child.pid).is_set()

    async def exit_reason(self, child: Child, siblings: Sequence[Child] = ()) -> str:
        """How a child ended, as a sentence part; and those others, if it was with the process that carried them."""
        if child.last_words:
            return f"{child.name} (pid {child.pid}) broke: {child.last_words}"
        await self.has_ended(child)
        status = self.status.get(child.pid)
        killed_for = next((each.killed_for for each in (child, *siblings) if each.killed_for), "")
        if killed_for:
            return f"{child.name} (pid {child.pid}) {killed_for}, and was killed"
        if status is None:
            return f"{child.name} (pid {child.pid}) closed its link"
        who = f"{child.name} and {len(siblings)} more (pid {child.pid})" if siblings else f"{child.name} (pid {child.pid})"
        if os.WIFSIGNALED(status):
            return f"{who} {'were' if siblings else 'was'} killed by {signal.Signals(os.WTERMSIG(status)).name}"
        return f"{who} exited with status {os.waitstatus_to_exitcode(status)}"

    def close(self) -> None:
        """The zygote leaves when its link closes, unless it was stopped; its children, when theirs do."""
        self.end.close()
        try:
            self.process.wait(STUCK_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@asynccontextmanager
async def zygote(module: str) -> AsyncIterator[ZygoteClient]:
    """A running zygote for the children that ``module.main`` becomes."""
    made = ZygoteClient(module)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.run)
            yield made
            nursery.cancel_scope.cancel()
    finally:
        made.close()
