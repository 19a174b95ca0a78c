"""A node's children, as its control process sees them: made by the zygote, spoken to over links, counted when they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from _socket import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import trio

from c1m import link
from c1m.errors import RefusedError
from c1m.following import reached_by_all
from c1m.kernel.cgroup import tightest_pids
from c1m.kernel.cgroup_events import cgroups_of
from c1m.latency import joined, microseconds
from c1m.phase import Phase
from c1m.source_latency import SourceLatency, joined_rows, source_latencies
from c1m.tally import PROCESS_DIED, Tally, name_of, total
from c1m.turnover import Wave, joined_waves

# A child that was told to leave and does not (stopped by a signal, say) is killed after this long. Closing a full
# descriptor table takes a child about 0.3 s, and fifty of them on two cores about 15 s.
DISMISSAL_SECONDS = 30.0


# Children forked at a time: a link and a listener each, and no more descriptors than fit one message.
AT_ONCE = link.MOST_DESCRIPTORS // 2


@dataclass(frozen=True, slots=True)
class Recruit:
    """A child to be: its name, its first message, and the descriptors that it gets a copy of."""

    name: str
    assignment: link.Message
    descriptors: tuple[int, ...] = ()


@dataclass(eq=False)
class Child:
    """One shard or acceptor; others may share its process."""

    name: str
    pid: int
    end: socket
    phase: Phase | None = None  # what it last said of itself; None until it did
    full: bool = False
    tally: Tally = field(default_factory=Tally)
    cpu_seconds: float = 0.0
    histograms: dict[str, dict[int, int]] = field(default_factory=dict)  # name -> bucket -> how many
    reached_ns: Mapping[int, int] = field(default_factory=dict)  # stage -> when it had reached that
    heard: bytes = b""  # the first that a server said to it
    probed: tuple[int, int] | None = None  # connections that a probe asked about, and of those, ghosts
    waves: tuple[Wave, ...] = ()  # of storms, as far as they have come
    calm: bool = False  # nothing changes hands any more
    quiet: bool = False  # it was told to send nothing more, and nothing is under way
    sources: tuple[Sequence[str], bytes] = ((), b"")  # names and rows of ``c1m.source_latency``
    last_words: str = ""
    mourned: bool = False  # how it ended is told
    gone: trio.Event = field(default_factory=trio.Event)

    async def send(self, order: link.Message) -> None:
        """An order to a child that is gone is not an error: its end is told elsewhere."""
        packet = link.encode(order)
        with suppress(BrokenPipeError, ConnectionResetError):
            while not self.gone.is_set():
                try:
                    self.end.send(packet)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self.end)
                else:
                    return

    def take(self, message: link.Message) -> None:
        if "last_words" in message:
            self.last_words = message["last_words"]
            return
        self.tally = Tally.from_message(message["tally"])
        self.phase = Phase(message["phase"])
        self.full = message.get("full", False)
        self.cpu_seconds = message["cpu_seconds"]
        self.heard = message.get("heard", b"")
        self.reached_ns = message.get("reached", {})
        self.probed = message.get("probed")
        self.waves = tuple(Wave(*wave) for wave in message.get("waves", ()))
        self.calm = message.get("calm", False)
        self.quiet = message.get("quiet", False)
        self.sources = message.get("sources", self.sources)
        for name, news in message.get("histograms", {}).items():
            self.histograms.setdefault(name, {}).update(news)

    def bury(self) -> None:
        """The kernel has closed what a dead child held; count it as that."""
        lost = dict(self.tally.dropped)
        if self.tally.open:
            lost[PROCESS_DIED] = lost.get(PROCESS_DIED, 0) + self.tally.open
        failed = dict(self.tally.failed)
        if self.tally.in_flight:
            failed[PROCESS_DIED] = self.tally.in_flight
        self.tally = replace(self.tally, dropped=lost, failed=failed, away=0, waiting=0)


class Zygote:
    """The control process's side of ``c1m.zygote``. One per node, started before the first run asks for anything."""

    def __init__(self, module: str) -> None:
        self.end, theirs = link.pair()
        self.end.setblocking(False)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "c1m.zygote", module, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # whoever reads ours must not wait for our children's end
        )
        theirs.close()
        self.lock = trio.Lock()
        self.forked_send, self.forked = trio.open_memory_channel[tuple[list[int], int]](1)
        self.endings: dict[int, trio.Event] = {}
        self.status: dict[int, int] = {}

    async def run(self) -> None:
        """Take in what the zygote says, for as long as it lives."""
        while True:
            await trio.lowlevel.wait_readable(self.end)
            message = link.receive(self.end)
            if message is None:
                raise RuntimeError("the zygote ended, and without it this node can start no process; start the node again")
            if "forked" in message:
                await self.forked_send.send((message["forked"], message["error"]))
            else:
                self.status[message["ended"]] = message["status"]
                self.ending(message["ended"]).set()

    def ending(self, pid: int) -> trio.Event:
        return self.endings.setdefault(pid, trio.Event())

    async def fork(self, names: Sequence[str], descriptors: Sequence[Sequence[int]]) -> list[Child]:
        """Children with their own copies of the descriptors, as many each, waiting for their first message.

        Raises RefusedError when the kernel does not make as many; those that it has made end.
        """
        ends = [link.pair() for _ in names]
        handed = [(theirs.fileno(), *more) for (_, theirs), more in zip(ends, descriptors, strict=True)]
        async with self.lock:
            link.send_descriptors(self.end, {"fork": len(names)}, [one for each in handed for one in each])
            for ours, theirs in ends:
                ours.setblocking(False)
                theirs.close()
            pids, error = await self.forked.receive()
        if error:
            for ours, _ in ends:
                ours.close()
            raise RefusedError(self.too_few(len(pids), len(names), error))
        return [Child(name, pid, ours) for name, pid, (ours, _) in zip(names, pids, ends, strict=True)]

    def too_few(self, made: int, wanted: int, error: int) -> str:
        room = tightest_pids(cgroups_of(self.process.pid).pids)
        most = f"; its cgroup has {room.used:,} of at most {room.limit:,} processes and threads (pids.max)" if room else ""
        return (
            f"could start {made} of {wanted} processes: fork says {name_of(error)}{most}; raise TasksMax= of the unit or "
            f"--pids-limit of the container, RLIMIT_NPROC (ulimit -u), or kernel.threads-max and kernel.pid_max"
        )

    async def obituary(self, child: Child, siblings: int = 0) -> str:
        """How a child ended, as a sentence part; and so many others, if it was with the process that carried them."""
        if child.last_words:
            return f"{child.name} (pid {child.pid}) broke: {child.last_words}"
        with trio.move_on_after(2):
            await self.ending(child.pid).wait()
        status = self.status.get(child.pid)
        if status is None:
            return f"{child.name} (pid {child.pid}) closed its link"
        who = f"{child.name} and {siblings} more (pid {child.pid})" if siblings else f"{child.name} (pid {child.pid})"
        if os.WIFSIGNALED(status):
            return f"{who} {'were' if siblings else 'was'} killed by {signal.Signals(os.WTERMSIG(status)).name}"
        return f"{who} exited with status {os.waitstatus_to_exitcode(status)}"

    def close(self) -> None:
        """The zygote leaves when its link closes; its children, when theirs do."""
        self.end.close()
        self.process.wait()


