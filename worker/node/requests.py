"""Requests to a worker: protobuf messages to values. Any client may send them, so every field is checked.

All functions raise UsageError for a request that makes no sense, and RefusedError for one that is too large for this
machine.
"""

from __future__ import annotations

import ipaddress
import resource
from collections.abc import Sequence
from dataclasses import replace

from c1m.errors import RefusedError, UsageError
from c1m.measure.phase import Close
from c1m.net.tuples import Route, TupleSpace
from c1m.orders.shard_settings import ShardSettings
from c1m.processes.descriptors import RESERVE
from c1m.schedule.node_schedule import NodeSchedule
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import NANOSECONDS, Revision, Stage
from c1m.traffic.proof import nonce_of
from c1m.v1 import worker_pb2 as pb
from c1m.wire import bounds
from c1m.wire.route_messages import pool_from_wire, ports_from_wire, route_from_wire
from c1m.wire.schedule_messages import stages_from_wire
from c1m.wire.shard_settings_messages import settings_from_wire
from c1m.worker.shard.assignment import ShardAssignment

from .worker_node import WorkerOrders

# An open loop's shard does what is due in ticks: short ones, for smoothness, and longer ones where many shards share the
# processors, so that they do not spend their time waking. epoll_wait counts whole milliseconds, so less than 2 ms is useless.
SHORTEST_TICK_SECONDS = 0.002
LONGEST_TICK_SECONDS = 0.01
WAKES_A_SECOND = 5000  # of all shards of a node together

SLOWEST_CLOSE = 1e-6  # connections a second; a run that closes takes no other order


def destinations_of(request: pb.DescribeRequest) -> Sequence[str]:
    bounds.at_most("destinations", request.destinations, bounds.MOST_DESTINATIONS)
    for destination in request.destinations:
        version_of(destination)
    return tuple(request.destinations)


def turn_of(request: pb.RetargetRequest) -> tuple[int, Sequence[Stage]]:
    """Return the time at which the new stages of a Retarget request begin, in nanoseconds into the run, and the stages.

    Raises UsageError for a value that is out of range.
    """
    bounds.within("a moment in seconds", request.at_ns / NANOSECONDS, 0, bounds.LONGEST_SECONDS)
    return request.at_ns, stages_from_wire(request.stages)


def closing_of(request: pb.StopRequest) -> tuple[Close, float]:
    """Return how a Stop request wants connections closed, and how many a second; 0 means unlimited.

    Raises UsageError for a value that is out of range.
    """
    if request.rate:
        bounds.within("a rate of closing", request.rate, SLOWEST_CLOSE, bounds.FASTEST_CLOSE)
    return bounds.member(Close, request.close or Close.RESET), request.rate


def preparation(request: pb.PrepareRequest, operator: str) -> WorkerOrders:
    """Return the worker's orders for a run from a Prepare request.

    ``operator`` is the caller's name, empty if unknown. Raises UsageError for an invalid request.
    """
    check_sizes(request)
    space = TupleSpace(pool_from_wire(request.sources), ports_from_wire(request.ports))
    version = version_in(space)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    settings = settings_from_wire(request)
    nonce_of(settings.nonce)
    shards = [
        ShardAssignment(
            index=index,
            space=space,
            routes=tuple(route_within(space, version, route_from_wire(route)) for route in shard.routes),
            share=share_within(soft, settings.peak, shard),
            settings=settings,
            descriptors=soft,
            tick=tick(len(request.shards)),
        )
        for index, shard in enumerate(request.shards)
    ]
    return WorkerOrders(request.run_id, following_of(settings, shards), shards, settings, operator)


def shards_to_add(request: pb.AddShardsRequest, run: WorkerOrders) -> list[ShardAssignment]:
    """Return the assignments of the shards in an AddShards request, like those that the run has.

    The node chooses their numbers and their schedule.
    """
    check_sizes(request)
    like = run.shards[0]
    version = version_in(like.space)
    return [
        replace(
            like,
            routes=tuple(route_within(like.space, version, route_from_wire(route)) for route in shard.routes),
            share=share_within(like.descriptors, like.share.peak, shard),
        )
        for shard in request.shards
    ]


def check_sizes(request: pb.PrepareRequest | pb.AddShardsRequest) -> None:
    """Raise UsageError if a request has no shards, or a shard has too many routes. The node checks the number of shards."""
    if not request.shards:
        raise UsageError("a run without shards opens nothing; give at least one")
    for shard in request.shards:
        bounds.at_most("routes of a shard", shard.routes, bounds.MOST_ROUTES)


def version_of(address: str) -> int:
    """Return the IP version of an address, 4 or 6.

    Raises UsageError for names, since they would need a look-up, and for addresses with a scope.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise UsageError(f"{address[:100]!r} is not an address; send 10.0.0.5 or fd00::1") from None
    if found.version == 6 and found.scope_id is not None:
        raise UsageError(f"{address[:100]!r} has a scope, which c1m does not know; send a global or fd00::/8 address")
    return found.version


def version_in(space: TupleSpace) -> int | None:
    try:
        return space.sources.version
    except ValueError as error:
        raise UsageError(str(error)) from None


def route_within(space: TupleSpace, version: int | None, route: Route) -> Route:
    host, port = route.destination
    if version_of(host) != version:
        raise UsageError(f"{host} is not of the family of the sources, {space.sources}; give sources of its own")
    bounds.within("a port", port, 1, 65_535)
    if route.count > route.span or route.first + route.span > space.size:
        raise UsageError(f"{route} does not lie within the {space.size:,} tuples of the request")
    return route


def following_of(settings: ShardSettings, shards: Sequence[ShardAssignment]) -> NodeSchedule:
    """Return the schedule of a node and its shards from a Prepare request.

    Raises UsageError for an invalid schedule. The arcs of a node's shards are adjacent, so together they are one arc.
    """
    schedule = settings.schedule
    if schedule.peak > settings.peak:
        raise UsageError(f"the schedule rises to {schedule.peak:,}, but the request gives its peak as {settings.peak:,}")
    return NodeSchedule(tuple(shard.share for shard in shards), Revision(schedule), settings.arrival)


def share_within(descriptors: int, peak: int, shard: pb.ShardAssignment) -> RingShare:
    """Return the part of the run's connections that a shard in a request opens.

    Raises RefusedError if that does not fit into a process with ``descriptors`` descriptors.
    """
    share = share_of(peak, shard)
    if share.size > descriptors - RESERVE:
        raise RefusedError(
            f"a shard of {share.size:,} connections does not fit into a process, which may have {descriptors:,} "
            f"descriptors here; send more shards, or raise the limit with ulimit -Hn"
        )
    return share


def share_of(peak: int, shard: pb.ShardAssignment) -> RingShare:
    """Return the part of the run's connections that a shard in a request opens, as an arc of the ring.

    Raises UsageError if the arc does not lie on the ring.
    """
    share = RingShare(peak, shard.first_point, sum(route.count for route in shard.routes))
    if share.first + share.size > peak:
        raise UsageError(f"{share} does not lie on the ring")
    return share


def tick(shards: int) -> float:
    """Return the seconds between two wakeups of each shard if a node has ``shards`` shards."""
    return min(max(shards / WAKES_A_SECOND, SHORTEST_TICK_SECONDS), LONGEST_TICK_SECONDS)
