"""TargetService: converts messages to values, calls a TargetNode or an Observer, and converts the results back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc

from c1m.measure.phase import Close
from c1m.node.authorization import operator
from c1m.node.rpc_server import RpcServer, refusals, stamped
from c1m.traffic.proof import nonce_of
from c1m.v1 import target_pb2 as pb
from c1m.v1 import target_pb2_grpc
from c1m.wire import bounds
from c1m.wire import node_messages as wire
from c1m.wire.route_messages import pool_from_wire, ports_to_wire

from .observer import Observer
from .target_node import TargetNode, TargetOrders


class TargetService(target_pb2_grpc.TargetServiceServicer):
    def __init__(self, rpc_server: RpcServer, node: TargetNode | Observer) -> None:
        self.rpc_server = rpc_server
        self.node = node

    def Describe(self, _: pb.TargetServiceDescribeRequest, context: grpc.ServicerContext) -> pb.TargetServiceDescribeResponse:
        began_ns = time.monotonic_ns()
        described = self.rpc_server.call(context, self.node.describe)
        return pb.TargetServiceDescribeResponse(
            host=wire.host_to_wire(stamped(described.host, began_ns)),
            bind=described.bind.host,
            ports=ports_to_wire(described.bind.ports),
            single_port=described.bind.single_port,
            busy_with=described.busy_with,
            observes=described.observes,
            only_run_sources=described.only_run_sources,
        )

    def Prepare(
        self, request: pb.TargetServicePrepareRequest, context: grpc.ServicerContext
    ) -> pb.TargetServicePrepareResponse:
        with refusals(context):
            asked = preparation(request, operator(context))
        return pb.TargetServicePrepareResponse(ports=self.rpc_server.call(context, self.node.prepare, asked))

    def Watch(
        self, request: pb.TargetServiceWatchRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.TargetServiceWatchResponse]:
        with refusals(context):
            pace = wire.pace_from_wire(request)
        for sample in self.rpc_server.watch(context, lambda: self.node.find(request.run_id), pace):
            yield pb.TargetServiceWatchResponse(sample=wire.sample_to_wire(sample))

    def Inspect(
        self, request: pb.TargetServiceInspectRequest, context: grpc.ServicerContext
    ) -> pb.TargetServiceInspectResponse:
        inspection = self.rpc_server.call(context, self.node.inspect_run, request.run_id)
        return pb.TargetServiceInspectResponse(inspection=wire.inspection_to_wire(inspection))

    def StopAccepting(
        self, request: pb.TargetServiceStopAcceptingRequest, context: grpc.ServicerContext
    ) -> pb.TargetServiceStopAcceptingResponse:
        self.rpc_server.call(context, self.node.stop_accepting, request.run_id)
        return pb.TargetServiceStopAcceptingResponse()

    def Storm(self, request: pb.TargetServiceStormRequest, context: grpc.ServicerContext) -> pb.TargetServiceStormResponse:
        self.rpc_server.call(context, self.node.storm, request.run_id, request.share)
        return pb.TargetServiceStormResponse()

    def Stop(self, request: pb.TargetServiceStopRequest, context: grpc.ServicerContext) -> pb.TargetServiceStopResponse:
        left = self.rpc_server.call(context, self.node.stop, request.run_id)
        return pb.TargetServiceStopResponse(left_established=left)

    def Tune(self, request: pb.TargetServiceTuneRequest, context: grpc.ServicerContext) -> pb.TargetServiceTuneResponse:
        changes = self.rpc_server.call(context, self.node.tune, request.settings, request.undo)
        return pb.TargetServiceTuneResponse(changes=map(wire.change_to_wire, changes))


def preparation(request: pb.TargetServicePrepareRequest, operator: str) -> TargetOrders:
    """Return the target's orders for a run from a Prepare request.

    The node decides how many acceptors are possible. Raises UsageError for a request that makes no sense.
    """
    return TargetOrders(
        run_id=request.run_id,
        operator=operator,
        acceptors=request.acceptors,
        close=bounds.member(Close, request.close or Close.RESET),
        lease_seconds=request.lease_seconds,
        nonce=nonce_of(request.nonce),
        sources=pool_from_wire(request.sources),
        push_rate=bounds.within("pushes a second", request.push_rate, 0, bounds.MOST_PUSHES),
    )
