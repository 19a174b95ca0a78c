"""One run on one node: its child processes, its watchers, its lease. The same for workers and targets.

A node is busy from Prepare until every connection of the run is closed and every process of it has ended. It closes the run
on request, and when the run was not watched for the lease time.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Protocol

import trio

from c1m.app.collector import deferred
from c1m.app.log import log
from c1m.errors import C1mError, RefusedError
from c1m.kernel.reader import HostReader
from c1m.measure.phase import Phase, slowest
from c1m.measure.reasons import ClosingKind, ClosingReason, ExitKind, ExitReason, HaltReason
from c1m.measure.sample import Reading, Replacement, Sample
from c1m.measure.sampling import SILENCE_SECONDS, SamplingInterval
from c1m.orders.orders import CloseAll, Start
from c1m.processes.child import Child, ChildSpec
from c1m.processes.children import Supervisor
from c1m.processes.threads import in_thread
from c1m.processes.zygote_client import ZygoteClient
from c1m.schedule.node_schedule import COUNTED_SECONDS, NodeSchedule
from c1m.schedule.schedule import NANOSECONDS
from c1m.text.units import format_duration

READING_SECONDS = 1.0  # between two readings of the host
SOURCES_READINGS = 10  # latencies by source are sent with every tenth reading: there may be hundreds of sources
READY_SECONDS = 60.0  # the time limit for all children of a run to be forked and ready
LEASE_CHECK_SECONDS = 0.25
MOST_REPLACED = 3  # replacements of one child; a child that ends more often would end again


class Successors(Protocol):
    """Interface of a run that provides replacements for child processes that ended."""

    async def successors_of(self, dead: Sequence[Child]) -> list[ChildSpec]:
        """Return the specifications of replacements for the children that ended, with the assignments that these had last."""

    def give_up(self, child: Child) -> None:
        """Record that a child process which ended is not replaced. Returns nothing."""


class NodeRun:
    """A run on a node. It runs in the node's nursery; gRPC handlers call its methods there."""

    def __init__(self, run_id: str, lease_seconds: float, closing: CloseAll, reader: HostReader) -> None:
        """``closing`` is the order that the children get when the lease ends."""
        self.run_id = run_id
        self.lease_seconds = lease_seconds
        self.closing = closing
        self.reader = reader
        self.reader_lock = trio.Lock()
        self.reading: Reading | None = None
        self.baseline = trio.Event()  # set when the reading from before anything was opened has been taken
        self.operator = ""  # the owner of the run; empty: unknown
        self.since = time.time()
        self.start = 0.0
        self.halted: HaltReason | None = None
        self.following: NodeSchedule | None = None  # a worker's schedule
        self.successors: Successors | None = None  # None: processes that end are not replaced
        self.turning = trio.Lock()  # held while the set of processes, or their schedule, changes
        self.belongings = ExitStack()  # closed with the run
        self.going = False  # the run is prepared, and every process was ready
        self.replaced = Counter[int]()  # replacements by the child's index
        self.replacements: list[Replacement] = []
        self.settling = False  # the run is ending: nothing is replaced any more
        self.stopping = False
        self.closing_reason: ClosingReason | None = None
        self.over = trio.Event()
        self.ready = trio.Event()
        self.changed = trio.Event()
        self.version = 0
        self.watchers = 0
        self.watched_until = trio.current_time()
        self.supervisor: Supervisor

    # -- life cycle

    async def run(self, zygote: ZygoteClient, *, task_status: trio.TaskStatus[None]) -> None:
        """Execute a run until everything is closed and every child process has ended. Cancelling it also ends the children."""
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
                self.ready.set()  # wakes callers that wait for the run to be ready; they check what happened
                self.baseline.set()
                self.touch()

    def touch(self) -> None:
        """Record that the run's state has changed and wake the tasks that send samples. Returns nothing."""
        self.version += 1
        self.changed.set()
        self.changed = trio.Event()
        if self.supervisor.complete and all(
            child.phase is not None or child.gone.is_set() for child in self.supervisor.children
        ):
            self.ready.set()

    async def all_ready(self) -> None:
        """Wait until every child process of the run has reported that it is ready and the host has been read.

        Raises C1mError with the exit reason if a child ended instead, or if that takes longer than READY_SECONDS.
        """
        with trio.move_on_after(READY_SECONDS) as patience:
            await self.ready.wait()
            await self.baseline.wait()
        if patience.cancelled_caught:
            raise C1mError(f"the processes of run {self.run_id} were not ready within {READY_SECONDS:.0f} s")
        gone = [child for child in self.supervisor.children if child.gone.is_set()]
        if gone:
            raise C1mError(str(await self.supervisor.zygote.exit_reason(gone[0])))
        self.going = True

    async def prepared(self) -> None:
        """Wait until the run's child processes are ready, for a caller that repeats Prepare because it did not get the answer.

        Raises C1mError if the run could not be prepared or is closing.
        """
        await self.all_ready()
        if self.stopping:
            raise RefusedError(f"run {self.run_id} is closing: {self.closing_reason}")

    async def stop(self, order: CloseAll, because: ClosingReason) -> None:
        """Begin to close the run's connections: send ``order`` to every child.

        Samples report the reason ``because``, and the last sample follows when all is closed. A second call has no effect.
        """
        if not self.stopping:
            self.stopping, self.closing_reason = True, because
            self.belongings.close()
            await self.supervisor.close(order)
            self.touch()

    async def join(self, recruits: Sequence[ChildSpec]) -> None:
        """Start more children for a run that has started. They continue from where the run is now.

        Raises RefusedError as ``Supervisor.hire`` does.
        """
        reached = self.supervisor.reached_ns()
        for child in await self.supervisor.hire(recruits):
            child.reached_ns = reached
            if self.start:
                await child.send(Start(self.start, time.monotonic(), reached))

    # -- processes that end

    async def replace(self, dead: Sequence[Child], exit_reason: ExitReason) -> None:
        """Start replacements for child processes that ended, if the run goes on, and record for the samples what happened.

        Returns nothing.
        """
        ended, elapsed_ns = time.monotonic(), self.elapsed_ns if self.start else None
        spent = [child for child in dead if self.replaced[child.index] == MOST_REPLACED]
        dead = [child for child in dead if child not in spent]
        try:
            if self.successors and dead and self.goes_on:
                await self.hire_heirs(self.successors, dead)
        except RefusedError as error:
            exit_reason = self.supervisor.not_replaced(exit_reason, str(error))
        if any(child.relieved for child in dead):
            after_ns = int((time.monotonic() - ended) * NANOSECONDS)
            self.replacements.append(Replacement(exit_reason, sum(child.lost for child in dead), elapsed_ns, after_ns))
        if spent and self.goes_on:
            indices = tuple(child.index for child in spent)
            self.supervisor.add(ExitReason(ExitKind.GIVEN_UP, spent[0].kind, indices, value=MOST_REPLACED + 1))
        for child in (*dead, *spent):
            if self.successors and not child.relieved:
                self.successors.give_up(child)

    async def hire_heirs(self, successors: Successors, dead: Sequence[Child]) -> None:
        """Start replacements for child processes that ended. Raises RefusedError if they cannot be started."""
        self.replaced.update(child.index for child in dead)
        async with self.turning:
            recruits = await successors.successors_of(dead)
            if self.goes_on:
                await self.join(recruits)
                for child in dead:
                    child.relieved = True

    @property
    def goes_on(self) -> bool:
        """Whether child processes that end should still be replaced: the run has started and is not closing."""
        return self.going and not (self.settling or self.stopping or self.halted)

    # -- the lease

    async def end_with_lease(self) -> None:
        """Wait until the run's lease ends, then close the run.

        The lease also ends if this process was stopped for longer than the lease: its watchers have given up by then.
        """
        slept = 0.0
        while not self.lease_ended() and slept <= self.lease_seconds + LEASE_CHECK_SECONDS:
            began = trio.current_time()
            await trio.sleep(LEASE_CHECK_SECONDS)
            slept = trio.current_time() - began
        if not self.stopping:
            lease = format_duration(self.lease_seconds)
            log(f"run {self.run_id}: no coordinator has watched for {lease}; closing its connections")
        node_stopped = slept > self.lease_seconds
        await self.stop(self.closing, ClosingReason(ClosingKind.LEASE_OVER, self.lease_seconds, node_stopped=node_stopped))

    async def read_host(self) -> None:
        """Take a reading of the host once a second until cancelled, starting before anything is opened."""
        await self.ready.wait()
        while True:
            await self.read()
            self.baseline.set()
            await trio.sleep(READING_SECONDS)

    async def read(self, *, walk: bool = True) -> Reading:
        """Return a new reading of the host, which is also stored for the samples.

        It is taken in a thread: the PSS of a large server takes the kernel half a second.
        """
        async with self.reader_lock:
            self.reading = await in_thread(partial(self.reader.take, walk=walk))
        self.touch()
        return self.reading

    # -- watchers

    def watch_begins(self) -> None:
        """Note a watcher. The lease does not end until ``watch_ends`` is called for each."""
        self.watchers += 1

    def watch_ends(self) -> None:
        """Note that a watcher has left. The lease begins anew."""
        self.watchers -= 1
        self.watched_until = trio.current_time()

    def lease_ended(self) -> bool:
        """Return whether the run's lease has ended: no coordinator has watched it for longer than the lease."""
        return not self.watchers and trio.current_time() > self.watched_until + self.lease_seconds

    def lease_left(self) -> float:
        """Return the seconds until the node closes the run if it is not watched. Infinite while it is watched."""
        return math.inf if self.watchers else max(self.watched_until + self.lease_seconds - trio.current_time(), 0)

    async def next_sample(self, seen: int, read: int, pace: SamplingInterval) -> tuple[int, Sample]:
        """Return the newest version number and a sample of the run, once there is something newer than version ``seen``.

        It waits for SILENCE_SECONDS at most. ``read`` is the number of the reading that the watcher has.
        """
        if not self.over.is_set():
            await trio.sleep(pace.sample_seconds if self.version > seen else 0)
            with trio.move_on_after(SILENCE_SECONDS):
                while self.version == seen:
                    await self.changed.wait()
        return self.version, self.sample(read, pace)

    # -- what it reports

    @property
    def elapsed_ns(self) -> int:
        """The nanoseconds since the start of the run on this node; 0 before the start."""
        return max(int((time.monotonic() - self.start) * NANOSECONDS), 0) if self.start else 0

    def scheduled(self) -> int | None:
        """Return how many connections the node should have open by its schedule. None if it follows none or has not started.

        The number is comparable with the tally: each shard counts at the time of its newest report. A shard that has not
        reported for a while has no changes, or is stopped.
        """
        if not self.following or not self.start:
            return None
        now = time.monotonic()
        counted = {child.index: child.counted_at for child in self.supervisor.alive}
        moments = (max(counted.get(index, now), now - COUNTED_SECONDS) for index in range(len(self.following.shares)))
        return self.following.scheduled([int((moment - self.start) * NANOSECONDS) for moment in moments])

    @property
    def phase(self) -> Phase:
        """The phase of the run on this node, which is that of its slowest child process."""
        if not self.supervisor.children:  # an observer's run, which has none
            return Phase.CLOSED if self.stopping else Phase.HOLDING
        phases = [child.phase or Phase.PREPARED for child in self.supervisor.alive]
        if self.supervisor.mourning and not self.stopping:
            phases.append(Phase.OPENING)  # the replacement that is to come
        phase = slowest(phases)
        return max(phase, Phase.OPENING) if self.start else phase  # a child that just joined has not reported yet

    def sample(self, read: int, pace: SamplingInterval) -> Sample:
        """Return a sample of the run's current state, with the host's reading if one is due.

        Histograms come only with a reading, because sorting thousands of buckets takes some milliseconds.
        """
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
            full_acceptors=sum(child.full for child in self.supervisor.alive),
            reading=reading,
            waves=self.supervisor.waves(),
            turnover_stopped=all(child.turnover_stopped for child in self.supervisor.alive),
            first_received=next((child.heard for child in self.supervisor.children if child.heard), b""),
            elapsed_ns=elapsed_ns,
            scheduled=self.scheduled(),
            schedule_version=following.revision.version if following else 1,
            revision=following.revision if following else None,
            reached_ns=self.supervisor.reached_ns(),
            taken_ns=time.monotonic_ns(),
            closing_reason=self.closing_reason,
        )
