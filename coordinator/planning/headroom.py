"""Headroom: how many connections the limits of all places allow each worker, besides the target's ends. Pure."""

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
    """How much of one limit is left for connections in one place (node, namespace or host), and the workers there."""

    limit: Limit
    room: float  # what is left for connections, in the limit's unit
    each: float = 0.0  # used by the worker end of a connection; the highest of the workers there
    workers: list[int] = field(default_factory=list)  # indexes of the workers there
    target_each: float = 0.0  # used by the target end of a connection; 0: the target is elsewhere

    def left(self, total: int) -> float:
        """Return how much of the limit is left for worker ends if the place holds its target ends of ``total`` connections.

        The result is negative if those ends do not fit.
        """
        return self.room - total * self.target_each

    @property
    def counts_workers(self) -> bool:
        """True if worker ends of connections use up the limit in this place.

        False if a connection counts once per place, and the target counts it.
        """
        return bool(self.workers) and not (self.limit.once and self.target_each)


class Headrooms:
    """The headroom of every limit in every place of a fleet. It is built once and used for many totals."""

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
        self.own = [ENDLESS] * len(workers)  # by worker: what the places allow that it shares with no other node
        shared = []
        for place in self.places:
            if place.target_each or len(place.workers) > 1:
                shared.append(place)
            else:
                (index,) = place.workers
                self.own[index] = min(self.own[index], how_many(place.room, place.each))
        # Small places first, because their cuts lower what the larger places around them have to share out.
        self.shared = sorted(shared, key=lambda place: SMALLEST_FIRST.index(place.limit.scope))

    def within(self, total: int, capacities: Iterable[int]) -> list[int]:
        """Return the capacity of each worker, reduced to what the limits of its places allow for ``total`` connections.

        All are 0 if the target ends alone do not fit.
        """
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
    """Return the headroom of the place that a budget belongs to; it is added to ``found`` if it is new.

    If nodes report different values for the place, the lowest counts.
    """
    place = found.setdefault((budget.limit.name, budget.place), Headroom(budget.limit, budget.room))
    place.room = min(place.room, budget.room)
    return place


def how_many(room: float, each: float) -> int:
    """Return how many connections fit into ``room`` if each needs ``each``, both in the same unit."""
    most = int(room / each)
    return most - (most * each > room)  # a quotient of floats may be a little too high


def largest(total: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number below ``total`` for which ``fits`` returns True, by bisection; 0 is taken to fit.

    ``fits`` must hold for every number below one for which it holds.
    """
    low, high = 0, total
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def shortage(total: int, rooms: Headrooms, workers: Sequence[WorkerFacts], shares: Sequence[int], target: TargetFacts) -> str:
    """Return a sentence on the place that ``total`` connections overfill most: its limit, and what it has and needs."""

    def need(place: Headroom) -> float:
        held = sum(shares[index] for index in place.workers) if place.counts_workers else 0
        return held * place.each + total * place.target_each

    place = max(rooms.places, key=lambda each: need(each) / each.room if each.room else ENDLESS)
    names = [workers[index].name for index in place.workers] + ([target.name] if place.target_each else [])
    where, limit = f"the {place.limit.scope.value} of {several(names)}", place.limit
    return (
        f"{limit.title}: {where} has {amount(place.room, limit)} left for connections, but its part of {total:,} needs "
        f"{amount(need(place), limit)}"
    )


def expected(total: int, capacities: Sequence[int]) -> list[int]:
    """Return each worker's part of ``total`` connections: within the capacities if it fits, else in equal parts."""
    return fill(total, capacities) if sum(capacities) >= total else evenly(total, len(capacities))
