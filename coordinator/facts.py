"""From what nodes describe to what a plan needs to know."""

from __future__ import annotations

from c1m.endpoints import Endpoint
from c1m.ports import PortRanges

from .capacity import TargetFacts, WorkerFacts
from .fleet import TargetDescription, WorkerDescription


def worker_facts(name: str, described: WorkerDescription, listening: PortRanges) -> WorkerFacts:
    """``listening``: where the target listens. A client never uses such a port, so that what a kernel counts on it is
    the target's, even where both are on one host."""
    host = described.host
    return WorkerFacts(
        name=name,
        host=host.boot_id,
        namespace=f"{host.boot_id} {host.network_namespace}",
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
