"""The nodes as the coordinator calls them, in values."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

from c1m import wire
from c1m.addresses import AddressPool
from c1m.control_address import ControlAddress
from c1m.errors import UsageError
from c1m.heartbeat import Heartbeat
from c1m.identity import Identity
from c1m.node import Host, Inspection, Sample
from c1m.pace import OFTEN, Pace
from c1m.phase import Close, CloseOrder
from c1m.ports import PortRanges
from c1m.routes import Address
from c1m.schedule import Arrival, Revision, Schedule, Stage
from c1m.slow import Slow
from c1m.turnover import Turnover
from c1m.v1 import node_pb2, schedule_pb2, target_pb2, worker_pb2
from c1m.v1.target_pb2_grpc import TargetServiceStub
from c1m.v1.worker_pb2_grpc import WorkerServiceStub
from c1m.wire_routes import pool_from_wire, pool_to_wire, ports_from_wire, ports_to_wire, route_to_wire
from c1m.wire_schedule import revision_from_wire, revision_to_wire, stages_to_wire
from c1m.wire_turnover import turnover_to_wire

from .channel import CALL_SECONDS, Node, check_protocol, sentences
from .clocks import Clock
from .freshness import Freshness
from .plan import ShardPlan, WorkerPlan

if TYPE_CHECKING:
    from c1m.v1.target_pb2_grpc import TargetServiceAsyncStub
    from c1m.v1.worker_pb2_grpc import WorkerServiceAsyncStub

PREPARE_SECONDS = 90.0
PROBE_SECONDS = 30.0
INSPECT_SECONDS = 60.0  # a million connections take about two


class Told(NamedTuple):
    """A sample, and as it came."""

    sample: Sample
    message: node_pb2.Sample


@dataclass(frozen=True, slots=True)
class WorkerDescription:
    host: Host
    sources: AddressPool
    ports: PortRanges
    busy_with: str
    run_id: str = ""  # of the run that it is on; empty: none
    elapsed_ns: int = 0  # since the run's start there
    revision: Revision | None = None  # of the schedule that the run follows
    sources_on_link: int = 0  # with a destination: its host has to know each as a neighbour
    clock: Clock | None = None  # None: not told


@dataclass(frozen=True, slots=True)
class TargetDescription:
    host: Host
    bind: str
    ports: PortRanges
    single_port: bool
    busy_with: str
    observes: bool = False  # a server that is not c1m's: nobody counts its accepts
    only_run_sources: bool = False  # it wants to know where the run's connections come from, and takes no others
    clock: Clock | None = None  # None: not told


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """What all shards of a run have in common."""

    schedule: Schedule
    arrival: Arrival
    peak: int
    close: Close
    close_order: CloseOrder
    seed: int
    most_in_flight: int
    connect_timeout: float
    lease: float
    heartbeat: Heartbeat | None = None
    turnover: Turnover | None = None
    slow: Slow | None = None
    nonce: bytes = b""  # that the run's c1m-target knows, too; empty: there is none
    keepalive: int = 0  # seconds
    push_rate: float = 0.0  # messages a second that the target sends to each connection


class Worker(Node):
    def __init__(self, address: ControlAddress, identity: Identity | None = None) -> None:
        super().__init__("worker", address, identity)
        self.stub: WorkerServiceAsyncStub = WorkerServiceStub(self.channel)

    def anew(self) -> Worker:
        """The same node, over a connection of its own."""
        return Worker(self.address, self.identity)

    async def describe(self, destinations: Sequence[str]) -> WorkerDescription:
        request = worker_pb2.DescribeRequest(destinations=destinations)
        answer, clock = await self.clocked(lambda: self.stub.Describe(request, timeout=CALL_SECONDS))
        return described_worker(self.name, answer, clock)

    async def prepare(
        self,
        run_id: str,
        plan: WorkerPlan,
        destinations: Sequence[Address],
        settings: ShardSettings,
        first_point: int,
    ) -> None:
        """``first_point``: of the ring, where this worker's arc begins; see ``c1m.dealing``."""
        request = prepare_request(run_id, plan, destinations, settings, first_point)
        with sentences(self.name):
            await self.stub.Prepare(request, timeout=PREPARE_SECONDS)

    async def start(self, run_id: str) -> None:
        with sentences(self.name):
            await self.stub.Start(worker_pb2.StartRequest(run_id=run_id), timeout=CALL_SECONDS)

    async def retarget(self, run_id: str, at_ns: int, stages: Sequence[Stage]) -> int:
        """The version of the schedule that the worker follows then."""
        request = worker_pb2.RetargetRequest(run_id=run_id, at_ns=at_ns, stages=stages_to_wire(stages))
        with sentences(self.name):
            answer = await self.stub.Retarget(request, timeout=CALL_SECONDS)
        return answer.version

    async def reinforce(self, run_id: str, shards: Iterable[tuple[int, ShardPlan]], destinations: Sequence[Address]) -> None:
        """More shards for a run that goes on: of each the first point of its arc, and its plan in this worker's tuple space."""
        request = worker_pb2.ReinforceRequest(
            run_id=run_id, shards=[shard_to_wire(shard, destinations, first_point) for first_point, shard in shards]
        )
        with sentences(self.name):
            await self.stub.Reinforce(request, timeout=PREPARE_SECONDS)

    async def watch(self, run_id: str, pace: Pace = OFTEN) -> AsyncGenerator[Told]:
        with sentences(self.name):
            request = worker_pb2.WatchRequest(run_id=run_id, **asdict(pace))
            async for told in fresh(self.stub.Watch(request)):
                yield told

    async def inspect(self, run_id: str) -> Inspection:
        with sentences(self.name):
            answer = await self.stub.Inspect(worker_pb2.InspectRequest(run_id=run_id), timeout=INSPECT_SECONDS)
        return wire.inspection_from_wire(answer.inspection)

    async def probe(self, run_id: str, most: int) -> tuple[int, int]:
        """Of how many connections the peers were asked, and how many of those they do not know."""
        with sentences(self.name):
            request = worker_pb2.ProbeRequest(run_id=run_id, connections=most)
            answer = await self.stub.Probe(request, timeout=PROBE_SECONDS)
        return answer.probed, answer.ghosts

    async def calm(self, run_id: str) -> None:
        """Replace nothing from here on."""
        with sentences(self.name):
            await self.stub.Calm(worker_pb2.CalmRequest(run_id=run_id), timeout=CALL_SECONDS)

    async def quiet(self, run_id: str) -> None:
        with sentences(self.name):
            await self.stub.Quiet(worker_pb2.QuietRequest(run_id=run_id), timeout=CALL_SECONDS)

    async def stop(self, run_id: str, close: Close, rate: float) -> None:
        request = worker_pb2.StopRequest(run_id=run_id, close=node_pb2.Close.Name(close), rate=rate)
        with sentences(self.name):
            await self.stub.Stop(request, timeout=CALL_SECONDS)


