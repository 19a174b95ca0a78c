"""The documents of plan and doctor: the plan in full, memory by host, limits and bottlenecks. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from c1m.coordinator.summary.documents import (
    DoctorDocument,
    HostMemory,
    PlanDocument,
    PlannedDestination,
    ShardAssignment,
    WorkerAssignment,
)
from c1m.coordinator.summary.plan import BottleneckSummary, LimitsBefore, LimitSummary
from c1m.limits.assessment import Assessment, Member, places
from c1m.limits.connection_memory import KERNEL_BYTES, TARGET_BYTES, WORKER_BYTES
from c1m.limits.limit import HostRole, LimitStatus, Scope

from .bottlenecks import Bottleneck
from .plan import Plan, WorkerPlan
from .preflight import Preflight

PLAN_SCHEMA = "c1m.plan/1"
DOCTOR_SCHEMA = "c1m.doctor/1"
USER_BYTES = {HostRole.WORKER: WORKER_BYTES, HostRole.TARGET: TARGET_BYTES, HostRole.SERVER: None}


def plan_document(preflight: Preflight, plan: Plan | None, refused: Iterable[str]) -> PlanDocument:
    """Return the JSON document that ``c1m-coord plan --json`` prints.

    ``plan``: None if the total does not fit; ``refused`` has the reasons.
    """
    return PlanDocument(
        schema=PLAN_SCHEMA,
        total=preflight.total,
        fits=plan is not None,
        refused=tuple(refused),
        ceiling=preflight.ceiling,
        ranking=ranking(preflight.ranking),
        acceptors=acceptors(plan) if plan else (),
        workers=tuple(assignment(worker, len(plan.destinations)) for worker in plan.workers) if plan else (),
        hosts=hosts(preflight.members),
        limits=tuple(map(limit_summary, preflight.not_ok)),
    )


def doctor_document(preflight: Preflight) -> DoctorDocument:
    """Return the JSON document that ``c1m-coord doctor --json`` prints: every limit with its state, and the bottlenecks."""
    return DoctorDocument(
        schema=DOCTOR_SCHEMA,
        total=preflight.total,
        standing=str(preflight.standing),
        ceiling=preflight.ceiling,
        ranking=ranking(preflight.ranking),
        limits=tuple(map(limit_summary, preflight.assessments)),
    )


def limits_before(preflight: Preflight) -> LimitsBefore:
    """Return the limits of a run's summary: the fleet's ceiling, and what was not ok before the start."""
    return LimitsBefore(preflight.ceiling, ranking(preflight.ranking), tuple(map(limit_summary, preflight.not_ok)))


def assignment(worker: WorkerPlan, destinations: int) -> WorkerAssignment:
    """Return what a worker is planned to open, as a JSON object: connections by shard, and its used and free 4-tuples.

    Connections use the worker's source addresses in turn.
    """
    sources, planned = worker.space.sources.size, worker.planned
    each, used = worker.space.ports.size * destinations, -(-planned // sources)
    return WorkerAssignment(
        node=worker.name,
        planned=planned,
        sources=sources,
        client_ports=worker.space.ports.size,
        tuples=worker.space.size * destinations,
        tuples_left=worker.space.size * destinations - planned,
        tuples_of_a_source=each,
        tuples_used_of_a_source=used,
        tuples_left_of_a_source=each - used,
        shards=tuple(
            ShardAssignment(shard.planned, tuple(PlannedDestination(route.destination, route.count) for route in shard.routes))
            for shard in worker.shards
        ),
    )


def acceptors(plan: Plan) -> tuple[PlannedDestination, ...]:
    """Return the planned connections of each destination as a list of JSON objects.

    A destination is an acceptor, a port of an endpoint, or the port that all acceptors share.
    """
    return tuple(PlannedDestination(index, planned) for index, planned in enumerate(plan.destinations))


def hosts(members: Iterable[Member]) -> tuple[HostMemory, ...]:
    """Return the memory of each host as a JSON object, in bytes: available, needed by the kernel, and needed by processes."""
    found = []
    for place in places(Scope.HOST, members):
        host = place[0].host
        available = host.levels.get("memory_available_bytes", host.memory_available_bytes)
        kernel = sum(member.ask.connections for member in place) * KERNEL_BYTES
        user = sum(member.ask.connections * (USER_BYTES[member.ask.role] or 0) for member in place)
        found.append(
            HostMemory(
                nodes=tuple(member.name for member in place),
                hostname=host.hostname,
                memory_available_bytes=available,
                kernel_bytes=kernel,
                # User memory of another server is unknown; a run measures it.
                user_bytes=None if any(USER_BYTES[member.ask.role] is None for member in place) else user,
                left_bytes=None if available is None else available - kernel - user,
            )
        )
    return tuple(found)


def ranking(reaches: Iterable[Bottleneck]) -> tuple[BottleneckSummary, ...]:
    """Return the bottlenecks in short."""
    return tuple(
        BottleneckSummary(
            limit=reach.limit.name,
            title=reach.limit.title,
            total=reach.total,
            nodes=reach.nodes,
            change=reach.change,
            commands=tuple(reach.commands),
        )
        for reach in reaches
    )


def limit_summary(found: Assessment) -> LimitSummary:
    """Return an assessed limit in short. Values are in its ``unit``: "" is a count, "B" bytes."""
    return LimitSummary(
        limit=found.limit.name,
        title=found.limit.title,
        scope=found.limit.scope.value,
        nodes=found.nodes,
        standing=str(found.standing),
        value=found.value,
        used=found.used,
        need=found.need,
        left=found.left,
        unit=found.limit.unit,
        remark=found.remark,
        cure=found.limit.cure if found.standing >= LimitStatus.TIGHT else "",
        commands=tuple(found.commands),
    )
