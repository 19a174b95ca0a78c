"""What simulated workers and targets have in common: their run, their lease, their samples, and what can go wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Self

from c1m.coordinator.fleet.nodes import ReceivedSample
from c1m.errors import BrokenError, C1mError, GoneError, RefusedError
from c1m.measure.phase import Phase
from c1m.measure.reasons import ClosingKind, ClosingReason
from c1m.measure.sample import Host, Inspection, Reading, Sample
from c1m.measure.sampling import OFTEN, SamplingInterval
from c1m.net.endpoints import HostPort
from c1m.schedule.schedule import NANOSECONDS
from c1m.wire.grpc_options import ANSWER_MS, KEEPALIVE_MS, PROTOCOL
from c1m.wire.node_messages import sample_to_wire

UNANSWERED_SECONDS = (KEEPALIVE_MS + ANSWER_MS) / 1000  # until gRPC gives up a connection on which nothing comes back
LOOK_SECONDS = 0.05  # how soon a silent node goes on after it is well again


def now() -> float:
    """Return the seconds of the running loop's clock."""
    return asyncio.get_running_loop().time()


class SimulatedNode:
    """A node in memory. Set its fields while a run goes on, and the run sees it."""

    def __init__(self, role: str, address: HostPort, namespace: int, connections_per_process: int = 20_000) -> None:
        self.name = f"{role} {address}"
        self.address = address
        self.host = host(str(address), namespace, connections_per_process)
        self.run_id = ""  # of the run that it is on or was on last
        self.phase = Phase.CLOSED
        self.lease = 0.0
        self.watchers = 0
        self.unwatched_since = 0.0
        self.closing_reason: ClosingReason | None = None
        self.readings = 0
        self.calls: list[str] = []  # names of the calls that were answered, in order
        # What can go wrong:
        self.answers_after = 0.0  # seconds that each call takes
        self.silent = False  # stopped or cut off: it sends nothing and answers nothing, but goes on
        self.gone = False  # its process has ended
        self.fails: dict[str, C1mError] = {}  # call -> the error that it ends with
        self.lies: Callable[[Sample], Sample] = lambda sample: sample  # what it sends instead of its sample

    @property
    def open(self) -> int:
        """The connections that are open on the node."""
        raise NotImplementedError

    # -- what every call does

    async def answer(self, call: str, run_id: str = "") -> None:
        """Take the time of a call. Raises what the call ends with, and RefusedError for a run that the node does not know."""
        await asyncio.sleep(self.answers_after)
        await self.until_reached()
        if error := self.fails.get(call):
            raise error
        self.advance()
        if run_id and run_id != self.run_id:
            raise RefusedError(f"{self.name}: has no run {run_id!r}: its lease ended, or the node was restarted")
        self.calls.append(call)

    async def until_reached(self) -> None:
        """Wait while the node is silent. Raises GoneError when its process has ended, and BrokenError when gRPC gives up."""
        deadline = now() + UNANSWERED_SECONDS
        while self.silent and not self.gone:
            if now() >= deadline:
                raise BrokenError(f"{self.name} is unreachable (keepalive watchdog timeout); is it started, and its port open?")
            await asyncio.sleep(LOOK_SECONDS)
        if self.gone:
            raise GoneError(f"{self.name} is unreachable (Connection refused); is it started, and its port open?")

    def begin(self, run_id: str, lease: float) -> None:
        """Begin a run. Raises RefusedError if the node is busy."""
        if self.busy_with:
            raise RefusedError(f"{self.name}: busy with {self.busy_with}")
        self.run_id, self.lease, self.phase = run_id, lease, Phase.PREPARED
        self.unwatched_since, self.closing_reason = now(), None

    @property
    def busy_with(self) -> str:
        """The run that the node is on, as text; empty: none."""
        return "" if self.phase is Phase.CLOSED else f"run {self.run_id}"

    def advance(self) -> None:
        """Bring the node's counts up to now. Close if the lease has ended, which begins when no watcher is left."""
        over = self.phase is not Phase.CLOSED and not self.watchers and now() - self.unwatched_since >= self.lease
        if over:
            self.leave(ClosingReason(ClosingKind.LEASE_OVER, self.lease))

    def leave(self, because: ClosingReason) -> None:
        """Close without being asked to, as at the end of the lease."""
        self.closing_reason, self.phase = because, Phase.CLOSED

    def sample(self) -> Sample:
        """Return the state of the node now."""
        raise NotImplementedError

    def count(self) -> Inspection:
        """Return what the node's kernel counts now."""
        raise NotImplementedError

    def reading(self) -> Reading:
        """Return a reading of the node's host."""
        self.readings += 1
        return Reading(self.readings - 1, None, None, None)

    # -- the interface

    def anew(self) -> Self:
        """Return the same node."""
        return self

    async def ping(self) -> None:
        """Return when the node has answered."""
        await self.answer("ping")

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    async def watch(self, run_id: str, pace: SamplingInterval = OFTEN) -> AsyncGenerator[ReceivedSample]:
        """Yield the node's samples until the run is over there. Watching renews the node's lease."""
        await self.answer("watch", run_id)
        self.watchers += 1
        try:
            while True:
                await self.until_reached()
                self.advance()
                sample = self.lies(self.sample())
                yield ReceivedSample(sample, sample_to_wire(sample))
                if sample.phase is Phase.CLOSED:
                    return
                await asyncio.sleep(pace.sample_seconds)
        finally:
            self.watchers -= 1
            self.unwatched_since = now()

    async def inspect(self, run_id: str) -> Inspection:
        """Return what the node's kernel counts now."""
        await self.answer("inspect", run_id)
        return self.count()


def host(name: str, namespace: int, connections_per_process: int) -> Host:
    """Return a host of its own for one node, without limits that are known."""
    return Host(
        protocol=PROTOCOL,
        version="simulated",
        boot_id=f"boot {name}",
        hostname=name,
        kernel="simulated",
        cores=2,
        memory_total_bytes=None,
        memory_available_bytes=None,
        descriptors_per_process=connections_per_process + 64,
        connections_per_process=connections_per_process,
        network_namespace=namespace,
    )


def taken_ns() -> int:
    """Return the node's CLOCK_MONOTONIC, in nanoseconds."""
    return round(now() * NANOSECONDS)