class Target(Node):
    def __init__(self, address: ControlAddress, identity: Identity | None = None) -> None:
        super().__init__("target", address, identity)
        self.stub: TargetServiceAsyncStub = TargetServiceStub(self.channel)

    def anew(self) -> Target:
        """The same node, over a connection of its own."""
        return Target(self.address, self.identity)

    async def describe(self) -> TargetDescription:
        request = target_pb2.TargetServiceDescribeRequest()
        answer, clock = await self.clocked(lambda: self.stub.Describe(request, timeout=CALL_SECONDS))
        return described_target(self.name, answer, clock)

    async def prepare(
        self, run_id: str, acceptors: int, settings: ShardSettings, push_rate: float, sources: Iterable[AddressPool]
    ) -> list[int]:
        """The port of each acceptor. ``sources``: where the run's connections come from."""
        request = target_pb2.TargetServicePrepareRequest(
            run_id=run_id,
            acceptors=acceptors,
            close=node_pb2.Close.Name(settings.close),
            lease_seconds=settings.lease,
            push_rate=push_rate,
            nonce=settings.nonce,
            sources=[block for pool in sources for block in pool_to_wire(pool)],
        )
        with sentences(self.name):
            answer = await self.stub.Prepare(request, timeout=PREPARE_SECONDS)
        return ports_of_acceptors(self.name, answer, acceptors)

    async def watch(self, run_id: str, pace: Pace = OFTEN) -> AsyncGenerator[Told]:
        with sentences(self.name):
            request = target_pb2.TargetServiceWatchRequest(run_id=run_id, **asdict(pace))
            async for told in fresh(self.stub.Watch(request)):
                yield told

    async def inspect(self, run_id: str) -> Inspection:
        request = target_pb2.TargetServiceInspectRequest(run_id=run_id)
        with sentences(self.name):
            answer = await self.stub.Inspect(request, timeout=INSPECT_SECONDS)
        return wire.inspection_from_wire(answer.inspection)

    async def storm(self, run_id: str, share: float) -> None:
        with sentences(self.name):
            request = target_pb2.TargetServiceStormRequest(run_id=run_id, share=share)
            await self.stub.Storm(request, timeout=CALL_SECONDS)

    async def rest(self, run_id: str) -> None:
        with sentences(self.name):
            await self.stub.Rest(target_pb2.TargetServiceRestRequest(run_id=run_id), timeout=CALL_SECONDS)

    async def stop(self, run_id: str) -> int | None:
        """How many connections its kernel still had; None: unknown."""
        request = target_pb2.TargetServiceStopRequest(run_id=run_id)
        with sentences(self.name):
            answer = await self.stub.Stop(request, timeout=INSPECT_SECONDS)
        return answer.left_established if answer.HasField("left_established") else None


