"""From what nodes describe to what a plan needs to know."""

from __future__ import annotations

from c1m.endpoints import Endpoint
from c1m.errors import UsageError
from c1m.ports import PortRanges

from .capacity import TargetFacts, WorkerFacts
from .fleet import TargetDescription, WorkerDescription
from .spec import RunSpec


def worker_facts(name: str, described: WorkerDescription, listening: PortRanges) -> WorkerFacts:
    """``listening``: where the target listens. A client never uses such a port, so that what a kernel counts on it is
    the target's, even where both are on one host."""
    host = described.host
    return WorkerFacts(
        name=name,
        host=host.boot_id,
        namespace=host.namespace,
        cores=host.cores,
        connections_per_process=host.connections_per_process,
        memory_available_bytes=host.memory_available_bytes,
        sources=described.sources,
        ports=described.ports.without(listening),
    )


def target_facts(name: str, described: TargetDescription) -> TargetFacts:
    host = described.host
    return TargetFacts(
        name=name,
        host=host.boot_id,
        cores=host.cores,
        connections_per_process=host.connections_per_process,
        memory_available_bytes=host.memory_available_bytes,
        ports=described.ports.size,
        single_port=described.single_port,
    )


def endpoint_facts(endpoint: Endpoint) -> TargetFacts:
    """Any server: how much it holds is what the run finds out."""
    return TargetFacts(
        name=str(endpoint),
        host="",
        cores=0,
        connections_per_process=0,
        memory_available_bytes=None,
        ports=endpoint.ports.size,
        is_endpoint=True,
    )


def check_role(name: str, spec: RunSpec, target: TargetDescription) -> None:
    """Raises UsageError for a target that serves beside an endpoint, or one that only observes without."""
    if spec.endpoint and not target.observes:
        raise UsageError(
            f"{name} serves connections of its own, and the run goes to {spec.endpoint}; leave --target out, or start "
            f"c1m-target observe --port {spec.endpoint.ports} there"
        )
    if target.observes and not spec.endpoint:
        raise UsageError(
            f"{name} only observes a server on port {target.ports}; say where that is with --endpoint HOST:{target.ports}"
        )
