"""How nodes describe themselves before a run."""

from __future__ import annotations

from dataclasses import dataclass

from c1m.measure.sample import Host
from c1m.net.addresses import AddressPool
from c1m.net.ports import PortRanges
from c1m.schedule.schedule import Revision
from c1m.v1 import target_pb2, worker_pb2
from c1m.wire import node_messages as wire
from c1m.wire.route_messages import pool_from_wire, ports_from_wire
from c1m.wire.schedule_messages import revision_from_wire

from .channel import check_protocol
from .clock_offset import Clock


@dataclass(frozen=True, slots=True)
class DescribedWorker:
    """A worker's description of the node and its host: source addresses, ports, and the run that it is on.

    ``busy_with``: the run that the worker is busy with, as a part of a sentence; empty: none.
    """

    host: Host
    sources: AddressPool
    ports: PortRanges
    busy_with: str
    run_id: str = ""  # of the run that it is on; empty: none
    elapsed_ns: int = 0  # since the run's start there
    revision: Revision | None = None  # of the schedule that the run follows
    sources_on_link: int = 0  # sources on one link with a destination, whose host needs a neighbour entry for each
    clock: Clock | None = None  # None: not reported


@dataclass(frozen=True, slots=True)
class DescribedTarget:
    """A target's description of the node and its host: the address and the ports on which it listens, and its kind.

    ``busy_with``: the run that the target is busy with, as a part of a sentence; empty: none.
    """

    host: Host
    bind: str
    ports: PortRanges
    single_port: bool
    busy_with: str
    observes: bool = False  # a server that is not c1m's, whose accepts are unknown
    only_run_sources: bool = False  # it wants to know where the run's connections come from, and takes no others
    clock: Clock | None = None  # None: not reported


def described_worker(name: str, answer: worker_pb2.DescribeResponse, clock: Clock | None) -> DescribedWorker:
    """Return the description of a worker, converted from the worker's answer.

    Raises UsageError for an answer that no worker of this protocol gives.
    """
    host = wire.host_from_wire(answer.host)
    check_protocol(name, host)
    return DescribedWorker(
        host=host,
        sources=pool_from_wire(answer.sources),
        ports=ports_from_wire(answer.ports),
        busy_with=answer.busy_with,
        run_id=answer.run_id,
        elapsed_ns=answer.elapsed_ns,
        revision=revision_from_wire(answer.schedule) if answer.HasField("schedule") else None,
        sources_on_link=answer.sources_on_link,
        clock=clock,
    )


def described_target(name: str, answer: target_pb2.TargetServiceDescribeResponse, clock: Clock | None) -> DescribedTarget:
    """Return the description of a target, converted from the target's answer.

    Raises UsageError for an answer that no target of this protocol gives.
    """
    host = wire.host_from_wire(answer.host)
    check_protocol(name, host)
    ports = ports_from_wire(answer.ports)
    return DescribedTarget(
        host, answer.bind, ports, answer.single_port, answer.busy_with, answer.observes, answer.only_run_sources, clock
    )
