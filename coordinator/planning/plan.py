"""The plan: which shard of which worker opens how many connections, to which acceptor, from which 4-tuples.

Pure and exact. Every connection of the total is planned once. No acceptor, descriptor table, tuple space or memory is
overfilled. A total that does not fit is refused, with the smallest change that makes it fit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from c1m.coordinator.summary.plan import Extremes, PlanSummary, WorkerPlanSummary
from c1m.errors import RefusedError
from c1m.net.ports import PortRanges
from c1m.net.tuples import Address, Route, TupleSpace

from .apportion import corner, evenly, fill, transport
from .capacity import TargetFacts, WorkerFacts, most_of, refusal, tuples_of
from .headroom import Headrooms, expected, largest, shortage

# More sources than this are used only if their 4-tuples are needed. Each source needs a neighbour entry on a server of the
# same network, and the default limit of those is 1,024 (net.ipv4.neigh.default.gc_thresh3).
MOST_SOURCES = 1000
# Spare 4-tuples of a route, for ports that turn out to be busy.
SPARE_SHARE = 4
SPARE_PORTS = 1024
# Destinations that share a local (address, port). Since Linux 6.8 bind() checks every socket that is already bound there
# (inet_connection_sock.c: inet_bhash2_conflict): with 51 of them that was 8 % of a ramp to a million. An (address, port)
# that is not shared costs the kernel 136 B (inet_bind2_bucket).
SHARERS = 4
MOST_SHARDS = 65_536  # per node; a million connections need 51 with 20,000 descriptors each


@dataclass(frozen=True, slots=True)
class PlannedRoute:
    """A slice of a worker's 4-tuples to one destination, and how many connections to open with it.

    The destination is an index, because the target reports its addresses only when it listens.
    """

    destination: int  # index of the destination
    first: int
    span: int
    count: int


class ShardPlan(NamedTuple):  # a NamedTuple, because a plan for ten thousand nodes has very many
    """The connections planned for one shard (a worker process): its routes to destinations."""

    routes: tuple[PlannedRoute, ...]

    @property
    def planned(self) -> int:
        """The number of connections planned for the shard."""
        return sum(route.count for route in self.routes)

    def resolve(self, destinations: Sequence[Address]) -> tuple[Route, ...]:
        """Return the routes of the shard with the addresses of the destinations in place of their indexes."""
        return tuple(Route(destinations[r.destination], r.first, r.span, r.count) for r in self.routes)


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """The connections planned for one worker node: its addresses and ports, and its shards."""

    name: str
    space: TupleSpace
    shards: tuple[ShardPlan, ...]

    @property
    def planned(self) -> int:
        """The number of connections planned for the worker."""
        return sum(shard.planned for shard in self.shards)

    def to_summary(self) -> WorkerPlanSummary:
        """Return the assignment in short."""
        return WorkerPlanSummary(
            node=self.name,
            planned=self.planned,
            shards=len(self.shards),
            sources=self.space.sources.size,
            client_ports=self.space.ports.size,
            tuples_per_destination=self.space.size,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The distribution of a run's connections over workers and destinations, and the acceptors that the target must start."""

    total: int
    workers: tuple[WorkerPlan, ...]  # workers with at least one connection
    destinations: tuple[int, ...]  # connections planned to each
    acceptors: int  # acceptors that the target must start; 0 for an endpoint
    spare: int = 0  # connections that each acceptor can hold beyond its plan

    def to_summary(self) -> PlanSummary:
        """Return the plan in short."""
        return PlanSummary(
            acceptors=self.acceptors or None,
            spare_per_acceptor=self.spare if self.acceptors else None,
            destinations=len(self.destinations),
            connections_per_destination=Extremes(min(self.destinations), max(self.destinations)),
            workers=tuple(worker.to_summary() for worker in self.workers),
        )