class Crew:
    """The children of one run."""

    def __init__(self, zygote: Zygote, nursery: trio.Nursery, on_change: Callable[[], None]) -> None:
        self.zygote = zygote
        self.nursery = nursery
        self.on_change = on_change
        self.children: list[Child] = []
        self.obituaries: list[str] = []
        self.complete = False  # all that the run begins with are there; others may join them
        self.closing = False  # nobody else is hired
        self.dismissed = False  # from here on, an end is what we asked for

    async def hire(self, recruits: Sequence[Recruit]) -> list[Child]:
        """Fork children, give each its assignment and listen to it. Nobody, for a run that only observes.

        Raises RefusedError for an assignment that no link takes, before anybody is forked, and if the run is closed meanwhile.
        """
        hired: list[Child] = []
        for recruit in recruits:
            try:
                link.encode(recruit.assignment)
            except ValueError as error:
                raise RefusedError(
                    f"{recruit.name} cannot be told what to do: {error}; ask for fewer routes of a shard or stages, or a "
                    f"shorter request"
                ) from None
        for start in range(0, len(recruits), AT_ONCE):
            some = recruits[start : start + AT_ONCE]
            children = await self.zygote.fork([each.name for each in some], [each.descriptors for each in some])
            if self.closing:  # while the zygote forked
                for child in children:
                    child.end.close()
                raise RefusedError("the run was closed while its processes were being made")
            for child, recruit in zip(children, some, strict=True):
                self.children.append(child)
                self.nursery.start_soon(self.listen, child)
                await child.send(recruit.assignment)
            hired += children
        self.complete = True
        self.on_change()
        return hired

    async def listen(self, child: Child) -> None:
        """Take in what a child says until it is gone."""
        while True:
            await trio.lowlevel.wait_readable(child.end)
            message = link.receive(child.end)
            if message is None:
                break
            child.take(message)
            self.on_change()
        child.gone.set()
        child.end.close()
        if not self.dismissed:
            child.bury()
            await self.mourn(child)
            self.on_change()

    async def mourn(self, child: Child) -> None:
        """Tell how it ended; once for all whom one process carried and took with it."""
        siblings = [each for each in self.children if each.pid == child.pid and each is not child and not each.last_words]
        obituary = await self.zygote.obituary(child, len(siblings))
        if child.last_words or not any(each.mourned for each in siblings):
            self.obituaries.append(obituary)
        child.mourned = True

    async def order(self, order: link.Message) -> None:
        for child in self.children:
            await child.send(order)

    async def close(self, order: link.Message) -> None:
        """The last order. Whoever is being forked now will not get it, and is not taken any more."""
        self.closing = True
        await self.order(order)

    async def dismiss(self) -> None:
        """Close every link, which ends every child, and wait until all have ended and their last tallies were read."""
        self.closing = self.dismissed = True
        for child in self.children:
            if not child.gone.is_set():
                child.end.shutdown(1)  # SHUT_WR: the child reads an end, we still read its last tally
        await self.see_out()

    async def cut_off(self) -> None:
        """As ``dismiss``, where nobody listens to them any more: what they say last is lost."""
        self.closing = self.dismissed = True
        for child in self.children:
            if not child.gone.is_set():
                child.gone.set()
                child.end.close()
        await self.see_out()

    async def see_out(self) -> None:
        """Wait until all have ended; kill those that take too long."""
        with trio.move_on_after(DISMISSAL_SECONDS) as patience:
            await self.all_ended()
        if patience.cancelled_caught:
            for child in self.children:
                if not self.zygote.ending(child.pid).is_set():
                    with suppress(ProcessLookupError):  # it has ended, and nobody has read that yet
                        os.kill(child.pid, signal.SIGKILL)
            await self.all_ended()

    async def all_ended(self) -> None:
        for child in self.children:
            await child.gone.wait()
            await self.zygote.ending(child.pid).wait()

    @property
    def alive(self) -> list[Child]:
        return [child for child in self.children if not child.gone.is_set()]

    @property
    def pids(self) -> list[int]:
        """Of the processes that carry those."""
        return list(dict.fromkeys(child.pid for child in self.alive))

    def tally(self) -> Tally:
        return total(child.tally for child in self.children)

    def histograms(self) -> dict[str, dict[int, int]]:
        """Of all children: name -> microseconds -> how many, since the beginning."""
        names = dict.fromkeys(name for child in self.children for name in child.histograms)
        return {name: microseconds(joined(child.histograms.get(name, {}) for child in self.children)) for name in names}

    def sources(self) -> tuple[SourceLatency, ...]:
        return source_latencies(joined_rows(child.sources for child in self.children))

    def reached_ns(self) -> dict[int, int]:
        return reached_by_all(child.reached_ns for child in self.children)

    def waves(self) -> tuple[Wave, ...]:
        return joined_waves([child.waves for child in self.children])

    def cpu_seconds(self) -> float:
        return sum(child.cpu_seconds for child in self.children)


@asynccontextmanager
async def zygote(module: str) -> AsyncIterator[Zygote]:
    """A running zygote for the children that ``module.main`` becomes."""
    made = Zygote(module)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.run)
            yield made
            nursery.cancel_scope.cancel()
    finally:
        made.close()
