"""Converts descriptions of nodes to the facts that a plan needs."""

from __future__ import annotations

import math

from c1m.coordinator.planning.capacity import TargetFacts, WorkerFacts
from c1m.coordinator.spec.spec import RunSpec
from c1m.errors import UsageError
from c1m.limits.budget import budgets_of
from c1m.limits.limit import HostRole
from c1m.measure.phase import Close
from c1m.net.endpoints import Endpoint
from c1m.net.ports import PortRanges
from c1m.traffic.bandwidth import ConnectionTraffic, bits_each

from .descriptions import DescribedTarget, DescribedWorker

TIME_WAIT_SECONDS = 60.0  # net/tcp.h TCP_TIMEWAIT_LEN, which no sysctl changes


def resting(spec: RunSpec) -> float:
    """Return the mean number of 4-tuples in TIME_WAIT for each connection that is held.

    A client that closes with a FIN leaves one behind. The number is 0 if clients close otherwise, or if connections have no
    lifetime.
    """
    if spec.close is not Close.FIN or not spec.lifetime:
        return 0.0
    return TIME_WAIT_SECONDS / (spec.lifetime.mean + (spec.downtime.mean if spec.downtime else 0.0))


def bandwidth_of(spec: RunSpec, data_host: str) -> float:
    """Return the bits a second that each connection of a run makes its worker send; 0 if that is unknown.

    A quota of the host refuses a run for which it is unknown.
    """
    talk = ConnectionTraffic(spec.beating, spec.slow, spec.keepalive, spec.server_push)
    reset, version = spec.close is Close.RESET, 6 if ":" in data_host else 4
    bits = bits_each(spec.schedule, spec.total, spec.turnover, talk, reset=reset, version=version)
    return bits if math.isfinite(bits) and not spec.rushes else 0.0


def worker_facts(
    name: str,
    described: DescribedWorker,
    listening: PortRanges,
    resting: float,
    rate: float = 0.0,
    bandwidth: float = 0.0,
) -> WorkerFacts:
    """Return the facts about a worker that a plan needs (addresses, ports, cores, limits), from its description.

    ``listening``: the ports on which the target listens. Clients never use them, so that what a kernel counts on such a port is
    the target's even on one host. ``resting``: 4-tuples in TIME_WAIT for each connection. ``rate`` and ``bandwidth``:
    connections and bits a second for each connection of the run.
    """
    host = described.host
    return WorkerFacts(
        name=name,
        namespace=host.namespace,
        cores=host.cores,
        connections_per_process=host.connections_per_process,
        sources=described.sources,
        ports=described.ports.without(listening),
        budgets=budgets_of(name, host, HostRole.WORKER, rate, bandwidth),
        resting=resting,
        sources_on_link=described.sources_on_link,
    )


# Share of an acceptor's connections that is kept free with turnover: a replacement may come before the end of its predecessor
# has been read. Less than half a percent of a run can be on the way at a time.
SPARE_SHARE = 0.02


def target_facts(name: str, described: DescribedTarget, *, turnover: bool = False) -> TargetFacts:
    """Return the facts about a target that a plan needs (ports, cores, limits), from its description.

    ``turnover``: whether the run replaces connections.
    """
    host = described.host
    spare = math.ceil(host.connections_per_process * SPARE_SHARE) if turnover else 0
    return TargetFacts(
        name=name,
        cores=host.cores,
        connections_per_process=host.connections_per_process - spare,
        spare=spare,
        ports=described.ports.size,
        single_port=described.single_port,
        budgets=budgets_of(name, host, HostRole.TARGET),
    )


def endpoint_facts(endpoint: Endpoint, name: str = "", observed: DescribedTarget | None = None) -> TargetFacts:
    """Return the facts that a plan needs about an endpoint, a server that is not c1m's. Its capacity is unknown.

    ``observed``: the description by the node that observes it, with the limits of its host; None: they are unknown.
    """
    return TargetFacts(
        name=name or str(endpoint),
        cores=0,
        connections_per_process=0,
        ports=endpoint.ports.size,
        is_endpoint=True,
        budgets=budgets_of(name, observed.host, HostRole.SERVER) if observed else (),
    )


def check_role(name: str, spec: RunSpec, target: DescribedTarget) -> None:
    """Raise UsageError for a target that serves beside an endpoint, or one that only observes without an endpoint.

    Returns nothing.
    """
    if spec.endpoint and not target.observes:
        raise UsageError(
            f"{name} serves connections of its own, and the run goes to {spec.endpoint}; leave --target out, or start "
            f"c1m-target observe --port {spec.endpoint.ports} there"
        )
    if target.observes and not spec.endpoint:
        raise UsageError(
            f"{name} only observes a server on port {target.ports}; say where that is with --endpoint HOST:{target.ports}"
        )