def make_plan(total: int, workers: Sequence[WorkerFacts], target: TargetFacts) -> Plan:
    """Return a plan for ``total`` connections from the workers to the target.

    Raises RefusedError with the reason, the numbers and the cure if they do not fit.
    """
    workers = apart(workers)
    return plan_within(total, Headrooms(workers, target), workers, target)


def plan_within(total: int, rooms: Headrooms, workers: Sequence[WorkerFacts], target: TargetFacts) -> Plan:
    """Return a plan for ``total`` connections, for workers whose 4-tuples are disjoint and whose headroom is known.

    ``workers``: as returned by ``apart``; ``rooms``: their headroom. Raises RefusedError if the connections do not fit.
    """
    found = layout(total, rooms, workers, target)
    if total > target.capacity or total > sum(found.capacities):
        raise RefusedError(refusal(total, workers, target))
    if total > sum(found.roomy):
        most = largest(total, lambda fewer: fits(fewer, rooms, workers, target))
        lacking = shortage(total, rooms, workers, expected(total, found.capacities), target)
        raise RefusedError(f"{lacking}; ask for at most {most:,}, or lift that limit")
    shares = fill(total, found.roomy)
    check_shards(workers, shares)
    demands = spread(shares, [worker.tuples for worker in workers], found.destinations)
    plans = [plan_worker(workers[index], demands[index]) for index in range(len(workers)) if shares[index]]
    return Plan(total, tuple(plans), tuple(found.destinations), found.acceptors, target.spare)


def check_shards(workers: Sequence[WorkerFacts], shares: Sequence[int]) -> None:
    """Raise RefusedError if a worker would need more than MOST_SHARDS shards, because each has hardly any descriptors.

    Returns nothing.
    """
    for worker, share in zip(workers, shares, strict=True):
        if (shards := worker.shards_for(share)) > MOST_SHARDS:
            raise RefusedError(
                f"{worker.name} would need {shards:,} processes for {share:,} connections, {worker.connections_per_process:,} "
                f"each, but a node starts at most {MOST_SHARDS:,}; raise its descriptor limit (ulimit -Hn)"
            )


class Layout(NamedTuple):
    """The number of acceptors for a total of connections, and how many connections each worker can hold then."""

    acceptors: int
    destinations: Sequence[int]  # connections to each
    capacities: Sequence[int]  # by worker: its 4-tuples to all destinations
    roomy: Sequence[int]  # by worker: the same, cut to the headroom of its places


def layout(total: int, rooms: Headrooms, workers: Sequence[WorkerFacts], target: TargetFacts) -> Layout:
    """Return the layout of a total of connections with the fewest acceptors that suffice; if none suffices, with the most."""
    acceptors = target.acceptors_for(total, tuples_of(workers))
    while True:
        destinations = target.destinations_for(acceptors)
        capacities = [worker.capacity(destinations) for worker in workers]
        roomy = rooms.within(total, capacities)
        # More destinations help if one worker has the 4-tuples and another the headroom.
        more = min(2 * acceptors, target.most_acceptors, total)
        if sum(roomy) >= total or target.destinations_for(more) <= destinations:
            return Layout(acceptors, evenly(total, destinations), capacities, roomy)
        acceptors = more


def fits(total: int, rooms: Headrooms, workers: Sequence[WorkerFacts], target: TargetFacts) -> bool:
    """Return True if the fleet has enough 4-tuples, listeners and headroom for ``total`` connections."""
    return total <= target.capacity and sum(layout(total, rooms, workers, target).roomy) >= total


def apart(workers: Sequence[WorkerFacts]) -> list[WorkerFacts]:
    """Return the workers with disjoint 4-tuples: those that share addresses of a namespace divide their client ports."""
    neighbours: dict[str, list[int]] = defaultdict(list)
    for index, worker in enumerate(workers):
        neighbours[worker.namespace].append(index)
    divided = list(workers)
    for indexes in neighbours.values():
        if overlap([workers[index] for index in indexes]):
            divide_ports(divided, indexes)
    return divided


