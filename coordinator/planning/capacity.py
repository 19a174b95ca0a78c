"""What workers and a target can hold, and the refusal if it is not enough. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from c1m.limits.budget import Budget
from c1m.net.addresses import AddressPool
from c1m.net.ports import PortRanges

ENDLESS = 2**63  # more than any count; the capacity of an endpoint is unknown


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """The addresses, ports, cores and limits of a worker, as far as a plan depends on them."""

    name: str
    namespace: str  # equal for nodes that share a network namespace, and so addresses and ports
    cores: int
    connections_per_process: int
    sources: AddressPool
    ports: PortRanges
    budgets: tuple[Budget, ...] = ()
    resting: float = 0.0  # 4-tuples in TIME_WAIT for each connection that is held
    sources_on_link: int = 0  # sources on the destination's network, whose host needs a neighbour entry for each

    @property
    def tuples(self) -> int:
        """The number of 4-tuples from this worker to one destination: its source addresses times its client ports."""
        return self.sources.size * self.ports.size

    def capacity(self, destinations: int) -> int:
        """Return how many connections the worker has 4-tuples for, to the given number of destinations.

        The result is 0 if a process has no descriptors for any connection.
        """
        return self.tuples * destinations if self.connections_per_process else 0

    def shards_for(self, share: int) -> int:
        """Return how many shards (processes) the worker needs for ``share`` connections.

        It is one for each core, more if the limit of descriptors requires it, and at most one for each connection.
        """
        return min(max(self.cores, -(-share // max(self.connections_per_process, 1))), share)


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """The ports, cores and limits of a target, as far as a plan depends on them.

    It may also describe an endpoint: any other server, whose limits are unknown.
    """

    name: str
    cores: int
    connections_per_process: int
    ports: int  # ports to listen on, or the endpoint's
    spare: int = 0  # connections that a process could hold beyond those planned
    single_port: bool = False
    is_endpoint: bool = False
    budgets: tuple[Budget, ...] = ()  # with an endpoint: only of its host, if it is observed

    def acceptors_for(self, total: int, tuples: int) -> int:
        """Return how many acceptor processes the target needs for ``total`` connections; 0 for an endpoint.

        ``tuples``: the number of 4-tuples of all clients to one destination.
        """
        if self.is_endpoint or not self.connections_per_process:
            return 0
        wanted = max(self.cores, -(-total // self.connections_per_process))
        if tuples and not self.single_port:  # the port of each acceptor is one more destination
            wanted = max(wanted, -(-total // tuples))
        return min(wanted, self.most_acceptors, total)

    def destinations_for(self, acceptors: int) -> int:
        """Return the number of ports to which clients connect if the target has the given number of acceptors."""
        if self.is_endpoint:
            return self.ports
        return 1 if self.single_port else max(acceptors, 1)

    @property
    def most_destinations(self) -> int:
        """The number of ports to which clients can connect if every listening port is used."""
        return self.destinations_for(self.most_acceptors)

    @property
    def most_acceptors(self) -> int:
        """The largest number of acceptor processes that can listen on the target's ports."""
        return ENDLESS if self.single_port else self.ports

    @property
    def capacity(self) -> int:
        """The number of connections that all acceptors of the target can hold; ENDLESS for an endpoint."""
        return ENDLESS if self.is_endpoint else self.most_acceptors * self.connections_per_process


def tuples_of(workers: Iterable[WorkerFacts]) -> int:
    """Return the number of 4-tuples to one destination, over all workers that can open connections."""
    return sum(worker.tuples for worker in workers if worker.connections_per_process)


def most_of(counts: Iterable[int]) -> int:
    """Return the largest of the counts; 0 if there are none."""
    return max(counts, default=0)


def refusal(total: int, workers: Sequence[WorkerFacts], target: TargetFacts) -> str:
    """Return a sentence that explains why ``total`` connections do not fit, with the smallest change that makes them fit."""
    if total > target.capacity:
        return (
            f"{target.name} has {target.ports:,} ports for acceptors of {target.connections_per_process:,} "
            f"connections each, {target.capacity:,} in all, but {total:,} were asked for; "
            f"give it {-(-total // max(target.connections_per_process, 1)):,} ports with --ports, raise its descriptor "
            f"limit (ulimit -Hn), or use --single-port"
        )
    helpless = [worker.name for worker in workers if not worker.connections_per_process]
    if len(helpless) == len(workers):
        return (
            f"{total:,} connections need descriptors, but a process of {' and '.join(helpless)} has 0 left for them after "
            f"what it needs for itself; raise its limit (ulimit -Hn)"
        )
    destinations = target.destinations_for(target.acceptors_for(total, tuples_of(workers)))
    room = sum(worker.capacity(destinations) for worker in workers)
    widest = max((worker.ports.size for worker in workers), default=0) * destinations
    lines = [f"{worker.name} has {worker.sources.size:,} source addresses x {worker.ports.size:,} ports" for worker in workers]
    cure = f"add {-(-(total - room) // widest):,} source addresses, or more destination ports" if widest else "add workers"
    return (
        f"{total:,} connections need as many 4-tuples, but there are {room:,}: {'; '.join(lines)}; "
        f"to {destinations:,} destination {'port' if destinations == 1 else 'ports'}; {cure}"
    )
