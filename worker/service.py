"""WorkerService over a WorkerNode: messages in, values to the node, values back, messages out."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import grpc

from c1m import wire
from c1m.dealing import Share
from c1m.errors import UsageError
from c1m.following import Following
from c1m.gate import operator
from c1m.phase import Close, CloseOrder
from c1m.routes import TupleSpace
from c1m.schedule import Arrival, Revision, Schedule
from c1m.seam import Seam
from c1m.v1 import worker_pb2 as pb
from c1m.v1 import worker_pb2_grpc
from c1m.wire_schedule import revision_to_wire, stages_from_wire
from c1m.wire_turnover import turnover_from_wire

from .assignment import ShardAssignment
from .node import Preparation, WorkerNode

# An open loop's shard does what is due in ticks: short ones, for smoothness, and longer ones where many shards share the
# processors, lest they spend their time waking. Below 2 ms epoll_wait, which counts whole ones, would blur them anyway.
SHORTEST_TICK_SECONDS = 0.002
LONGEST_TICK_SECONDS = 0.01
WAKES_A_SECOND = 5000  # of all shards of a node together


class WorkerService(worker_pb2_grpc.WorkerServiceServicer):
    def __init__(self, seam: Seam, node: WorkerNode) -> None:
        self.seam = seam
        self.node = node

    def Describe(self, request: pb.DescribeRequest, context: grpc.ServicerContext) -> pb.DescribeResponse:
        described = self.seam.call(context, self.node.describe, request.destinations)
        return pb.DescribeResponse(
            host=wire.host_to_wire(described.host),
            sources=wire.pool_to_wire(described.sources),
            ports=wire.ports_to_wire(described.ports),
            busy_with=described.busy_with,
            run_id=described.run_id,
            elapsed_ns=described.elapsed_ns,
            schedule=revision_to_wire(described.revision) if described.revision else None,
            sources_on_link=min(described.sources_on_link, 2**63),
        )

    def Prepare(self, request: pb.PrepareRequest, context: grpc.ServicerContext) -> pb.PrepareResponse:
        async def prepare() -> None:
            await self.node.prepare(preparation(request, operator(context)))

        self.seam.call(context, prepare)
        return pb.PrepareResponse()

    def Start(self, request: pb.StartRequest, context: grpc.ServicerContext) -> pb.StartResponse:
        self.seam.call(context, self.node.start, request.run_id)
        return pb.StartResponse()

    def Retarget(self, request: pb.RetargetRequest, context: grpc.ServicerContext) -> pb.RetargetResponse:
        async def retarget() -> int:
            return await self.node.retarget(request.run_id, request.at_ns, stages_from_wire(request.stages))

        return pb.RetargetResponse(version=self.seam.call(context, retarget))

    def Watch(self, request: pb.WatchRequest, context: grpc.ServicerContext) -> Iterator[pb.WatchResponse]:
        for sample in self.seam.watch(context, lambda: self.node.find(request.run_id)):
            yield pb.WatchResponse(sample=wire.sample_to_wire(sample))

    def Inspect(self, request: pb.InspectRequest, context: grpc.ServicerContext) -> pb.InspectResponse:
        inspection = self.seam.call(context, self.node.inspect_run, request.run_id)
        return pb.InspectResponse(inspection=wire.inspection_to_wire(inspection))

    def Probe(self, request: pb.ProbeRequest, context: grpc.ServicerContext) -> pb.ProbeResponse:
        probed, ghosts = self.seam.call(context, self.node.probe, request.run_id, request.connections)
        return pb.ProbeResponse(probed=probed, ghosts=ghosts)

    def Calm(self, request: pb.CalmRequest, context: grpc.ServicerContext) -> pb.CalmResponse:
        self.seam.call(context, self.node.calm, request.run_id)
        return pb.CalmResponse()

    def Quiet(self, request: pb.QuietRequest, context: grpc.ServicerContext) -> pb.QuietResponse:
        self.seam.call(context, self.node.quiet, request.run_id)
        return pb.QuietResponse()

    def Stop(self, request: pb.StopRequest, context: grpc.ServicerContext) -> pb.StopResponse:
        close = Close(request.close or Close.RESET)
        self.seam.call(context, self.node.stop, request.run_id, close, request.rate)
        return pb.StopResponse()

    def Tune(self, request: pb.TuneRequest, context: grpc.ServicerContext) -> pb.TuneResponse:
        changes = self.seam.call(context, self.node.tune, request.settings, request.undo)
        return pb.TuneResponse(changes=map(wire.change_to_wire, changes))


def preparation(request: pb.PrepareRequest, operator: str) -> Preparation:
    """Raises UsageError for a request that makes no sense."""
    space = TupleSpace(wire.pool_from_wire(request.sources), wire.ports_from_wire(request.ports))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    heartbeat = wire.heartbeat_from_wire(request.heartbeat) if request.HasField("heartbeat") else None
    following = following_of(request)
    shards = [
        ShardAssignment(
            index=index,
            space=space,
            routes=tuple(wire.route_from_wire(route) for route in shard.routes),
            share=share_of(request.peak, shard),
            schedule=following.revision.schedule,
            rushes=following.arrival is Arrival.RUSH,
            scattered=following.arrival is Arrival.POISSON,
            oldest_first=CloseOrder(request.close_order or CloseOrder.OLDEST) is CloseOrder.OLDEST,
            reset=Close(request.close or Close.RESET) is Close.RESET,
            seed=request.seed << 64 | shard.first_point,
            descriptors=soft,
            most_in_flight=request.most_in_flight,
            connect_timeout=request.connect_timeout_seconds,
            tick=tick(len(request.shards)),
            heartbeat=heartbeat,
            turnover=turnover_from_wire(request.turnover) if request.HasField("turnover") else None,
            slow=wire.slow_from_wire(request.slow) if request.HasField("slow") else None,
            keepalive=request.keepalive_seconds,
            pushed=request.pushed,
        )
        for index, shard in enumerate(request.shards)
    ]
    for route in (route for shard in shards for route in shard.routes):
        if route.count > route.span or route.first + route.span > space.size:
            raise UsageError(f"{route} does not lie within the {space.size:,} tuples of the request")
    return Preparation(request.run_id, following, shards, request.lease_seconds, request.toward_target, operator)


def following_of(request: pb.PrepareRequest) -> Following:
    """The arcs of a node's shards lie side by side, and so the node's is one. Raises UsageError."""
    schedule = Schedule(stages_from_wire(request.schedule.stages))
    if schedule.peak > request.peak:
        raise UsageError(f"the schedule rises to {schedule.peak:,}, and its peak is said to be {request.peak:,}")
    shares = [share_of(request.peak, shard) for shard in request.shards]
    share = Share(request.peak, shares[0].first if shares else 0, sum(each.size for each in shares))
    return Following(share, Revision(schedule), Arrival(request.arrival or Arrival.CONSTANT))


def share_of(peak: int, shard: pb.ShardAssignment) -> Share:
    """Raises UsageError for an arc that is not on the ring."""
    share = Share(peak, shard.first_point, sum(route.count for route in shard.routes))
    if share.first + share.size > peak:
        raise UsageError(f"{share} does not lie on the ring")
    return share


def tick(shards: int) -> float:
    """Seconds between two wakes of one of so many shards."""
    return min(max(shards / WAKES_A_SECOND, SHORTEST_TICK_SECONDS), LONGEST_TICK_SECONDS)
