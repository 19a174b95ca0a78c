"""Redistribution of a lost worker's share: which arcs of the ring go to which workers, destinations and 4-tuples.

Pure and exact, like a plan: every point of the arcs is assigned once, no 4-tuple is used twice, and no acceptor, descriptor
table or memory is overfilled by present and added connections together. A share that does not fit is refused as a whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple

from c1m.errors import RefusedError
from c1m.limits.budget import Budget
from c1m.schedule.node_schedule import COUNTED_SECONDS
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import NANOSECONDS, Schedule

from .apportion import corner, evenly, fill
from .capacity import TargetFacts, WorkerFacts
from .headroom import Headrooms
from .plan import Plan, PlannedRoute, ShardPlan, WorkerPlan, with_spare

COUNTED_NS = round(COUNTED_SECONDS * NANOSECONDS)
LOOKS = 20  # moments at which the schedule is evaluated, within the time in which a shard may have counted


class Arc(NamedTuple):
    """A range of consecutive connection numbers on the ring of a run; see ``c1m.schedule.ring``."""

    first: int
    size: int


class AddedShard(NamedTuple):
    """A shard that a worker is to add, with the ring numbers of its connections, which begin at ``first_point``."""

    first_point: int
    shard: ShardPlan


@dataclass(frozen=True, slots=True)
class Move:
    """A part of a lost worker's share of connections that another worker was asked to take over."""

    lost: str
    taker: str
    more: tuple[AddedShard, ...]
    taken: bool | None = None  # None: no answer has come

    @property
    def arcs(self) -> list[Arc]:
        """The ranges of ring numbers that the added shards own, one for each shard."""
        return [Arc(each.first_point, each.shard.planned) for each in self.more]

    @property
    def size(self) -> int:
        """The number of connections that the other worker was asked to take over."""
        return sum(each.shard.planned for each in self.more)


class Holding(NamedTuple):
    """What one worker has of a run now: its plan, and the ranges of ring numbers of its connections."""

    plan: WorkerPlan
    arcs: tuple[Arc, ...]

    def and_also(self, more: Sequence[AddedShard]) -> Holding:
        """Return a worker's holding extended by the given shards and their ranges of ring numbers."""
        plan = replace(self.plan, shards=(*self.plan.shards, *(each.shard for each in more)))
        return Holding(plan, (*self.arcs, *(Arc(each.first_point, each.shard.planned) for each in more)))


@dataclass(frozen=True, slots=True)
class Survivors:
    """The holdings of workers that are left and of those that are lost, when a share is to be redistributed."""

    left: Mapping[str, Holding]  # workers that can take something
    others: Mapping[str, Holding]  # workers that are not lost, but cannot
    lost: Mapping[str, Holding]  # lost workers, with what they had
    still_open: int  # connections of lost workers that the target may still have open
    acceptors: int
    destinations: int


def holdings(plan: Plan) -> dict[str, Holding]:
    """Return worker -> plan and range of ring numbers, at the start of a run.

    Ranges lie side by side, in the order of the plan.
    """
    points = accumulate((worker.planned for worker in plan.workers), initial=0)
    return {
        worker.name: Holding(worker, (Arc(point, worker.planned),)) for worker, point in zip(plan.workers, points, strict=False)
    }


def holdings_after(plan: Plan, moves: Iterable[Move]) -> dict[str, Holding]:
    """Return worker -> what it has of the run after the given takeovers, for lost workers as well."""
    found = holdings(plan)
    for move in moves:
        if move.taken:
            found[move.taker] = found[move.taker].and_also(move.more)
    return found


