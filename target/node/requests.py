"""What is asked of a target: messages into values. Whoever sends them may be anybody; raises UsageError for nonsense."""

from __future__ import annotations

from c1m.measure.phase import Close
from c1m.traffic.proof import nonce_of
from c1m.v1 import target_pb2 as pb
from c1m.wire import bounds
from c1m.wire.routes import pool_from_wire

from .node import Preparation


def preparation(request: pb.TargetServicePrepareRequest, operator: str) -> Preparation:
    """How many acceptors there may be is the node's to say."""
    return Preparation(
        run_id=request.run_id,
        operator=operator,
        acceptors=request.acceptors,
        close=bounds.member(Close, request.close or Close.RESET),
        lease_seconds=request.lease_seconds,
        nonce=nonce_of(request.nonce),
        sources=pool_from_wire(request.sources),
        push_rate=bounds.within("pushes a second", request.push_rate, 0, bounds.MOST_PUSHES),
    )
