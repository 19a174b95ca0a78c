"""The nodes of a run over gRPC: calls that take and return values, not messages. All of them raise C1mError."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from c1m.coordinator.planning.plan import ShardPlan, WorkerPlan
from c1m.errors import UsageError
from c1m.measure.phase import Close
from c1m.measure.sample import Inspection
from c1m.measure.sampling import OFTEN, SamplingInterval
from c1m.net.addresses import AddressPool
from c1m.net.control_address import ControlAddress
from c1m.net.tuples import Address
from c1m.orders.shard_settings import ShardSettings
from c1m.schedule.schedule import Stage
from c1m.security.identity import Renewals
from c1m.v1 import node_pb2, target_pb2, worker_pb2
from c1m.v1.target_pb2_grpc import TargetServiceStub
from c1m.v1.worker_pb2_grpc import WorkerServiceStub
from c1m.wire import node_messages as wire
from c1m.wire.route_messages import pool_to_wire
from c1m.wire.schedule_messages import stages_to_wire

from .channel import CALL_SECONDS, NodeClient, sentences
from .descriptions import DescribedTarget, DescribedWorker, described_target, described_worker
from .nodes import ReceivedSample
from .prepare_request import prepare_request, shard_to_wire
from .retry import with_retry
from .stale_samples import StaleSampleFilter

if TYPE_CHECKING:
    from c1m.v1.target_pb2_grpc import TargetServiceAsyncStub
    from c1m.v1.worker_pb2_grpc import WorkerServiceAsyncStub

PREPARE_SECONDS = 90.0
PROBE_SECONDS = 30.0
INSPECT_SECONDS = 60.0  # a million connections take about two


class WorkerClient(NodeClient):
    """The client by which a coordinator calls one worker."""

    def __init__(self, address: ControlAddress, operator: Renewals | None = None) -> None:
        super().__init__("worker", address, operator)
        self.stub: WorkerServiceAsyncStub = WorkerServiceStub(self.channel)

    def anew(self) -> WorkerClient:
        """Return a new client of the same worker, with a connection of its own."""
        return WorkerClient(self.address, self.operator)

    async def ping(self) -> None:
        """Call the worker, and return nothing once it has answered. Raises C1mError if it does not answer."""
        with sentences(self.name):
            await self.stub.Describe(worker_pb2.DescribeRequest(), timeout=CALL_SECONDS)

    async def describe(self, destinations: Sequence[str]) -> DescribedWorker:
        """Return the worker's description of the node, its host and the run that it is on.

        ``destinations``: addresses of the server; the worker counts its source addresses that are on one link with them.
        """
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
        """Ask the worker to prepare the shards of its plan. Returns nothing.

        ``first_point``: where the worker's arc of the ring begins; see ``c1m.schedule.ring``.
        """
        request = prepare_request(run_id, plan, destinations, settings, first_point)
        await with_retry(self, lambda node: node.stub.Prepare(request, timeout=PREPARE_SECONDS))

    async def start(self, run_id: str) -> None:
        """Ask the worker to begin to open connections. Returns nothing."""
        request = worker_pb2.StartRequest(run_id=run_id)
        await with_retry(self, lambda node: node.stub.Start(request, timeout=CALL_SECONDS))

    async def retarget(self, run_id: str, at_ns: int, stages: Sequence[Stage]) -> int:
        """Give the worker other stages, which hold from ``at_ns`` nanoseconds after the start of the run.

        Returns the version number of the schedule that results.
        """
        request = worker_pb2.RetargetRequest(run_id=run_id, at_ns=at_ns, stages=stages_to_wire(stages))
        with sentences(self.name):
            answer = await self.stub.Retarget(request, timeout=CALL_SECONDS)
        return answer.version

    async def add_shards(self, run_id: str, shards: Iterable[tuple[int, ShardPlan]], destinations: Sequence[Address]) -> None:
        """Ask the worker to add shards to the running run. Returns nothing.

        ``shards``: for each shard the first point of its arc of the ring, and its plan in the worker's own tuple space.
        """
        request = worker_pb2.AddShardsRequest(
            run_id=run_id, shards=[shard_to_wire(shard, destinations, first_point) for first_point, shard in shards]
        )
        await with_retry(self, lambda node: node.stub.AddShards(request, timeout=PREPARE_SECONDS))

    async def watch(self, run_id: str, pace: SamplingInterval = OFTEN) -> AsyncGenerator[ReceivedSample]:
        """Yield the worker's samples until the run is over on the worker. Watching renews the worker's lease."""
        with sentences(self.name):
            request = worker_pb2.WatchRequest(run_id=run_id, **asdict(pace))
            async for received in fresh(self.stub.Watch(request)):
                yield received

    async def inspect(self, run_id: str) -> Inspection:
        """Return what the worker and its kernel count now, such as the established connections."""
        request = worker_pb2.InspectRequest(run_id=run_id)
        answer = await with_retry(self, lambda node: node.stub.Inspect(request, timeout=INSPECT_SECONDS))
        return wire.inspection_from_wire(answer.inspection)

    async def probe(self, run_id: str, most: int) -> tuple[int, int]:
        """Ask the worker to probe the peers of up to ``most`` connections.

        Returns two counts: the connections whose peer answered, and those of them that the peer does not know (ghosts).
        """
        request = worker_pb2.ProbeRequest(run_id=run_id, connections=most)
        answer = await with_retry(self, lambda node: node.stub.Probe(request, timeout=PROBE_SECONDS))
        return answer.probed, answer.ghosts

    async def stop_turnover(self, run_id: str) -> None:
        """Ask the worker to stop replacing connections. Returns nothing."""
        request = worker_pb2.StopTurnoverRequest(run_id=run_id)
        await with_retry(self, lambda node: node.stub.StopTurnover(request, timeout=CALL_SECONDS))

    async def stop_traffic(self, run_id: str) -> None:
        """Ask the worker to stop sending on all connections. Returns nothing.

        The worker waits up to 5 s for answers under way.
        """
        request = worker_pb2.StopTrafficRequest(run_id=run_id)
        await with_retry(self, lambda node: node.stub.StopTraffic(request, timeout=CALL_SECONDS))

    async def stop(self, run_id: str, close: Close, rate: float) -> None:
        """Ask the worker to begin to close all connections: ``rate`` a second, or as fast as possible if that is 0.

        Returns nothing.
        """
        request = worker_pb2.StopRequest(run_id=run_id, close=node_pb2.Close.Name(close), rate=rate)
        await with_retry(self, lambda node: node.stub.Stop(request, timeout=CALL_SECONDS))


class TargetClient(NodeClient):
    """The client by which a coordinator calls one target."""

    def __init__(self, address: ControlAddress, operator: Renewals | None = None) -> None:
        super().__init__("target", address, operator)
        self.stub: TargetServiceAsyncStub = TargetServiceStub(self.channel)

    def anew(self) -> TargetClient:
        """Return a new client of the same target, with a connection of its own."""
        return TargetClient(self.address, self.operator)

    async def ping(self) -> None:
        """Call the target, and return nothing once it has answered. Raises C1mError if it does not answer."""
        with sentences(self.name):
            await self.stub.Describe(target_pb2.TargetServiceDescribeRequest(), timeout=CALL_SECONDS)

    async def describe(self) -> DescribedTarget:
        """Return the target's description of the node, its host and the run that it is busy with."""
        request = target_pb2.TargetServiceDescribeRequest()
        answer, clock = await self.clocked(lambda: self.stub.Describe(request, timeout=CALL_SECONDS))
        return described_target(self.name, answer, clock)

    async def prepare(self, run_id: str, acceptors: int, settings: ShardSettings, sources: Iterable[AddressPool]) -> list[int]:
        """Ask the target to start ``acceptors`` acceptor processes. Return the list of their ports.

        ``sources``: the addresses from which the run connects.
        """
        request = target_pb2.TargetServicePrepareRequest(
            run_id=run_id,
            acceptors=acceptors,
            close=node_pb2.Close.Name(settings.close),
            lease_seconds=settings.lease,
            push_rate=settings.push_rate,
            nonce=settings.nonce,
            sources=[block for pool in sources for block in pool_to_wire(pool)],
        )
        answer = await with_retry(self, lambda node: node.stub.Prepare(request, timeout=PREPARE_SECONDS))
        return ports_of_acceptors(self.name, answer, acceptors)

    async def watch(self, run_id: str, pace: SamplingInterval = OFTEN) -> AsyncGenerator[ReceivedSample]:
        """Yield the target's samples until the run is over on the target. Watching renews the target's lease."""
        with sentences(self.name):
            request = target_pb2.TargetServiceWatchRequest(run_id=run_id, **asdict(pace))
            async for received in fresh(self.stub.Watch(request)):
                yield received

    async def inspect(self, run_id: str) -> Inspection:
        """Return what the target and its kernel count now, such as the established connections."""
        request = target_pb2.TargetServiceInspectRequest(run_id=run_id)
        answer = await with_retry(self, lambda node: node.stub.Inspect(request, timeout=INSPECT_SECONDS))
        return wire.inspection_from_wire(answer.inspection)

    async def storm(self, run_id: str, share: float) -> None:
        """Ask the target to drop a share of its open connections, above 0 and up to 1. Returns nothing."""
        with sentences(self.name):
            request = target_pb2.TargetServiceStormRequest(run_id=run_id, share=share)
            await self.stub.Storm(request, timeout=CALL_SECONDS)

    async def stop_accepting(self, run_id: str) -> None:
        """Ask the target to stop accepting connections, and to stop serving open ones, which their clients are about to reset.

        Returns nothing.
        """
        request = target_pb2.TargetServiceStopAcceptingRequest(run_id=run_id)
        await with_retry(self, lambda node: node.stub.StopAccepting(request, timeout=CALL_SECONDS))

    async def stop(self, run_id: str) -> int | None:
        """Ask the target to close what is left. Return how many connections its kernel still had; None if unknown."""
        request = target_pb2.TargetServiceStopRequest(run_id=run_id)
        answer = await with_retry(self, lambda node: node.stub.Stop(request, timeout=INSPECT_SECONDS))
        return answer.left_established if answer.HasField("left_established") else None


def ports_of_acceptors(name: str, answer: target_pb2.TargetServicePrepareResponse, acceptors: int) -> list[int]:
    """Return the ports in a target's answer, one for each acceptor.

    Raises UsageError if there is not exactly one for each of the ``acceptors`` that it was asked for.
    """
    ports = list(answer.ports)
    if len(ports) != acceptors or not all(1 <= port <= 65_535 for port in ports):
        raise UsageError(
            f"{name} was asked for {acceptors:,} acceptors, and does not say the port of each; is it a c1m-target?"
        )
    return ports


async def fresh(
    answers: AsyncIterable[worker_pb2.WatchResponse | target_pb2.TargetServiceWatchResponse],
) -> AsyncGenerator[ReceivedSample]:
    """Yield the samples in a node's answers as they arrive. Late ones are left out while a newer one is about to come."""
    stale_filter = StaleSampleFilter()
    async for answer in answers:
        came = wire.sample_from_wire(answer.sample)
        sample = stale_filter.take(came, time.monotonic())
        if sample is came:
            yield ReceivedSample(came, answer.sample)
        elif sample is not None:
            yield ReceivedSample(sample, wire.sample_to_wire(sample))
