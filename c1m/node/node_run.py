"""One run on one node: its crew, its watchers, its lease. The same for workers and targets.

A node is engaged from Prepare until every connection of the run is closed and every process of it has ended. It closes
when it is told to, and when nobody has watched it for the lease time.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Protocol

import trio

from c1m.app.collector import deferred
from c1m.app.log import log
from c1m.errors import C1mError, RefusedError
from c1m.kernel.reader import HostReader
from c1m.measure.phase import Phase, slowest
from c1m.measure.sample import Reading, Replacement, Sample
from c1m.measure.sampling import SILENCE_SECONDS, SamplingInterval
from c1m.processes import link
from c1m.processes.child import Child, ChildSpec
from c1m.processes.children import Supervisor
from c1m.processes.threads import in_thread
from c1m.processes.zygote_client import ZygoteClient
from c1m.schedule.node_schedule import COUNTED_SECONDS, NodeSchedule
from c1m.schedule.schedule import NANOSECONDS
from c1m.text.units import format_duration

READING_SECONDS = 1.0  # between two looks at the host
SOURCES_READINGS = 10  # after so many of them latencies by source are told again: there may be hundreds of sources
READY_SECONDS = 60.0  # for all children of a run to be forked and ready
LEASE_CHECK_SECONDS = 0.25
MOST_REPLACED = 3  # processes in one place of the crew: what ends so often would end again

# Why it closes, where its lease goes on.
ASKED = "it was asked to"
UNPREPARED = "it could not be prepared"
LEAVING = "it was told to leave"


class Successors(Protocol):
    """Who takes the places of processes that ended."""

    async def successors_of(self, dead: Sequence[Child]) -> list[ChildSpec]:
        """With the same assignments, as they are now."""

    def give_up(self, child: Child) -> None:
        """Nobody comes in its place."""


class NodeRun:
    """Runs in the node's nursery; handlers call into it from there."""

    def __init__(self, run_id: str, lease_seconds: float, closing: link.Message, reader: HostReader) -> None:
        """``closing`` is what the crew is told when the lease ends."""
        self.run_id = run_id
        self.lease_seconds = lease_seconds
        self.closing = closing
        self.reader = reader
        self.reader_lock = trio.Lock()
        self.reading: Reading | None = None
        self.baseline = trio.Event()  # the reading from before anything was opened has been taken
        self.operator = ""  # whose run it is; empty: unknown
        self.since = time.time()
        self.start = 0.0
        self.halted = ""
        self.following: NodeSchedule | None = None  # a worker's schedule
        self.successors: Successors | None = None  # None: nobody comes in the place of a process that ends
        self.turning = trio.Lock()  # held by who changes what processes there are, or what they follow
        self.belongings = ExitStack()  # closed with the run
        self.going = False  # prepared, and every process has been there
        self.replaced = Counter[int]()  # by the place in the crew
        self.replacements: list[Replacement] = []
        self.settling = False  # it comes to its end: nothing takes the place of anything any more
        self.stopping = False
        self.closing_because = ""
        self.over = trio.Event()
        self.ready = trio.Event()
        self.changed = trio.Event()
        self.version = 0
        self.watchers = 0
        self.watched_until = trio.current_time()
        self.supervisor: Supervisor

    # -- its life

    async def run(self, zygote: ZygoteClient, *, task_status: trio.TaskStatus[None]) -> None:
        """Until everything is closed and every child has ended. Cancelling it ends them too."""
        with deferred():
            try:
                async with trio.open_nursery() as nursery:
                    self.supervisor = Supervisor(zygote, nursery, self.touch, self.replace)
                    nursery.start_soon(self.end_with_lease)
                    nursery.start_soon(self.read_host)
                    task_status.started()
                    while not (self.stopping and self.phase is Phase.CLOSED):
                        await self.changed.wait()
                    await self.supervisor.dismiss()
                    nursery.cancel_scope.cancel()
            finally:
                self.belongings.close()
                with trio.CancelScope(shield=True):
                    await self.supervisor.cut_off()
                self.over.set()
                self.ready.set()  # whoever waits for a beginning will look at what there is instead
                self.baseline.set()
                self.touch()

    def touch(self) -> None:
        """Something is new."""
        self.version += 1
        self.changed.set()
        self.changed = trio.Event()
        if self.supervisor.complete and all(
            child.phase is not None or child.gone.is_set() for child in self.supervisor.children
        ):
            self.ready.set()

    async def all_ready(self) -> None:
        """Wait until every child said that it is ready, and the host has been read.

        Raises C1mError, with its last words, when a child ended instead.
        """
        with trio.move_on_after(READY_SECONDS) as patience:
            await self.ready.wait()
            await self.baseline.wait()
        if patience.cancelled_caught:
            raise C1mError(f"the processes of run {self.run_id} were not ready within {READY_SECONDS:.0f} s")
        gone = [child for child in self.supervisor.children if child.gone.is_set()]
        if gone:
            raise C1mError(await self.supervisor.zygote.exit_reason(gone[0]))
        self.going = True

    async def prepared(self) -> None:
        """For whoever did not hear the answer and asks again. Raises C1mError where it could not be."""
        await self.all_ready()
        if self.stopping:
            raise RefusedError(f"run {self.run_id} is closing: {self.closing_because}")

    async def stop(self, order: link.Message, because: str) -> None:
        """Begin to close; samples tell why, and the last one when all is closed. Saying it twice changes nothing."""
        if not self.stopping:
            self.stopping, self.closing_because = True, because
            self.belongings.close()
            await self.supervisor.close(order)
            self.touch()

    async def join(self, recruits: Sequence[ChildSpec]) -> None:
        """More children for a run that has started; they go on from where it is now.

        Raises RefusedError as ``Supervisor.hire``.
        """
        reached = self.supervisor.reached_ns()
        for child in await self.supervisor.hire(recruits):
            child.reached_ns = reached
            if self.start:
                await child.send({"start": self.start, "joined": time.monotonic(), "reached": reached})

    # -- the end of a process

    async def replace(self, dead: Sequence[Child], exit_reason: str) -> None:
        """Let others take the places of children that ended, if the run goes on, and tell of it."""
        ended, elapsed_ns = time.monotonic(), self.elapsed_ns if self.start else None
        spent = [child for child in dead if self.replaced[child.index] == MOST_REPLACED]
        dead = [child for child in dead if child not in spent]
        try:
            if self.successors and dead and self.goes_on:
                await self.hire_heirs(self.successors, dead)
        except RefusedError as error:
            told = self.supervisor.exit_reasons
            told[told.index(exit_reason)] = f"{exit_reason}, and no other could take its place: {error}"
        if any(child.relieved for child in dead):
            after_ns = int((time.monotonic() - ended) * NANOSECONDS)
            self.replacements.append(Replacement(exit_reason, sum(child.lost for child in dead), elapsed_ns, after_ns))
        if spent and self.goes_on:
            names = ", ".join(child.name for child in spent)
            self.supervisor.exit_reasons.append(f"{names} ended for the {MOST_REPLACED + 1}th time, and its share is given up")
        for child in (*dead, *spent):
            if self.successors and not child.relieved:
                self.successors.give_up(child)

    async def hire_heirs(self, successors: Successors, dead: Sequence[Child]) -> None:
        """Raises RefusedError when there are none to have."""
        self.replaced.update(child.index for child in dead)
        async with self.turning:
            recruits = await successors.successors_of(dead)
            if self.goes_on:
                await self.join(recruits)
                for child in dead:
                    child.relieved = True

    @property
    def goes_on(self) -> bool:
        return self.going and not (self.settling or self.stopping or self.halted)

    # -- its lease

    async def end_with_lease(self) -> None:
        """Of a process that was stopped for longer than the lease it is over, too: whoever seems to watch has given it up."""
        slept = 0.0
        while not self.lease_ended() and slept <= self.lease_seconds + LEASE_CHECK_SECONDS:
            began = trio.current_time()
            await trio.sleep(LEASE_CHECK_SECONDS)
            slept = trio.current_time() - began
        lease = format_duration(self.lease_seconds)
        if not self.stopping:
            log(f"run {self.run_id}: nobody has watched for {lease}; closing what it opened")
        stood_still = " while it did not run itself" if slept > self.lease_seconds else ""
        await self.stop(self.closing, f"its lease of {lease} ended{stood_still}")

    async def read_host(self) -> None:
        """Once a second, from before anything is opened."""
        await self.ready.wait()
        while True:
            await self.read()
            self.baseline.set()
            await trio.sleep(READING_SECONDS)

    async def read(self, *, walk: bool = True) -> Reading:
        """A new reading of the host. In a thread: the PSS of a large server takes the kernel half a second."""
        async with self.reader_lock:
            self.reading = await in_thread(partial(self.reader.take, walk=walk))
        self.touch()
        return self.reading

    # -- its watchers

    @contextmanager
    def watching(self) -> Iterator[None]:
        self.watchers += 1
        try:
            yield
        finally:
            self.watchers -= 1
            self.watched_until = trio.current_time()

    def lease_ended(self) -> bool:
        return not self.watchers and trio.current_time() > self.watched_until + self.lease_seconds

    def lease_left(self) -> float:
        """Seconds until the node is free if nobody watches; infinite while somebody does."""
        return math.inf if self.watchers else max(self.watched_until + self.lease_seconds - trio.current_time(), 0)

    async def news(self, seen: int, read: int, pace: SamplingInterval) -> tuple[int, Sample]:
        """The newest sample, as soon as there is one that is not ``seen``, or after a moment of silence.

        The watcher has the reading of number ``read``.
        """
        if not self.over.is_set():
            await trio.sleep(pace.sample_seconds if self.version > seen else 0)
            with trio.move_on_after(SILENCE_SECONDS):
                while self.version == seen:
                    await self.changed.wait()
        return self.version, self.sample(read, pace)

    # -- what it tells

    @property
    def elapsed_ns(self) -> int:
        """Since the start of the run; 0 before."""
        return max(int((time.monotonic() - self.start) * NANOSECONDS), 0) if self.start else 0

    def scheduled(self) -> int | None:
        """By the line, of each shard when it counted what it tells: so it is to be compared with the tally.

        A shard that has told nothing for a while has nothing new to tell, or is stopped.
        """
        if not self.following or not self.start:
            return None
        now = time.monotonic()
        counted = {child.index: child.counted_at for child in self.supervisor.alive}
        moments = (max(counted.get(index, now), now - COUNTED_SECONDS) for index in range(len(self.following.shares)))
        return self.following.scheduled([int((moment - self.start) * NANOSECONDS) for moment in moments])

    @property
    def phase(self) -> Phase:
        if not self.supervisor.children:  # and none to come: an observer's run
            return Phase.CLOSED if self.stopping else Phase.HOLDING
        phases = [child.phase or Phase.PREPARED for child in self.supervisor.alive]
        if self.supervisor.mourning and not self.stopping:
            phases.append(Phase.OPENING)  # whoever comes in the place of the dead
        phase = slowest(phases)
        return max(phase, Phase.OPENING) if self.start else phase  # who joins has said nothing yet

    def sample(self, read: int, pace: SamplingInterval) -> Sample:
        """With the reading if it is due, and only then with histograms: to put thousands of buckets in order takes some ms."""
        tally = self.supervisor.tally()
        phase = self.phase
        if phase is Phase.CLOSED and not self.over.is_set():
            phase = Phase.CLOSING  # closed means that the processes are gone as well
        elapsed_ns, following = self.elapsed_ns, self.following
        reading = self.reading if self.reading is not None and self.reading.number - read >= pace.reading_every else None
        due = reading is not None and reading.number // SOURCES_READINGS != read // SOURCES_READINGS
        with_sources = due or phase is Phase.CLOSED
        return Sample(
            phase=phase,
            tally=tally,
            opened_within_ns=int(max(tally.last_opened - self.start, 0) * 1e9) if self.start else 0,
            cpu_seconds=self.supervisor.cpu_seconds() if self.supervisor.children else self.reader.activity.cpu_seconds,
            processes=len(self.supervisor.pids),
            exit_reasons=tuple(self.supervisor.exit_reasons),
            replacements=tuple(self.replacements),
            halted=self.halted,
            histograms=self.supervisor.histograms() if reading or phase is Phase.CLOSED else {},
            sources=self.supervisor.sources() if with_sources else (),
            full=sum(child.full for child in self.supervisor.alive),
            reading=reading,
            waves=self.supervisor.waves(),
            turnover_stopped=all(child.turnover_stopped for child in self.supervisor.alive),
            heard=next((child.heard for child in self.supervisor.children if child.heard), b""),
            elapsed_ns=elapsed_ns,
            scheduled=self.scheduled(),
            schedule_version=following.revision.version if following else 1,
            revision=following.revision if following else None,
            reached_ns=self.supervisor.reached_ns(),
            taken_ns=time.monotonic_ns(),
            closing_because=self.closing_because,
        )