def divide_ports(workers: list[WorkerFacts], indexes: Sequence[int]) -> None:
    """Change the workers at ``indexes`` in the list so that no two of them have a client port in common. Returns nothing.

    Each gets a part of its own ports; workers may have different ports.
    """
    given = PortRanges()
    for rank, index in enumerate(indexes):
        free = workers[index].ports.without(given)
        mine = free.take(free.size // (len(indexes) - rank))
        given = PortRanges(given.ranges + mine.ranges)
        workers[index] = replace(workers[index], ports=mine)


def overlap(workers: Sequence[WorkerFacts]) -> bool:
    """Return True if any two of the workers have a source address in common."""
    blocks = sorted((block.version, block.first, block.end) for worker in workers for block in worker.sources.blocks)
    # The blocks of one pool are disjoint, so two blocks that overlap belong to two workers.
    return any(a[0] == b[0] and b[1] < a[2] for a, b in pairwise(blocks))


def spread(shares: Sequence[int], tuples: Sequence[int], destinations: Sequence[int]) -> Mapping[int, Mapping[int, int]]:
    """Return the connections of each worker to each destination: worker index -> destination index -> count.

    Each worker connects to as few destinations as its 4-tuples allow.
    """
    demands: dict[int, dict[int, int]] = defaultdict(dict)
    for worker, destination, count in transport(shares, tuples, destinations):
        demands[worker][destination] = count
    return demands


def plan_worker(worker: WorkerFacts, demand: Mapping[int, int]) -> WorkerPlan:
    """Return the plan of one worker: its source addresses, and its shards with their routes.

    ``demand``: index of the destination -> connections.
    """
    share = sum(demand.values())
    shards = worker.shards_for(share)
    numbers = list(demand)
    cells = list(corner(evenly(share, shards), list(demand.values())))
    needed = most_of(demand.values())
    space = TupleSpace(worker.sources.take(sources_for(needed, worker)), worker.ports)
    slices = tuple_slices([(column, count) for _, column, count in cells], space.size, worker.resting)
    routes: list[list[PlannedRoute]] = [[] for _ in range(shards)]
    for (shard, column, count), (first, span) in zip(cells, slices, strict=True):
        routes[shard].append(PlannedRoute(numbers[column], first, span, count))
    return WorkerPlan(worker.name, space, tuple(ShardPlan(tuple(each)) for each in routes))


def sources_for(needed: int, worker: WorkerFacts) -> int:
    """Return how many of its source addresses a worker uses if it needs ``needed`` 4-tuples to one destination."""
    return min(worker.sources.size, max(MOST_SOURCES, -(-with_spare(needed, worker.resting) // worker.ports.size)))


def tuple_slices(cells: Sequence[tuple[int, int]], size: int, resting: float = 0.0) -> list[tuple[int, int]]:
    """Return the slice (first, span) of a worker's 4-tuples to the destination of each cell (destination, count).

    Slices are disjoint, and divide the spare 4-tuples. They lie in the first half of the space if that suffices, because the
    ports that the kernel does not choose itself are there.
    """
    wanted: dict[int, int] = defaultdict(int)
    for destination, count in cells:
        wanted[destination] += count
    spans = [min(size * count // wanted[destination], with_spare(count, resting)) for destination, count in cells]
    widths: dict[int, int] = defaultdict(int)
    for (destination, _), span in zip(cells, spans, strict=True):
        widths[destination] += span
    widest = max(most_of(widths.values()), 1)
    groups = max(min(-(-len(widths) // SHARERS), size // 2 // widest), 1)
    free = {destination: index % groups * widest for index, destination in enumerate(widths)}
    slices = []
    for (destination, _), span in zip(cells, spans, strict=True):
        slices.append((free[destination], span))
        free[destination] += span
    return slices


def with_spare(count: int, resting: float) -> int:
    """Return how many 4-tuples to set aside for ``count`` connections, with spare ones for busy ports and TIME_WAIT."""
    return count + count // SPARE_SHARE + SPARE_PORTS + int(count * resting)