def can_be_of(shares: Sequence[RingShare], schedule: Schedule, elapsed_ns: int, scheduled: int) -> bool:
    """Return True if a worker's report that it should have ``scheduled`` connections open agrees with the given shares.

    Each shard counts at a moment of its own, within COUNTED_SECONDS before ``elapsed_ns``.
    """
    moments = range(max(elapsed_ns - COUNTED_NS, 0), elapsed_ns + 1, COUNTED_NS // LOOKS)
    numbers = {schedule.at(moment) for moment in (*moments, elapsed_ns)}
    counts = [[share.count(number) for number in numbers] for share in shares]
    return sum(map(min, counts)) <= scheduled <= sum(map(max, counts))


def left_over(arcs: Iterable[Arc], taken: Iterable[Arc]) -> list[Arc]:
    """Return the parts of ``arcs`` that are not in ``taken``, without empty ones.

    Taken arcs lie within ``arcs`` and are disjoint.
    """
    left, cuts = [], sorted(taken)
    for arc in arcs:
        begin, end = arc.first, arc.first + arc.size
        for cut in (cut for cut in cuts if arc.first <= cut.first < end):
            left.append(Arc(begin, cut.first - begin))
            begin = cut.first + cut.size
        left.append(Arc(begin, end - begin))
    return [arc for arc in left if arc.size]


def redistribute(
    arcs: Sequence[Arc], scene: Survivors, facts: Mapping[str, WorkerFacts], target: TargetFacts
) -> dict[str, list[AddedShard]]:
    """Return which shards each remaining worker should add to take over the lost connections: worker -> shards.

    Workers that get nothing are missing. Raises RefusedError, with what is lacking, if the connections do not fit.
    """
    total, names = sum(arc.size for arc in arcs), list(scene.left)
    if not names:
        raise RefusedError("no worker is left that could take it over")
    rooms = rooms_at_destinations(scene, target)
    if sum(rooms) < total:
        raise RefusedError(
            f"{target.name} has room for {sum(rooms):,} connections besides those that it has or may still have, but the share "
            f"is {total:,}"
        )
    free = {name: Free(scene.left[name].plan, scene.destinations) for name in names}
    most = [[min(free[name].room(index), room) for index, room in enumerate(rooms)] for name in names]
    capacities = rooms_left(scene, facts, target).within(total, map(sum, most))
    if sum(capacities) < total:
        raise RefusedError(
            f"the {len(names):,} remaining workers have 4-tuples, descriptors and memory for {sum(capacities):,} more "
            f"connections, but the share is {total:,}"
        )
    cells = deal(fill(total, capacities), fill(total, rooms), rooms, most)
    if sum(map(sum, (each.values() for each in cells))) < total:
        raise RefusedError(
            f"no 4-tuples are left between the workers that have room and the ports of {target.name} that have room"
        )
    pieces = cut(arcs, [sum(each.values()) for each in cells], [facts[name].connections_per_process for name in names])
    return {
        name: shards_to_add(pieces[row], cells[row], free[name], facts[name].resting)
        for row, name in enumerate(names)
        if pieces[row]
    }


def rooms_at_destinations(scene: Survivors, target: TargetFacts) -> list[int]:
    """Return how many more connections each destination (an acceptor, or the port that all share) can hold.

    Raises RefusedError for an endpoint, which cannot tell what it still holds.
    """
    if target.is_endpoint:
        raise RefusedError(
            f"{target.name} is not a c1m-target, and cannot say whether it still has the lost connections; with those it would "
            f"get more connections than were asked for"
        )
    each = target.connections_per_process * scene.acceptors // scene.destinations
    there = planned_to(chain_of(scene.left, scene.others))
    gone = planned_to(scene.lost.values())
    return [max(each - there[index] - min(gone[index], scene.still_open), 0) for index in range(scene.destinations)]


def chain_of(*groups: Mapping[str, Holding]) -> list[Holding]:
    """Return the holdings of all workers of the given groups in one list."""
    return [holding for group in groups for holding in group.values()]


def planned_to(found: Iterable[Holding]) -> Counter[int]:
    """Return how many connections are planned to each destination, by its index, in all the given holdings."""
    counts: Counter[int] = Counter()
    for holding in found:
        for shard in holding.plan.shards:
            for route in shard.routes:
                counts[route.destination] += route.count
    return counts


def rooms_left(scene: Survivors, facts: Mapping[str, WorkerFacts], target: TargetFacts) -> Headrooms:
    """Return the headroom of all places of the fleet beside connections that are open or may still be open."""
    ends = {name: holding.plan.planned for group in (scene.left, scene.others) for name, holding in group.items()}
    at_target = sum(ends.values()) + scene.still_open
    ends |= {name: min(holding.plan.planned, scene.still_open) for name, holding in scene.lost.items()}
    counted = {place_of(budget) for budget in target.budgets}
    taken: dict[tuple[str, str], float] = defaultdict(float)
    for name, count in ends.items():
        for budget in facts[name].budgets:
            if not (budget.limit.once and place_of(budget) in counted):
                taken[place_of(budget)] += count * budget.each
    for budget in target.budgets:
        taken[place_of(budget)] += at_target * budget.each

    def less(budgets: Iterable[Budget]) -> tuple[Budget, ...]:
        return tuple(replace(each, room=max(each.room - taken[place_of(each)], 0.0)) for each in budgets)

    workers = [replace(facts[name], budgets=less(facts[name].budgets)) for name in scene.left]
    return Headrooms(workers, replace(target, budgets=less(target.budgets)))


def place_of(budget: Budget) -> tuple[str, str]:
    """Return the name of a budget's limit and the id of its place, which together identify its headroom."""
    return budget.limit.name, budget.place


class Free:
    """The 4-tuples of a worker that none of its routes uses, by destination, from which new routes are made."""

    def __init__(self, plan: WorkerPlan, destinations: int) -> None:
        used: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for shard in plan.shards:
            for route in shard.routes:
                used[route.destination].append((route.first, route.span))
        self.gaps = [gaps(plan.space.size, used[index]) for index in range(destinations)]

    def room(self, destination: int) -> int:
        """Return how many 4-tuples of the worker to a destination are free."""
        return sum(span for _, span in self.gaps[destination])

    def take(self, destination: int, count: int, wanted: int) -> list[PlannedRoute]:
        """Remove up to ``wanted`` free 4-tuples to a destination for ``count`` connections.

        Returns one route for each gap between used 4-tuples that was filled.
        """
        routes, left = [], self.gaps[destination]
        while wanted > 0 and left:
            first, span = left.pop(0)
            if span > wanted:
                left.insert(0, (first + wanted, span - wanted))
                span = wanted
            if here := min(count, span):
                routes.append(PlannedRoute(destination, first, span, here))
            wanted, count = wanted - span, count - here
        return routes


def gaps(size: int, used: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the unused ranges (first, span) that disjoint used ranges leave between 0 and ``size``."""
    found, free = [], 0
    for first, span in sorted(used):
        if first > free:
            found.append((free, first - free))
        free = max(free, first + span)
    return [*found, (free, size - free)] if free < size else found


def deal(
    supplies: Sequence[int], demands: Sequence[int], rooms: Sequence[int], most: Sequence[Sequence[int]]
) -> list[dict[int, int]]:
    """Return, for each supply, how much of it goes to which destination: index of the destination -> count.

    Counts follow ``demands`` as far as ``most`` allows; the rest goes wherever ``rooms`` allow more.
    """
    cells: list[Counter[int]] = [Counter() for _ in supplies]
    given = [0] * len(rooms)
    for bounds in (demands, rooms):
        for row, cell in enumerate(cells):
            left = supplies[row] - cell.total()
            for column, bound in enumerate(bounds):
                count = max(min(left, bound - given[column], most[row][column] - cell[column]), 0)
                if count:
                    cell[column] += count
                    given[column] += count
                    left -= count
    return [dict(cell) for cell in cells]


def cut(arcs: Sequence[Arc], counts: Sequence[int], most: Sequence[int]) -> list[list[Arc]]:
    """Return for each worker the pieces of the arcs that it takes over; their sizes add up to its entry in ``counts``.

    No piece is longer than what one process of the worker can hold (its entry in ``most``).
    """
    owners, sizes = [], []
    for owner, (count, each) in enumerate(zip(counts, most, strict=True)):
        for size in evenly(count, -(-count // max(each, 1))) if count else ():
            owners.append(owner)
            sizes.append(size)
    pieces: list[list[Arc]] = [[] for _ in counts]
    begun = [arc.first for arc in arcs]
    for row, column, size in corner(sizes, [arc.size for arc in arcs]):
        pieces[owners[row]].append(Arc(begun[column], size))
        begun[column] += size
    return pieces


def shards_to_add(arcs: Sequence[Arc], cells: Mapping[int, int], free: Free, resting: float) -> list[AddedShard]:
    """Return one new shard for each arc of the ring that a lost worker leaves.

    ``cells``: destination -> connections that the new shards open to it together.
    """
    routes: list[list[PlannedRoute]] = [[] for _ in arcs]
    destinations, before = list(cells), {index: free.room(index) for index in cells}
    for row, column, count in corner([arc.size for arc in arcs], list(cells.values())):
        destination = destinations[column]
        wanted = min(before[destination] * count // cells[destination], with_spare(count, resting))
        routes[row] += free.take(destination, count, wanted)
    return [AddedShard(arc.first, ShardPlan(tuple(each))) for arc, each in zip(arcs, routes, strict=True)]
