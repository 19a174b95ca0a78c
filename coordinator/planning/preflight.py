"""Before a run: what it asks of every node, how each limit stands, how far the fleet goes, and what stops it next. Pure."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from c1m.errors import RefusedError
from c1m.limits.assessment import Assessment, Member, assess, assess_not_ok
from c1m.limits.limit import Demand, HostRole, LimitStatus
from c1m.limits.table import LIMITS
from c1m.measure.sample import Host

from .bottlenecks import Bottleneck, reaches
from .capacity import ENDLESS, TargetFacts, WorkerFacts
from .headroom import Headrooms, expected, largest
from .plan import Layout, Plan, apart, fits, layout, plan_within, sources_for

# An acceptor that stands still for so long, while a paced run goes on, must not lose a connection.
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """Nodes as plans know them, and their hosts by node; an endpoint that nobody observes has no host."""

    workers: Sequence[WorkerFacts]
    target: TargetFacts
    hosts: Mapping[str, Host]

    @property
    def is_one_host(self) -> bool:
        """Whether nothing but one kernel is between both ends, as far as is known."""
        return self.target.name in self.hosts and len({host.boot_id for host in self.hosts.values()}) == 1


@dataclass(frozen=True, slots=True)
class RunDemand:
    """What of a run, beside its total, limits are asked about."""

    in_flight: int = 512  # connects that one shard may have in flight
    rate: float = 0.0  # connections a second over the fleet; 0: as fast as they go
    silent_seconds: float = 0.0  # that a connection says nothing
    bandwidth: float = 0.0  # bits a second that all workers send; 0: nobody can say
    fin: bool = False  # closed with FINs


class Preflight:
    """A fleet, looked at before ``total`` connections are asked of it."""

    def __init__(self, total: int, fleet: Fleet, manner: RunDemand) -> None:
        self.total = total
        self.fleet = fleet
        self.manner = manner
        self.workers = apart(fleet.workers)
        self.rooms = Headrooms(self.workers, fleet.target)

    @cached_property
    def members(self) -> list[Member]:
        """Every node whose host is known, and what is asked of it."""
        found = layout(self.total, self.rooms, self.workers, self.fleet.target)
        shares = expected(self.total, found.roomy if sum(found.roomy) >= self.total else found.capacities)
        silent = 0.0 if self.fleet.is_one_host else self.manner.silent_seconds
        members = [self.worker(worker, share, silent) for worker, share in zip(self.workers, shares, strict=True)]
        if self.fleet.target.name in self.fleet.hosts:
            shards = sum(member.ask.processes for member in members)
            members.append(self.target(shards, sum(map(neighbours, self.workers, shares)), found))
        return members

    def worker(self, worker: WorkerFacts, share: int, silent_seconds: float) -> Member:
        ask = Demand(
            HostRole.WORKER,
            connections=share,
            processes=worker.shards_for(share),
            space=worker.capacity(self.fleet.target.most_destinations),
            rate=self.manner.rate * share / self.total,
            bandwidth=self.manner.bandwidth * share / self.total,
            silent_seconds=silent_seconds,
        )
        return Member(worker.name, self.fleet.hosts[worker.name], ask)

    def target(self, shards: int, neighbours: int, found: Layout) -> Member:
        target = self.fleet.target
        ask = Demand(
            HostRole.SERVER if target.is_endpoint else HostRole.TARGET,
            connections=self.total,
            processes=found.acceptors,
            space=target.capacity,
            in_queue=self.in_queue(shards, len(found.destinations)),
            neighbours=neighbours,
            fin=self.manner.fin,
        )
        return Member(target.name, self.fleet.hosts[target.name], ask)

    def in_queue(self, shards: int, destinations: int) -> int:
        """Handshakes with one listener that may be done, and not accepted yet: what shards have in flight toward it, or what
        comes while an acceptor stands still, if that is less."""
        in_flight = -(-shards * self.manner.in_flight // destinations)
        paced = int(self.manner.rate * PAUSE_SECONDS / destinations) + 1 if self.manner.rate else in_flight
        return min(in_flight, paced, -(-self.total // destinations))

    @property
    def assessments(self) -> list[Assessment]:
        """Of every limit in every place."""
        return assess(LIMITS, self.members)

    @cached_property
    def not_ok(self) -> list[Assessment]:
        with paused():
            return assess_not_ok(LIMITS, self.members)

    @property
    def standing(self) -> LimitStatus:
        """The worst of all."""
        return max((found.standing for found in self.not_ok), default=LimitStatus.OK)

    @property
    def stops(self) -> list[Assessment]:
        return [found for found in self.not_ok if found.standing is LimitStatus.STOPS]

    @property
    def tight(self) -> list[Assessment]:
        return [found for found in self.not_ok if found.standing is LimitStatus.TIGHT]

    @cached_property
    def ranking(self) -> list[Bottleneck]:
        """What stops this fleet next, the first first."""
        return reaches(self.total, self.rooms, self.workers, self.fleet.target, self.fleet.hosts)

    @cached_property
    def ceiling(self) -> int | None:
        """The most connections that this fleet can plan; None: no limit of it is known."""
        bound = min((reach.total for reach in self.ranking), default=ENDLESS)
        if bound >= ENDLESS:
            return None

        def fit(total: int) -> bool:
            return total == 0 or fits(total, self.rooms, self.workers, self.fleet.target)

        return bound if fit(bound) else largest(bound, fit)

    def plan(self) -> tuple[Plan | None, list[str]]:
        """The plan, or none and why not: the planner's reason, and every limit below the total, the nearest first."""
        try:
            with paused():
                made = plan_within(self.total, self.rooms, self.workers, self.fleet.target)
        except RefusedError as refused:
            return None, [str(refused), *(reach.sentence(rank) for rank, reach in enumerate(self.in_the_way, 1))]
        return (None, [found.sentence() for found in self.stops]) if self.stops else (made, [])

    @property
    def in_the_way(self) -> list[Bottleneck]:
        return [reach for reach in self.ranking if reach.total < self.total]


def neighbours(worker: WorkerFacts, share: int) -> int:
    """Addresses of a worker that its target has to know on its own network, of those that a share of the total uses."""
    needed = min(share, worker.tuples)
    return min(worker.sources_on_link, sources_for(needed, worker)) if needed else 0


@contextmanager
def paused() -> Iterator[None]:
    """No collection meanwhile: for work that makes no cycles, and whose many objects stay.

    The collector would walk all of them again whenever there are a quarter more: half of the time that a plan for ten
    thousand nodes took.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
