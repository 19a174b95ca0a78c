"""The documents of plan, doctor, tune and runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .plan import BottleneckSummary, LimitSummary
from .units import Bytes, Count, Number, Seconds


@dataclass(frozen=True, slots=True)
class PlannedDestination:
    """The connections planned to one destination: an acceptor, a port of an endpoint, or the port that all share."""

    destination: Annotated[int, "The number of the destination, from 0."]
    planned: Annotated[Count, "Its connections."]


@dataclass(frozen=True, slots=True)
class ShardAssignment:
    """What one shard opens."""

    planned: Annotated[Count, "Its connections."]
    routes: Annotated[tuple[PlannedDestination, ...], "How many of them go to which destination."]


@dataclass(frozen=True, slots=True)
class WorkerAssignment:
    """What one worker opens, and how much of its 4-tuples it uses."""

    node: Annotated[str, "The worker."]
    planned: Annotated[Count, "Its connections."]
    sources: Annotated[Count, "Source addresses that it uses, in turn."]
    client_ports: Annotated[Count, "Local ports that it uses with each of them."]
    tuples: Annotated[Count, "4-tuples to all destinations."]
    tuples_left: Annotated[Count, "How many of them stay unused."]
    tuples_of_a_source: Annotated[Count, "4-tuples of each source address."]
    tuples_used_of_a_source: Annotated[Count, "How many of them are used."]
    tuples_left_of_a_source: Annotated[Count, "How many of them stay unused."]
    shards: Annotated[tuple[ShardAssignment, ...], "Its processes that hold connections."]


@dataclass(frozen=True, slots=True)
class HostMemory:
    """Memory of a host, and what the connections will need."""

    nodes: Annotated[tuple[str, ...], "The nodes on the host."]
    hostname: Annotated[str, "The name of the host."]
    memory_available_bytes: Annotated[Bytes | None, "Memory that can be used without swapping."]
    kernel_bytes: Annotated[Bytes, "Kernel memory that the connections will need."]
    user_bytes: Annotated[Bytes | None, "Memory of processes that they will need; null if another server runs there."]
    left_bytes: Annotated[Bytes | None, "What is left of the available memory."]


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """The document of c1m-coord plan."""

    schema: Annotated[str, "c1m.plan/1, the name of this format."]
    total: Annotated[Count, "Connections that were asked for."]
    fits: Annotated[bool, "Whether the fleet can hold them."]
    refused: Annotated[tuple[str, ...], "Why it cannot."]
    ceiling: Annotated[Count | None, "The most connections that the fleet holds."]
    ranking: Annotated[tuple[BottleneckSummary, ...], "The limits that stop the fleet next, the lowest total first."]
    acceptors: Annotated[tuple[PlannedDestination, ...], "The destinations."]
    workers: Annotated[tuple[WorkerAssignment, ...], "The workers that have connections."]
    hosts: Annotated[tuple[HostMemory, ...], "Memory by host."]
    limits: Annotated[tuple[LimitSummary, ...], "Limits that are not ok."]


@dataclass(frozen=True, slots=True)
class DoctorDocument:
    """The document of c1m-coord doctor."""

    schema: Annotated[str, "c1m.doctor/1, the name of this format."]
    total: Annotated[Count, "Connections for which the limits were assessed."]
    standing: Annotated[str, "The worst status of all limits."]
    ceiling: Annotated[Count | None, "The most connections that the fleet holds."]
    ranking: Annotated[tuple[BottleneckSummary, ...], "The limits that stop the fleet next, the lowest total first."]
    limits: Annotated[tuple[LimitSummary, ...], "All limits in all places."]


@dataclass(frozen=True, slots=True)
class AdviceSummary:
    """A setting to change. The last texts but ``why`` are empty if no setting helps."""

    nodes: Annotated[tuple[str, ...], "The nodes that share the setting."]
    limit: Annotated[str, "The limit that needs the change."]
    standing: Annotated[str, "The status of the limit."]
    need: Annotated[Number | None, "How much the run needs of it."]
    unit: Annotated[str, "The unit of the limit."]
    setting: Annotated[str, "The setting."]
    now: Annotated[str, "Its present value."]
    wanted: Annotated[str, "The value that suffices."]
    command: Annotated[str, "The shell command that changes it."]
    tunable: Annotated[bool, "Whether c1m-coord tune may change it."]
    why: Annotated[str, "Why it should be changed."]


@dataclass(frozen=True, slots=True)
class ChangeSummary:
    """A setting that was changed, or should have been."""

    node: Annotated[str, "The node that changed it."]
    setting: Annotated[str, "The setting."]
    before: Annotated[str | None, "Its value before; null if the node cannot read it."]
    wanted: Annotated[str, "The value that was wanted."]
    after: Annotated[str | None, "Its value after; null if the node cannot read it."]
    reason: Annotated[str, "Why it is not the one that was wanted; empty: it is."]


@dataclass(frozen=True, slots=True)
class TuneDocument:
    """The document of c1m-coord tune."""

    schema: Annotated[str, "c1m.tune/1, the name of this format."]
    total: Annotated[Count | None, "Connections for which settings were advised."]
    advice: Annotated[tuple[AdviceSummary, ...], "The settings to change."]
    changes: Annotated[tuple[ChangeSummary, ...], "The settings that were changed."]
    closed: Annotated[tuple[str, ...], "Nodes without --allow-tune, which were not asked."]
    lost: Annotated[tuple[str, ...], "The error of each node that stopped answering."]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run that has a journal. None is unknown."""

    run_id: Annotated[str, "The id of the run."]
    state: Annotated[str, "running, ended, incomplete or unreadable."]
    started_at: Annotated[str | None, "When it started."]
    seconds: Annotated[Seconds | None, "Time from its first record to its last."]
    verdict: Annotated[str | None, "The verdict on the run."]
    exit_code: Annotated[int | None, "The exit code of c1m-coord run."]
    command: Annotated[str | None, "The command that started it."]
    labels: Annotated[tuple[str, ...], "Its labels, KEY=VALUE each."]
    journal_bytes: Annotated[Bytes, "The size of its journal."]


@dataclass(frozen=True, slots=True)
class RunsDocument:
    """The document of c1m-coord runs."""

    schema: Annotated[str, "c1m.runs/1, the name of this format."]
    directory: Annotated[str, "The directory of the journals."]
    runs: Annotated[tuple[RunSummary, ...], "The runs, the newest first."]
