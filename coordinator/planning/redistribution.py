"""The share of a lost worker given to others: which arcs of the ring go to whom, to which destinations, from which 4-tuples.

Pure and exact, as a plan is: every point of the arcs is given once, nobody's 4-tuples are used twice, and no acceptor,
descriptor table or memory is over-filled by what is there already and what comes. What does not fit is refused as a whole.
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
LOOKS = 20  # at a schedule, in the time in which a shard may have counted


class Arc(NamedTuple):
    """Of the ring on which a run's connections are dealt out; see ``c1m.schedule.ring``."""

    first: int
    size: int


class AddedShard(NamedTuple):
    """One more shard, which owns the arc that begins there and is as long as its plan has connections."""

    first_point: int
    shard: ShardPlan


@dataclass(frozen=True, slots=True)
class Move:
    """A part of a lost worker's share that another was asked to take."""

    lost: str
    taker: str
    more: tuple[AddedShard, ...]
    taken: bool | None = None  # None: no answer has come

    @property
    def arcs(self) -> list[Arc]:
        return [Arc(each.first_point, each.shard.planned) for each in self.more]

    @property
    def size(self) -> int:
        return sum(each.shard.planned for each in self.more)


class Holding(NamedTuple):
    """What one worker has of a run by now."""

    plan: WorkerPlan
    arcs: tuple[Arc, ...]

    def and_also(self, more: Sequence[AddedShard]) -> Holding:
        plan = replace(self.plan, shards=(*self.plan.shards, *(each.shard for each in more)))
        return Holding(plan, (*self.arcs, *(Arc(each.first_point, each.shard.planned) for each in more)))


@dataclass(frozen=True, slots=True)
class Survivors:
    """Who is left, and what of those who are not may still be there."""

    left: Mapping[str, Holding]  # workers that can take something
    others: Mapping[str, Holding]  # workers that cannot, and are not lost
    lost: Mapping[str, Holding]  # with what they had when they were
    still_open: int  # connections of the lost that the target may still have; 0: it has none
    acceptors: int
    destinations: int


def holdings(plan: Plan) -> dict[str, Holding]:
    """As a run begins: arcs lie side by side, in the order of the plan."""
    points = accumulate((worker.planned for worker in plan.workers), initial=0)
    return {
        worker.name: Holding(worker, (Arc(point, worker.planned),)) for worker, point in zip(plan.workers, points, strict=False)
    }


def holdings_after(plan: Plan, moves: Iterable[Move]) -> dict[str, Holding]:
    """Of all workers, lost ones with what they had."""
    found = holdings(plan)
    for move in moves:
        if move.taken:
            found[move.taker] = found[move.taker].and_also(move.more)
    return found


