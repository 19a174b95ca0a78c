"""What workers, a target and their hosts can hold, and what to say when it is not enough. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from c1m.limits.budget import Budget
from c1m.net.addresses import AddressPool
from c1m.net.ports import PortRanges

ENDLESS = 2**63  # more than any count; an endpoint's capacity is not ours to know


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What a plan needs to know of a worker."""

    name: str
    namespace: str  # equal for nodes that share a network namespace, hence addresses and ports
    cores: int
    connections_per_process: int
    sources: AddressPool
    ports: PortRanges
    budgets: tuple[Budget, ...] = ()
    resting: float = 0.0  # 4-tuples for each connection that is held, in TIME_WAIT after others
    sources_on_link: int = 0  # with the destination, whose host has to know each of them as a neighbour

    @property
    def tuples(self) -> int:
        """4-tuples to one destination."""
        return self.sources.size * self.ports.size

    def capacity(self, destinations: int) -> int:
        return self.tuples * destinations if self.connections_per_process else 0

    def shards_for(self, share: int) -> int:
        """One for each core, more where descriptors make it necessary, and none without a connection of its own."""
        return min(max(self.cores, -(-share // max(self.connections_per_process, 1))), share)


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What a plan needs to know of a target, or of an endpoint: any server, whose limits are unknown."""

    name: str
    cores: int
    connections_per_process: int
    ports: int  # ports to listen on, or the endpoint's
    spare: int = 0  # connections that a process could hold besides, and that are not planned
    single_port: bool = False
    is_endpoint: bool = False
    budgets: tuple[Budget, ...] = ()  # of an endpoint's host, where it is observed

    def acceptors_for(self, total: int, tuples: int) -> int:
        """How many acceptors a total takes, of clients with so many 4-tuples to one destination; 0 for an endpoint."""
        if self.is_endpoint or not self.connections_per_process:
            return 0
        wanted = max(self.cores, -(-total // self.connections_per_process))
        if tuples and not self.single_port:  # each acceptor's port is a destination more
            wanted = max(wanted, -(-total // tuples))
        return min(wanted, self.most_acceptors, total)

    def destinations_for(self, acceptors: int) -> int:
        if self.is_endpoint:
            return self.ports
        return 1 if self.single_port else max(acceptors, 1)

    @property
    def most_destinations(self) -> int:
        """That there are when every listening port is used."""
        return self.destinations_for(self.most_acceptors)

    @property
    def most_acceptors(self) -> int:
        return ENDLESS if self.single_port else self.ports

    @property
    def capacity(self) -> int:
        return ENDLESS if self.is_endpoint else self.most_acceptors * self.connections_per_process


def tuples_of(workers: Iterable[WorkerFacts]) -> int:
    """4-tuples to one destination, of all workers that can open anything."""
    return sum(worker.tuples for worker in workers if worker.connections_per_process)


def most_of(counts: Iterable[int]) -> int:
    return max(counts, default=0)


def refusal(total: int, workers: Sequence[WorkerFacts], target: TargetFacts) -> str:
    """Why the total cannot fit, and the smallest change that makes it fit."""
    if total > target.capacity:
        return (
            f"{target.name} has {target.ports:,} ports for acceptors of {target.connections_per_process:,} "
            f"connections each, {target.capacity:,} in all, and {total:,} were asked for; "
            f"give it {-(-total // max(target.connections_per_process, 1)):,} ports with --ports, raise its descriptor "
            f"limit (ulimit -Hn), or use --single-port"
        )
    helpless = [worker.name for worker in workers if not worker.connections_per_process]
    if len(helpless) == len(workers):
        return (
            f"{total:,} connections take descriptors, and a process of {' and '.join(helpless)} may have 0 for them after "
            f"what it needs for itself; raise its limit (ulimit -Hn)"
        )
    destinations = target.destinations_for(target.acceptors_for(total, tuples_of(workers)))
    room = sum(worker.capacity(destinations) for worker in workers)
    widest = max((worker.ports.size for worker in workers), default=0) * destinations
    lines = [f"{worker.name} has {worker.sources.size:,} source addresses x {worker.ports.size:,} ports" for worker in workers]
    cure = f"add {-(-(total - room) // widest):,} source addresses, or more destination ports" if widest else "add workers"
    return (
        f"{total:,} connections need as many 4-tuples, and there are {room:,}: {'; '.join(lines)}; "
        f"to {destinations:,} destination {'port' if destinations == 1 else 'ports'}; {cure}"
    )
