"""WorkerService: converts messages to values, calls the WorkerNode, and converts the results back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc

from c1m.node.authorization import operator
from c1m.node.rpc_server import RpcServer, refusals, stamped
from c1m.v1 import worker_pb2 as pb
from c1m.v1 import worker_pb2_grpc
from c1m.wire import node_messages as wire
from c1m.wire.route_messages import pool_to_wire, ports_to_wire
from c1m.wire.schedule_messages import revision_to_wire

from .requests import closing_of, destinations_of, preparation, shards_to_add, turn_of
from .worker_node import WorkerNode


class WorkerService(worker_pb2_grpc.WorkerServiceServicer):
    def __init__(self, rpc_server: RpcServer, node: WorkerNode) -> None:
        self.rpc_server = rpc_server
        self.node = node

    def Describe(self, request: pb.DescribeRequest, context: grpc.ServicerContext) -> pb.DescribeResponse:
        began_ns = time.monotonic_ns()
        with refusals(context):
            destinations = destinations_of(request)
        described = self.rpc_server.call(context, self.node.describe, destinations)
        return pb.DescribeResponse(
            host=wire.host_to_wire(stamped(described.host, began_ns)),
            sources=pool_to_wire(described.sources),
            ports=ports_to_wire(described.ports),
            busy_with=described.busy_with,
            run_id=described.run_id,
            elapsed_ns=described.elapsed_ns,
            schedule=revision_to_wire(described.revision) if described.revision else None,
            sources_on_link=min(described.sources_on_link, 2**63),
        )

    def Prepare(self, request: pb.PrepareRequest, context: grpc.ServicerContext) -> pb.PrepareResponse:
        with refusals(context):
            asked = preparation(request, operator(context))
        self.rpc_server.call(context, self.node.prepare, asked)
        return pb.PrepareResponse()

    def Start(self, request: pb.StartRequest, context: grpc.ServicerContext) -> pb.StartResponse:
        self.rpc_server.call(context, self.node.start, request.run_id)
        return pb.StartResponse()

    def Retarget(self, request: pb.RetargetRequest, context: grpc.ServicerContext) -> pb.RetargetResponse:
        with refusals(context):
            at_ns, stages = turn_of(request)
        return pb.RetargetResponse(version=self.rpc_server.call(context, self.node.retarget, request.run_id, at_ns, stages))

    def AddShards(self, request: pb.AddShardsRequest, context: grpc.ServicerContext) -> pb.AddShardsResponse:
        run = self.rpc_server.call(context, self.node.preparation_of, request.run_id)
        with refusals(context):
            shards = shards_to_add(request, run)
        self.rpc_server.call(context, self.node.add_shards, request.run_id, shards)
        return pb.AddShardsResponse()

    def Watch(self, request: pb.WatchRequest, context: grpc.ServicerContext) -> Iterator[pb.WatchResponse]:
        with refusals(context):
            pace = wire.pace_from_wire(request)
        for sample in self.rpc_server.watch(context, lambda: self.node.find(request.run_id), pace):
            yield pb.WatchResponse(sample=wire.sample_to_wire(sample))

    def Inspect(self, request: pb.InspectRequest, context: grpc.ServicerContext) -> pb.InspectResponse:
        inspection = self.rpc_server.call(context, self.node.inspect_run, request.run_id)
        return pb.InspectResponse(inspection=wire.inspection_to_wire(inspection))

    def Probe(self, request: pb.ProbeRequest, context: grpc.ServicerContext) -> pb.ProbeResponse:
        probed, ghosts = self.rpc_server.call(context, self.node.probe, request.run_id, request.connections)
        return pb.ProbeResponse(probed=probed, ghosts=ghosts)

    def StopTurnover(self, request: pb.StopTurnoverRequest, context: grpc.ServicerContext) -> pb.StopTurnoverResponse:
        self.rpc_server.call(context, self.node.stop_turnover, request.run_id)
        return pb.StopTurnoverResponse()

    def StopTraffic(self, request: pb.StopTrafficRequest, context: grpc.ServicerContext) -> pb.StopTrafficResponse:
        self.rpc_server.call(context, self.node.stop_traffic, request.run_id)
        return pb.StopTrafficResponse()

    def Stop(self, request: pb.StopRequest, context: grpc.ServicerContext) -> pb.StopResponse:
        with refusals(context):
            close, rate = closing_of(request)
        self.rpc_server.call(context, self.node.stop, request.run_id, close, rate)
        return pb.StopResponse()

    def Tune(self, request: pb.TuneRequest, context: grpc.ServicerContext) -> pb.TuneResponse:
        changes = self.rpc_server.call(context, self.node.tune, request.settings, request.undo)
        return pb.TuneResponse(changes=map(wire.change_to_wire, changes))
