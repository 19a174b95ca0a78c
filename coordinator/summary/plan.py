"""The plan and the limits of a run, in short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .units import Count, Inline, Number


@dataclass(frozen=True, slots=True)
class Extremes:
    """The smallest and the largest of several counts."""

    min: Annotated[Count, "The smallest."]
    max: Annotated[Count, "The largest."]


@dataclass(frozen=True, slots=True)
class WorkerPlanSummary:
    """What one worker was to open."""

    node: Annotated[str, "The worker."]
    planned: Annotated[Count, "Its connections."]
    shards: Annotated[Count, "Its processes that hold connections."]
    sources: Annotated[Count, "Source addresses that it uses."]
    client_ports: Annotated[Count, "Local ports that it uses with each of them."]
    tuples_per_destination: Annotated[Count, "Pairs of a source address and a port."]


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """The plan in short."""

    acceptors: Annotated[Count | None, "Processes of the target that accept connections; null with an endpoint."]
    spare_per_acceptor: Annotated[Count | None, "Connections that each acceptor can hold beyond its plan."]
    destinations: Annotated[Count, "Address and port pairs that the workers connect to."]
    connections_per_destination: Annotated[Extremes, "Connections planned to each destination."]
    workers: Annotated[tuple[WorkerPlanSummary, ...], "The workers that have connections."]


@dataclass(frozen=True, slots=True)
class BottleneckSummary:
    """A limit, and the most connections that it allows the fleet."""

    limit: Annotated[str, "The name of the limit, as c1m-coord explain takes it."]
    title: Annotated[str, "The limit in words."]
    total: Annotated[Count, "The most connections that it allows."]
    nodes: Annotated[tuple[str, ...], "Where it is, the narrowest place first."]
    change: Annotated[str, "The smallest change that reaches the next limit, or the total that was asked for."]
    commands: Annotated[tuple[str, ...], "Commands that make the change."]


@dataclass(frozen=True, slots=True)
class LimitSummary:
    """A limit in one place, before the run. None is unknown. Values are in its ``unit``: empty is a count, "B" bytes."""

    limit: Annotated[str, "The name of the limit."]
    title: Annotated[str, "The limit in words."]
    scope: Annotated[str, "The kind of place: node, cgroup, network namespace or host."]
    nodes: Annotated[tuple[str, ...], "The nodes that share it."]
    standing: Annotated[str, "ok, unknown, tight, or will stop you."]
    value: Annotated[Number | None, "The limit."]
    used: Annotated[Number | None, "How much of it was used."]
    need: Annotated[Number | None, "How much the run needs."]
    left: Annotated[Number | None, "How much was left for connections."]
    unit: Annotated[str, "The unit of the values."]
    remark: Annotated[str, "Why it is unknown, does not matter, or stops only other programs."]
    cure: Annotated[str, "What lifts it; empty if it is not tight."]
    commands: Annotated[tuple[str, ...], "Commands that lift it."]


@dataclass(frozen=True, slots=True)
class TightLimitSummary:
    """A limit that became tight while the run went on. Values are in its ``unit``."""

    limit: Annotated[str, "The name of the limit."]
    node: Annotated[str, "The node whose reading shows it."]
    standing: Annotated[str, "tight, or will stop you."]
    value: Annotated[Number, "The limit."]
    used_before: Annotated[Number, "How much was used at the first reading."]
    used: Annotated[Number, "How much was used when it became tight."]
    unit: Annotated[str, "The unit of the values."]


@dataclass(frozen=True, slots=True)
class LimitsBefore:
    """The limits before the start."""

    ceiling: Annotated[Count | None, "The most connections that the fleet holds."]
    ranking: Annotated[tuple[BottleneckSummary, ...], "The limits that stop the fleet next, the lowest total first."]
    before: Annotated[tuple[LimitSummary, ...], "Limits that were not ok."]


@dataclass(frozen=True, slots=True)
class LimitsSummary:
    """The limits before the start, and what a run used of them."""

    fleet: Annotated[LimitsBefore, Inline()]
    while_running: Annotated[tuple[TightLimitSummary, ...], "Limits that became tight."]
