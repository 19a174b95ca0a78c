"""The survey: describes all nodes before anything is planned."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from c1m.coordinator.planning.capacity import TargetFacts
from c1m.coordinator.planning.preflight import Fleet, Preflight, RunDemand
from c1m.coordinator.spec.spec import RunSpec
from c1m.errors import RefusedError, UsageError
from c1m.measure.phase import Close
from c1m.measure.sample import Host
from c1m.net.control_address import SocketPath
from c1m.net.ports import PortRanges
from c1m.schedule.schedule import NANOSECONDS

from .clock_offset import Clock
from .descriptions import DescribedTarget, DescribedWorker
from .names import ChosenAddress, accepting_of, first_of
from .nodes import TargetNode, WorkerNode
from .planner_facts import (
    bandwidth_of,
    check_role,
    endpoint_facts,
    resting,
    target_facts,
    worker_facts,
)

WILDCARDS = frozenset({"0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class Survey:
    """The descriptions of all nodes of a run, and the address of the server to which workers connect."""

    workers: Mapping[str, DescribedWorker] = field(default_factory=dict)
    target_name: str = ""
    target: DescribedTarget | None = None
    data_host: str = ""
    data_host_note: str = ""  # which address of a name that is; empty: no name was given

    @property
    def hosts(self) -> dict[str, Host]:
        """The description of each node's host, by the name of the node."""
        hosts = {name: described.host for name, described in self.workers.items()}
        return {**hosts, self.target_name: self.target.host} if self.target else hosts

    @property
    def clocks(self) -> dict[str, Clock | None]:
        """The offset of each node's clock from this machine's, by node; None for a node that does not report its clock."""
        clocks = {name: described.clock for name, described in self.workers.items()}
        return {**clocks, self.target_name: self.target.clock} if self.target else clocks

    @property
    def far_clocks(self) -> list[str]:
        """One sentence for people for each node whose clock is far from this machine's."""
        return [sentence for name, clock in self.clocks.items() if clock and (sentence := clock.sentence(name))]

    def check_free(self) -> None:
        """Raise RefusedError if any node is busy with a run. Returns nothing."""
        busy = {name: described.busy_with for name, described in self.workers.items()}
        if self.target:
            busy[self.target_name] = self.target.busy_with
        for name, run in busy.items():
            if run:
                raise RefusedError(f"{name} is busy with {run}")

    def fleet(self, spec: RunSpec) -> Fleet:
        """Return the fleet of a run as a plan needs it: facts about its workers, its server and their hosts."""
        goal = self.goal(spec)
        # No client may use a port on which the target listens. A server that is not ours uses ports that were chosen elsewhere.
        listening = self.target.ports if self.target and not spec.endpoint else PortRanges()
        rate, bandwidth = spec.effective_rate / spec.total, bandwidth_of(spec, self.data_host)
        workers = [
            worker_facts(name, described, listening, resting(spec), rate, bandwidth) for name, described in self.workers.items()
        ]
        return Fleet(workers, goal, self.hosts)

    def goal(self, spec: RunSpec) -> TargetFacts:
        """Return the facts that a plan needs about the server to which workers connect, such as ports and capacity."""
        if spec.endpoint:
            return endpoint_facts(spec.endpoint, self.target_name, self.target)
        assert self.target is not None
        return target_facts(self.target_name, self.target, turnover=spec.turnover is not None)


async def survey(spec: RunSpec, workers: Sequence[WorkerNode], target: TargetNode | None) -> Survey:
    """Return the descriptions of all nodes of a run, after asking each of them.

    Raises C1mError if a node cannot be asked, or its role does not suit the run.
    """
    described = await target.describe() if target else None
    if target and described:
        check_role(target.name, spec, described)
    where = await data_host(spec, target, described)
    answers = await asyncio.gather(*(worker.describe([where.address]) for worker in workers))
    by_name = {worker.name: answer for worker, answer in zip(workers, answers, strict=True)}
    check_distinct(by_name)
    return Survey(by_name, target.name if target else "", described, where.address, where.sentence)


def check_distinct(workers: Mapping[str, DescribedWorker]) -> None:
    """Raise UsageError for a worker that is named twice, by different names or addresses."""
    names: dict[str, str] = {}
    for name, described in workers.items():
        identity = described.host.machine.get("node", "")
        if identity in names:
            raise UsageError(
                f"{name} and {names[identity]} are the same node; name it once, since a node does one run at a time"
            )
        if identity:
            names[identity] = name


async def data_host(spec: RunSpec, target: TargetNode | None, described: DescribedTarget | None) -> ChosenAddress:
    """Return the IP address of the server to which workers connect, as text. Raises UsageError if it is unknown."""
    if spec.endpoint:
        return await accepting_of(spec.endpoint)
    assert target is not None
    assert described is not None
    if spec.data_host:
        return await listening_of(spec.data_host, "--data-host", target.name, described)
    if described.bind not in WILDCARDS:
        return ChosenAddress(described.bind, described.bind)
    if isinstance(target.address, SocketPath):
        raise UsageError(
            f"{target.name} takes connections on all addresses of its machine ({described.bind}), and a Unix socket does not "
            f"show which of them workers reach; give that one with --data-host, or start the target with --bind ADDRESS"
        )
    return await listening_of(target.address.host, "its control address", target.name, described)


async def listening_of(host: str, what: str, name: str, described: DescribedTarget) -> ChosenAddress:
    """Return the first address of a host on whose IP version the target listens.

    ``what``: what the host is, for the error. Raises UsageError if it has none, and for a name that cannot be resolved.
    """
    version = 6 if ":" in described.bind else 4
    found = await first_of(host, version)
    if found is None:
        raise UsageError(
            f"{name} listens on {described.bind}, and {what} {host} is of the other family and has no IPv{version} address; "
            f"give the address to which workers connect with --data-host"
        )
    return found


def preflight_of(spec: RunSpec, surveyed: Survey) -> Preflight:
    """Return the preflight of a run: the examination of its limits and its plan, for the nodes that were surveyed."""
    return Preflight(spec.total, surveyed.fleet(spec), demand_of(spec, surveyed.data_host))


def demand_of(spec: RunSpec, data_host: str) -> RunDemand:
    """Return what a run demands beside its total: connects in flight, rate, bandwidth and the longest silence.

    A connection without heartbeats may be silent from its opening to the end of the hold.
    """
    silent = spec.heartbeat or spec.schedule.end_ns / NANOSECONDS + spec.hold
    bandwidth = bandwidth_of(spec, data_host) * spec.total
    return RunDemand(spec.in_flight, spec.effective_rate, silent, bandwidth, fin=spec.close is Close.FIN)
