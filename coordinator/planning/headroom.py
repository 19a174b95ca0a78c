"""Room: how many connections the limits of all places leave to each worker, beside the target's end of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from c1m.limits.assessment import amount, several
from c1m.limits.budget import SMALLEST_FIRST, Budget
from c1m.limits.limit import Limit

from .apportion import evenly, fill
from .capacity import ENDLESS, TargetFacts, WorkerFacts


@dataclass
class Headroom:
    """One limit in one place, and who is there."""

    limit: Limit
    room: float
    each: float = 0.0  # of a connection's end on a worker that is there; the most that one of them takes
    workers: list[int] = field(default_factory=list)
    target_each: float = 0.0  # 0: the target is elsewhere

    def left(self, total: int) -> float:
        """For the workers' ends of ``total`` connections, once the target has its own; below 0 where those are too many."""
        return self.room - total * self.target_each

    @property
    def counts_workers(self) -> bool:
        """Not where a connection counts once, and the target has counted it."""
        return bool(self.workers) and not (self.limit.once and self.target_each)


class Headrooms:
    """All places of a fleet, made once and asked for many totals."""

    def __init__(self, workers: Sequence[WorkerFacts], target: TargetFacts) -> None:
        found: dict[tuple[str, str], Headroom] = {}
        for index, worker in enumerate(workers):
            for budget in worker.budgets:
                place = join(found, budget)
                place.each = max(place.each, budget.each)
                place.workers.append(index)
        for budget in target.budgets:
            join(found, budget).target_each = budget.each
        self.places = list(found.values())
        self.own = [ENDLESS] * len(workers)  # by the places that a worker has for itself
        shared = []
        for place in self.places:
            if place.target_each or len(place.workers) > 1:
                shared.append(place)
            else:
                (index,) = place.workers
                self.own[index] = min(self.own[index], how_many(place.room, place.each))
        # Small places first: what they cut off cannot be given out in a larger one around them.
        self.shared = sorted(shared, key=lambda place: SMALLEST_FIRST.index(place.limit.scope))

    def within(self, total: int, capacities: Iterable[int]) -> list[int]:
        """The workers' capacities, cut to what their places hold; nothing where the target's end alone is too much."""
        cut = [min(pair) for pair in zip(capacities, self.own, strict=True)]
        for place in self.shared:
            room = place.left(total)
            if room < 0:
                return [0] * len(cut)
            if place.counts_workers:
                own = [cut[index] for index in place.workers]
                shares = fill(min(how_many(room, place.each), sum(own)), own)
                for index, share in zip(place.workers, shares, strict=True):
                    cut[index] = share
        return cut


def join(found: dict[tuple[str, str], Headroom], budget: Budget) -> Headroom:
    """The place of a budget. Of nodes that say different things of it the least counts."""
    place = found.setdefault((budget.limit.name, budget.place), Headroom(budget.limit, budget.room))
    place.room = min(place.room, budget.room)
    return place


def how_many(room: float, each: float) -> int:
    most = int(room / each)
    return most - (most * each > room)  # a quotient of floats may come out a little high


def largest(total: int, fits: Callable[[int], bool]) -> int:
    """The largest number below ``total`` that fits, where all smaller ones do as well; 0 fits always."""
    low, high = 0, total
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def shortage(total: int, rooms: Headrooms, workers: Sequence[WorkerFacts], shares: Sequence[int], target: TargetFacts) -> str:
    """Which place lacks most, by its part of the total, and what it has and needs of what."""

    def need(place: Headroom) -> float:
        held = sum(shares[index] for index in place.workers) if place.counts_workers else 0
        return held * place.each + total * place.target_each

    place = max(rooms.places, key=lambda each: need(each) / each.room if each.room else ENDLESS)
    names = [workers[index].name for index in place.workers] + ([target.name] if place.target_each else [])
    where, limit = f"the {place.limit.scope.value} of {several(names)}", place.limit
    return (
        f"{limit.title}: {where} has {amount(place.room, limit)} left for connections, and its part of {total:,} needs "
        f"{amount(need(place), limit)}"
    )


def expected(total: int, capacities: Sequence[int]) -> list[int]:
    """Each worker's part of a total, also of one that does not fit."""
    return fill(total, capacities) if sum(capacities) >= total else evenly(total, len(capacities))
