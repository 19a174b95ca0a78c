"""The preflight of a run: what it needs of every node, how each limit stands, and which limit comes next. Pure."""

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

# A paced run must not lose a connection if an acceptor pauses for this long.
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """The workers, the target and the hosts of a run, as the planner knows them.

    An endpoint that is not observed has no host.
    """

    workers: Sequence[WorkerFacts]
    target: TargetFacts
    hosts: Mapping[str, Host]

    @property
    def is_one_host(self) -> bool:
        """True if both ends of all connections are on one known host."""
        return self.target.name in self.hosts and len({host.boot_id for host in self.hosts.values()}) == 1


@dataclass(frozen=True, slots=True)
class RunDemand:
    """What a run needs of the hosts' limits besides its number of connections: rate, bandwidth, idle time and more."""

    in_flight: int = 512  # connects that one shard may have in flight
    rate: float = 0.0  # connections a second over the fleet; 0: as fast as they go
    silent_seconds: float = 0.0  # the longest time for which a connection sends nothing
    bandwidth: float = 0.0  # bits a second that all workers send together; 0: unknown
    fin: bool = False  # whether connections are closed with FINs


class Preflight:
    """The examination of a fleet before a run: its limits, and a plan for ``total`` connections."""

    def __init__(self, total: int, fleet: Fleet, manner: RunDemand) -> None:
        self.total = total
        self.fleet = fleet
        self.manner = manner
        self.workers = apart(fleet.workers)
        self.rooms = Headrooms(self.workers, fleet.target)

    @cached_property
    def members(self) -> list[Member]:
        """The nodes whose host is known, each with what the run needs of its limits."""
        found = layout(self.total, self.rooms, self.workers, self.fleet.target)
        shares = expected(self.total, found.roomy if sum(found.roomy) >= self.total else found.capacities)
        silent = 0.0 if self.fleet.is_one_host else self.manner.silent_seconds
        members = [self.worker(worker, share, silent) for worker, share in zip(self.workers, shares, strict=True)]
        if self.fleet.target.name in self.fleet.hosts:
            shards = sum(member.ask.processes for member in members)
            members.append(self.target(shards, sum(map(neighbours, self.workers, shares)), found))
        return members

    def worker(self, worker: WorkerFacts, share: int, silent_seconds: float) -> Member:
        """Return what ``share`` connections need of a worker's limits, as a member of the fleet."""
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
        """Return what all connections of the run need of the target's limits, as a member of the fleet.

        ``shards``: the number of shards of all workers.
        """
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
        """Return the largest number of completed handshakes that may wait in the accept queue of one listener.

        It is what shards have in flight to the listener, or what comes while its acceptor pauses, if that is less.
        """
        in_flight = -(-shards * self.manner.in_flight // destinations)
        paced = int(self.manner.rate * PAUSE_SECONDS / destinations) + 1 if self.manner.rate else in_flight
        return min(in_flight, paced, -(-self.total // destinations))

    @property
    def assessments(self) -> list[Assessment]:
        """The assessment of every limit in every place of the fleet: ok, tight, or stopping the run."""
        return assess(LIMITS, self.members)

    @cached_property
    def not_ok(self) -> list[Assessment]:
        """The assessments of limits that are tight or stop the run."""
        with paused():
            return assess_not_ok(LIMITS, self.members)

    @property
    def standing(self) -> LimitStatus:
        """The worst status that any limit of the fleet has: ok, tight, or stopping the run."""
        return max((found.standing for found in self.not_ok), default=LimitStatus.OK)

    @property
    def stops(self) -> list[Assessment]:
        """The assessments of limits that stop the run."""
        return [found for found in self.not_ok if found.standing is LimitStatus.STOPS]

    @property
    def tight(self) -> list[Assessment]:
        """The assessments of limits that are tight but do not stop the run."""
        return [found for found in self.not_ok if found.standing is LimitStatus.TIGHT]

    @cached_property
    def ranking(self) -> list[Bottleneck]:
        """The bottlenecks of the fleet, one for each finite limit, the lowest total of connections first."""
        return reaches(self.total, self.rooms, self.workers, self.fleet.target, self.fleet.hosts)

    @cached_property
    def ceiling(self) -> int | None:
        """The largest number of connections that can be planned for the fleet; None if no limit is known."""
        bound = min((reach.total for reach in self.ranking), default=ENDLESS)
        if bound >= ENDLESS:
            return None

        def fit(total: int) -> bool:
            return total == 0 or fits(total, self.rooms, self.workers, self.fleet.target)

        return bound if fit(bound) else largest(bound, fit)

    def plan(self) -> tuple[Plan | None, list[str]]:
        """Return the plan of the run and an empty list; if the connections do not fit, None and the reasons as sentences.

        The reasons are the planner's, with every bottleneck below the total, or the limits that stop the run.
        """
        try:
            with paused():
                made = plan_within(self.total, self.rooms, self.workers, self.fleet.target)
        except RefusedError as refused:
            return None, [str(refused), *(reach.sentence(rank) for rank, reach in enumerate(self.in_the_way, 1))]
        return (None, [found.sentence() for found in self.stops]) if self.stops else (made, [])

    @property
    def in_the_way(self) -> list[Bottleneck]:
        """The bottlenecks that allow fewer connections than the run wants, the lowest first."""
        return [reach for reach in self.ranking if reach.total < self.total]


def neighbours(worker: WorkerFacts, share: int) -> int:
    """Return how many neighbour (ARP) entries the target needs for the source addresses that ``share`` connections use."""
    needed = min(share, worker.tuples)
    return min(worker.sources_on_link, sources_for(needed, worker)) if needed else 0


@contextmanager
def paused() -> Iterator[None]:
    """Context manager that pauses the garbage collector, for work that makes many lasting objects and no cycles.

    The collector would walk all objects again whenever there are a quarter more. That took half of the time of a plan for ten
    thousand nodes.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