def described_worker(name: str, answer: worker_pb2.DescribeResponse, clock: Clock | None) -> WorkerDescription:
    """Raises UsageError for what no worker of this protocol says."""
    host = wire.host_from_wire(answer.host)
    check_protocol(name, host)
    return WorkerDescription(
        host=host,
        sources=pool_from_wire(answer.sources),
        ports=ports_from_wire(answer.ports),
        busy_with=answer.busy_with,
        run_id=answer.run_id,
        elapsed_ns=answer.elapsed_ns,
        revision=revision_from_wire(answer.schedule) if answer.HasField("schedule") else None,
        sources_on_link=answer.sources_on_link,
        clock=clock,
    )


def described_target(name: str, answer: target_pb2.TargetServiceDescribeResponse, clock: Clock | None) -> TargetDescription:
    """Raises UsageError for what no target of this protocol says."""
    host = wire.host_from_wire(answer.host)
    check_protocol(name, host)
    ports = ports_from_wire(answer.ports)
    return TargetDescription(
        host, answer.bind, ports, answer.single_port, answer.busy_with, answer.observes, answer.only_run_sources, clock
    )


def ports_of_acceptors(name: str, answer: target_pb2.TargetServicePrepareResponse, acceptors: int) -> list[int]:
    """Raises UsageError unless there is one for each: the plan goes by them."""
    ports = list(answer.ports)
    if len(ports) != acceptors or not all(1 <= port <= 65_535 for port in ports):
        raise UsageError(
            f"{name} was asked for {acceptors:,} acceptors, and does not say the port of each; is it a c1m-target?"
        )
    return ports


def prepare_request(
    run_id: str, plan: WorkerPlan, destinations: Sequence[Address], settings: ShardSettings, first_point: int
) -> worker_pb2.PrepareRequest:
    shards = []
    for shard in plan.shards:
        shards.append(shard_to_wire(shard, destinations, first_point))
        first_point += shard.planned
    return worker_pb2.PrepareRequest(
        run_id=run_id,
        shards=shards,
        sources=pool_to_wire(plan.space.sources),
        ports=ports_to_wire(plan.space.ports),
        most_in_flight=settings.most_in_flight,
        connect_timeout_seconds=settings.connect_timeout,
        lease_seconds=settings.lease,
        heartbeat=wire.heartbeat_to_wire(settings.heartbeat) if settings.heartbeat else None,
        keepalive_seconds=settings.keepalive,
        pushed=bool(settings.push_rate),
        push_rate=settings.push_rate,
        schedule=revision_to_wire(Revision(settings.schedule)),
        peak=settings.peak,
        arrival=schedule_pb2.Arrival.Name(settings.arrival),
        close=node_pb2.Close.Name(settings.close),
        close_order=schedule_pb2.CloseOrder.Name(settings.close_order),
        seed=settings.seed,
        slow=wire.slow_to_wire(settings.slow) if settings.slow else None,
        nonce=settings.nonce,
        turnover=turnover_to_wire(settings.turnover) if settings.turnover else None,
    )


def shard_to_wire(shard: ShardPlan, destinations: Sequence[Address], first_point: int) -> worker_pb2.ShardAssignment:
    routes = [route_to_wire(route) for route in shard.resolve(destinations)]
    return worker_pb2.ShardAssignment(routes=routes, first_point=first_point)


async def fresh(
    answers: AsyncIterable[worker_pb2.WatchResponse | target_pb2.TargetServiceWatchResponse],
) -> AsyncGenerator[Told]:
    """Samples as they come, without those after which newer ones are about to come."""
    freshness = Freshness()
    async for answer in answers:
        came = wire.sample_from_wire(answer.sample)
        sample = freshness.take(came, time.monotonic())
        if sample is came:
            yield Told(came, answer.sample)
        elif sample is not None:
            yield Told(sample, wire.sample_to_wire(sample))


async def resolve(host: str) -> str:
    """One address of a host. Raises UsageError when it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=1)
    except OSError as error:
        raise UsageError(f"cannot resolve {host!r}: {error.strerror}; write an address, or correct the name") from None
    return str(found[0][4][0])