def can_be_of(shares: Sequence[RingShare], schedule: Schedule, elapsed_ns: int, scheduled: int) -> bool:
    """Whether so many can be what those shares should have open, as their worker says: each of its shards counts at a moment
    of its own, in the second before."""
    moments = range(max(elapsed_ns - COUNTED_NS, 0), elapsed_ns + 1, COUNTED_NS // LOOKS)
    numbers = {schedule.at(moment) for moment in (*moments, elapsed_ns)}
    counts = [[share.count(number) for number in numbers] for share in shares]
    return sum(map(min, counts)) <= scheduled <= sum(map(max, counts))


def left_over(arcs: Iterable[Arc], taken: Iterable[Arc]) -> list[Arc]:
    """What of arcs is in no other; those lie within them, and have no points in common."""
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
    """By worker, of those that are ``left``. Raises RefusedError, with what is missing, when the arcs cannot be placed."""
    total, names = sum(arc.size for arc in arcs), list(scene.left)
    if not names:
        raise RefusedError("no worker is left that could take it")
    rooms = rooms_at_destinations(scene, target)
    if sum(rooms) < total:
        raise RefusedError(
            f"{target.name} has room for {sum(rooms):,} connections beside those that it has or may still have, and the share "
            f"is {total:,}"
        )
    free = {name: Free(scene.left[name].plan, scene.destinations) for name in names}
    most = [[min(free[name].room(index), room) for index, room in enumerate(rooms)] for name in names]
    capacities = rooms_left(scene, facts, target).within(total, map(sum, most))
    if sum(capacities) < total:
        raise RefusedError(
            f"the {len(names):,} workers that are left have 4-tuples, descriptors and memory for {sum(capacities):,} more "
            f"connections, and the share is {total:,}"
        )
    cells = deal(fill(total, capacities), fill(total, rooms), rooms, most)
    if sum(map(sum, (each.values() for each in cells))) < total:
        raise RefusedError(
            f"no 4-tuples are left between the workers that have room and the ports of {target.name} that have it"
        )
    pieces = cut(arcs, [sum(each.values()) for each in cells], [facts[name].connections_per_process for name in names])
    return {
        name: shards_to_add(pieces[row], cells[row], free[name], facts[name].resting)
        for row, name in enumerate(names)
        if pieces[row]
    }


def rooms_at_destinations(scene: Survivors, target: TargetFacts) -> list[int]:
    """For how many more connections there is room in each acceptor, or in all where they share a port."""
    if target.is_endpoint:
        raise RefusedError(
            f"{target.name} is no c1m-target, and cannot say whether it still has the lost ones: with those it would get more "
            f"connections than were asked for"
        )
    each = target.connections_per_process * scene.acceptors // scene.destinations
    there = planned_to(chain_of(scene.left, scene.others))
    gone = planned_to(scene.lost.values())
    return [max(each - there[index] - min(gone[index], scene.still_open), 0) for index in range(scene.destinations)]


def chain_of(*groups: Mapping[str, Holding]) -> list[Holding]:
    return [holding for group in groups for holding in group.values()]


def planned_to(found: Iterable[Holding]) -> Counter[int]:
    """Connections by destination."""
    counts: Counter[int] = Counter()
    for holding in found:
        for shard in holding.plan.shards:
            for route in shard.routes:
                counts[route.destination] += route.count
    return counts


def rooms_left(scene: Survivors, facts: Mapping[str, WorkerFacts], target: TargetFacts) -> Headrooms:
    """What all places have beside the ends of connections that are there, or may still be."""
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
    return budget.limit.name, budget.place


class Free:
    """The 4-tuples of a worker that no route of it uses, by destination; slices are taken from it."""

    def __init__(self, plan: WorkerPlan, destinations: int) -> None:
        used: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for shard in plan.shards:
            for route in shard.routes:
                used[route.destination].append((route.first, route.span))
        self.gaps = [gaps(plan.space.size, used[index]) for index in range(destinations)]

    def room(self, destination: int) -> int:
        return sum(span for _, span in self.gaps[destination])

    def take(self, destination: int, count: int, wanted: int) -> list[PlannedRoute]:
        """For ``count`` connections, from up to ``wanted`` 4-tuples; a route for each gap that is drawn on."""
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
    """(first, span) of what lies between slices of a space, which do not overlap."""
    found, free = [], 0
    for first, span in sorted(used):
        if first > free:
            found.append((free, first - free))
        free = max(free, first + span)
    return [*found, (free, size - free)] if free < size else found


def deal(
    supplies: Sequence[int], demands: Sequence[int], rooms: Sequence[int], most: Sequence[Sequence[int]]
) -> list[dict[int, int]]:
    """For each supply, how much of it goes to which destination: as evenly as demanded where its cells allow, then wherever
    there is room."""
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
    """Arcs for each count in turn, none longer than a process of its worker can hold."""
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
    """A shard for each arc."""
    routes: list[list[PlannedRoute]] = [[] for _ in arcs]
    destinations, before = list(cells), {index: free.room(index) for index in cells}
    for row, column, count in corner([arc.size for arc in arcs], list(cells.values())):
        destination = destinations[column]
        wanted = min(before[destination] * count // cells[destination], with_spare(count, resting))
        routes[row] += free.take(destination, count, wanted)
    return [AddedShard(arc.first, ShardPlan(tuple(each))) for arc, each in zip(arcs, routes, strict=True)]
