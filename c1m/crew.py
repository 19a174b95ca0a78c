"""A node's children, as its control process sees them: made by the zygote, spoken to over links, counted when they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from _socket import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import trio

from c1m import link
from c1m.errors import C1mError, RefusedError
from c1m.following import reached_by_all
from c1m.kernel import process
from c1m.kernel.cgroup import tightest_pids
from c1m.kernel.cgroup_events import cgroups_of
from c1m.latency import joined, microseconds
from c1m.phase import Phase
from c1m.source_latency import SourceLatency, joined_rows, source_latencies
from c1m.tally import PROCESS_DIED, Tally, name_of, total
from c1m.turnover import Wave, joined_waves

# A child that has an order and neither says anything nor uses the processor for so long is killed: it was stopped by a signal,
# most likely. To close a full descriptor table takes a child about 0.3 s of that, and fifty of them on two cores about 15 s.
STUCK_SECONDS = 5.0
LOOK_SECONDS = 0.5  # between two looks whether it does
FORK_SECONDS = 20.0  # for the zygote to answer; a hundred children take it a second


# Children forked at a time: a link and a listener each, and no more descriptors than fit one message.
AT_ONCE = link.MOST_DESCRIPTORS // 2


@dataclass(frozen=True, slots=True)
class Recruit:
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
        self.lost = self.tally.open
        lost = dict(self.tally.dropped)
        if self.lost:
            lost[PROCESS_DIED] = lost.get(PROCESS_DIED, 0) + self.lost
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

    async def obituary(self, child: Child, siblings: Sequence[Child] = ()) -> str:
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


class Crew:
    """The children of one run."""

    def __init__(
        self,
        zygote: Zygote,
        nursery: trio.Nursery,
        on_change: Callable[[], None],
        on_end: Callable[[Sequence[Child], str], Awaitable[None]],
    ) -> None:
        """``on_end``: what follows from the end of children that should be there, and how they ended."""
        self.zygote = zygote
        self.nursery = nursery
        self.on_change = on_change
        self.on_end = on_end
        self.children: list[Child] = []
        self.obituaries: list[str] = []
        self.mourning = 0  # ends that nothing has followed from yet
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
                child.index = recruit.assignment["index"]
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
            self.mourning += 1
            await self.mourn(child)
            self.mourning -= 1
            self.on_change()

    async def mourn(self, child: Child) -> None:
        """Tell how it ended, and what follows from that; once for all whom one process carried and took with it."""
        alone = child.last_words or not await self.zygote.has_ended(child)
        if child.mourned:
            return
        carried = [each for each in self.children if each.pid == child.pid and not each.last_words]
        together = [child] if alone else carried
        for each in together:
            each.mourned = True
        for each in together:
            await each.gone.wait()
        obituary = await self.zygote.obituary(together[0], together[1:])
        self.obituaries.append(obituary)
        self.on_change()
        await self.on_end(together, obituary)

    async def order(self, order: link.Message) -> None:
        for child in self.children:
            await child.send(order)

    async def close(self, order: link.Message) -> None:
        """The last order. Whoever is being forked now will not get it, and is not taken any more."""
        self.closing = True
        self.nursery.start_soon(self.end_the_stuck, STUCK_SECONDS + order.get("seconds_a_chunk", 0.0))
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
        """Wait until all have ended; kill those that do not go about it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.end_the_stuck, STUCK_SECONDS)
            for child in self.children:
                await child.gone.wait()
                await self.zygote.ending(child.pid).wait()
            nursery.cancel_scope.cancel()

    async def end_the_stuck(self, patience: float) -> None:
        """Kill children that are to close or to leave, and for so long neither say anything nor use the processor.

        Who has ended has ended, though a zygote that was stopped does not say so.
        """
        moved: dict[Child, tuple[object, float]] = {}  # how far each was, and since when
        while True:
            for child in self.unfinished():
                if process.is_over(child.pid):
                    self.zygote.ending(child.pid).set()
                    continue
                far, now = (child.said, process.cpu_seconds(child.pid)), trio.current_time()
                before, since = moved.setdefault(child, (far, now))
                if far != before:
                    moved[child] = far, now
                elif now - since > patience:
                    child.kill(f"did nothing for {patience:.0f} s when it was to close")
            await trio.sleep(LOOK_SECONDS)

    def unfinished(self) -> list[Child]:
        """Who has to do something before the run is over; whoever has closed everything waits for the others."""
        there = [child for child in self.children if not self.zygote.ending(child.pid).is_set()]
        return there if self.dismissed else [child for child in there if child.phase is not Phase.CLOSED]

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
        return reached_by_all(child.reached_ns for child in self.children if not child.relieved)

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
