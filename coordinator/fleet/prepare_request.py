"""A worker's assignment as a message: what all shards of a run have in common, and what each shard of this worker opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from c1m.coordinator.planning.plan import ShardPlan, WorkerPlan
from c1m.measure.phase import Close, CloseOrder
from c1m.net.tuples import Address
from c1m.schedule.schedule import Arrival, Revision, Schedule
from c1m.traffic.heartbeat import Heartbeat
from c1m.traffic.slow_clients import SlowClients
from c1m.traffic.turnover import Turnover
from c1m.v1 import node_pb2, schedule_pb2, worker_pb2
from c1m.wire import node_messages as wire
from c1m.wire.route_messages import pool_to_wire, ports_to_wire, route_to_wire
from c1m.wire.schedule_messages import revision_to_wire
from c1m.wire.turnover_messages import turnover_to_wire


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
    slow: SlowClients | None = None
    nonce: bytes = b""  # shared with the run's c1m-target; empty: the run has none
    keepalive: int = 0  # seconds
    push_rate: float = 0.0  # messages a second that the target sends to each connection


def prepare_request(
    run_id: str, plan: WorkerPlan, destinations: Sequence[Address], settings: ShardSettings, first_point: int
) -> worker_pb2.PrepareRequest:
    """Return a worker's assignment as a message. ``first_point``: where its arc of the ring begins."""
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
    """Return what one shard opens as a message. ``first_point``: where its arc of the ring begins."""
    routes = [route_to_wire(route) for route in shard.resolve(destinations)]
    return worker_pb2.ShardAssignment(routes=routes, first_point=first_point)
