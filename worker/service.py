"""WorkerService over a WorkerNode: messages in, values to the node, values back, messages out."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import grpc

from c1m import wire
from c1m.errors import UsageError
from c1m.node import Close
from c1m.routes import TupleSpace
from c1m.seam import Seam
from c1m.v1 import worker_pb2 as pb
from c1m.v1 import worker_pb2_grpc

from .node import Preparation, WorkerNode
from .shard import ShardAssignment


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
        )

    def Prepare(self, request: pb.PrepareRequest, context: grpc.ServicerContext) -> pb.PrepareResponse:
        async def prepare() -> None:
            await self.node.prepare(preparation(request))

        self.seam.call(context, prepare)
        return pb.PrepareResponse()

    def Start(self, request: pb.StartRequest, context: grpc.ServicerContext) -> pb.StartResponse:
        self.seam.call(context, self.node.start, request.run_id)
        return pb.StartResponse()

    def Watch(self, request: pb.WatchRequest, context: grpc.ServicerContext) -> Iterator[pb.WatchResponse]:
        for sample in self.seam.watch(context, lambda: self.node.find(request.run_id)):
            yield pb.WatchResponse(sample=wire.sample_to_wire(sample))

    def Inspect(self, request: pb.InspectRequest, context: grpc.ServicerContext) -> pb.InspectResponse:
        inspection = self.seam.call(context, self.node.inspect_run, request.run_id)
        return pb.InspectResponse(inspection=wire.inspection_to_wire(inspection))

    def Probe(self, request: pb.ProbeRequest, context: grpc.ServicerContext) -> pb.ProbeResponse:
        probed, ghosts = self.seam.call(context, self.node.probe, request.run_id, request.connections)
        return pb.ProbeResponse(probed=probed, ghosts=ghosts)

    def Stop(self, request: pb.StopRequest, context: grpc.ServicerContext) -> pb.StopResponse:
        close = Close(request.close or Close.RESET)
        self.seam.call(context, self.node.stop, request.run_id, close, request.rate)
        return pb.StopResponse()


def preparation(request: pb.PrepareRequest) -> Preparation:
    """Raises UsageError for a request that makes no sense."""
    space = TupleSpace(wire.pool_from_wire(request.sources), wire.ports_from_wire(request.ports))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    heartbeat = wire.heartbeat_from_wire(request.heartbeat) if request.HasField("heartbeat") else None
    shards = [
        ShardAssignment(
            index=index,
            space=space,
            routes=tuple(wire.route_from_wire(route) for route in shard.routes),
            rate=shard.rate,
            phase=shard.phase_seconds,
            descriptors=soft,
            most_in_flight=request.most_in_flight,
            connect_timeout=request.connect_timeout_seconds,
            heartbeat=heartbeat,
        )
        for index, shard in enumerate(request.shards)
    ]
    for route in (route for shard in shards for route in shard.routes):
        if route.count > route.span or route.first + route.span > space.size:
            raise UsageError(f"{route} does not lie within the {space.size:,} tuples of the request")
    return Preparation(request.run_id, shards, request.lease_seconds)
