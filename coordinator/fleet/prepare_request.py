"""A worker's assignment as a message: what all shards of a run have in common, and what each shard of this worker opens."""

from __future__ import annotations

from collections.abc import Sequence

from c1m.coordinator.planning.plan import ShardPlan, WorkerPlan
from c1m.net.tuples import Address
from c1m.orders.shard_settings import ShardSettings
from c1m.v1 import worker_pb2
from c1m.wire.route_messages import pool_to_wire, ports_to_wire, route_to_wire
from c1m.wire.shard_settings_messages import settings_to_wire


def prepare_request(
    run_id: str, plan: WorkerPlan, destinations: Sequence[Address], settings: ShardSettings, first_point: int
) -> worker_pb2.PrepareRequest:
    """Return the protocol message that asks a worker to prepare the shards of its plan.

    ``first_point``: where the worker's arc of the ring begins.
    """
    shards = []
    for shard in plan.shards:
        shards.append(shard_to_wire(shard, destinations, first_point))
        first_point += shard.planned
    return worker_pb2.PrepareRequest(
        run_id=run_id,
        shards=shards,
        sources=pool_to_wire(plan.space.sources),
        ports=ports_to_wire(plan.space.ports),
        **settings_to_wire(settings),
    )


def shard_to_wire(shard: ShardPlan, destinations: Sequence[Address], first_point: int) -> worker_pb2.ShardAssignment:
    """Return the part of a protocol message that assigns routes to one shard.

    ``first_point``: where the shard's arc of the ring begins.
    """
    routes = [route_to_wire(route) for route in shard.resolve(destinations)]
    return worker_pb2.ShardAssignment(routes=routes, first_point=first_point)
