"""What a summary says about each node: its connections, its host, its memory and CPU, and its loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from c1m.measure.counter import Shown
from c1m.measure.tally import Tally

from .latencies import LatencyFigures, SourceRow, TroubledSource
from .memory_cost import MemoryCost
from .traffic import HeartbeatResults
from .units import NO_FIGURE, WHEN_ASKED, Bytes, BytesEach, Count, IfUnknown, Inline, Seconds

NO_HEARTBEATS = IfUnknown("the run had no heartbeats; that takes --heartbeat")
NOTHING_OPENED = IfUnknown("nothing was opened")


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory and CPU of all processes of a node while connections were held. None is unknown."""

    rss_bytes: Annotated[Bytes | None, "Resident memory; shared pages count in each process.", WHEN_ASKED]
    pss_bytes: Annotated[Bytes | None, "Proportional memory; shared pages count once.", WHEN_ASKED]
    pss_bytes_per_connection: Annotated[BytesEach | None, "The same for each connection held.", WHEN_ASKED]
    cpu_seconds: Annotated[Seconds | None, "User and system CPU time so far.", WHEN_ASKED]
    unknown: Annotated[tuple[str, ...], "Why figures are unknown."]


@dataclass(frozen=True, slots=True)
class KernelCounts:
    """What the kernel of a node counted."""

    established_at_hold_end: Annotated[Count | None, "Established connections of the run at the end of the hold.", WHEN_ASKED]
    half_closed_at_hold_end: Annotated[
        Count | None, "Connections that the client has closed and the server has not. Targets only.", WHEN_ASKED
    ]
    in_accept_queues_at_hold_end: Annotated[Count | None, "Connections not accepted yet. Targets only.", WHEN_ASKED]
    counters: Annotated[Mapping[str, Count], "Kernel counter -> events from the first reading to the last in the hold."]
    levels_at_hold_end: Annotated[Mapping[str, Count], "Level that rises and falls -> its value at the end of the hold."]


@dataclass(frozen=True, slots=True)
class Observing:
    """What the readings of a node's host cost."""

    readings: Annotated[Count, "Readings taken."]
    cpu_seconds: Annotated[Seconds, "CPU time that they took."]
    slab_bytes_of_descriptor_listings: Annotated[Bytes, "Kernel memory left by programs that list descriptors. c1m lists none."]
    unknown: Annotated[tuple[str, ...], "Which of the kernel's files could not be parsed, and why."]


@dataclass(frozen=True, slots=True)
class HostFindings:
    """What connections cost on the host of a node, and what its kernel counted."""

    memory: Annotated[MemoryCost, "Memory of a connection."]
    kernel: Annotated[KernelCounts, "What the kernel counted."]
    observing: Annotated[Observing, "What the readings cost."]


@dataclass(frozen=True, slots=True)
class ReplacementSummary:
    """A process that ended during the run, and that another process replaced."""

    ended: Annotated[str, "How it ended."]
    connections: Annotated[Count, "Connections that it had at its last report."]
    at_seconds: Annotated[Seconds | None, "When it ended, since the start; null on a target, whose runs have no start."]
    after_seconds: Annotated[Seconds, "Time until the replacement had its assignment."]


@dataclass(frozen=True, slots=True)
class LastKnown:
    """The last counts of a lost node. They do not describe the present."""

    opened: Annotated[Count, "Connections opened or accepted."]
    open: Annotated[Count, "Connections that were open."]
    in_flight: Annotated[Count, "Attempts that had not ended."]


@dataclass(frozen=True, slots=True)
class Lost:
    """Why and since when a node is lost. All is None if it is not."""

    lost: Annotated[str | None, "Why the node is lost."]
    lost_at_seconds: Annotated[Seconds | None, "When it was lost, since the start.", NO_FIGURE]
    last_known: Annotated[LastKnown | None, "Its last counts.", NO_FIGURE]


@dataclass(frozen=True, slots=True)
class WorkerSummary:
    """The results of one worker."""

    node: Annotated[str, "The worker: its role and its control address."]
    planned: Annotated[Count, "Connections planned for it, with those taken over from lost workers."]
    established_peak: Annotated[Count, "The most connections that it had open at one time."]
    established_at_hold_end: Annotated[Count | None, "Connections that it had open at the end of the hold."]
    kernel_established_at_hold_end: Annotated[Count | None, "The same by the count of its kernel.", WHEN_ASKED]
    counts: Annotated[Tally, Inline(shown=Shown.WORKER)]
    troubled_sources: Annotated[
        Mapping[str, TroubledSource], "Source address -> its slow and failed handshakes; the 20 with the most.", NO_FIGURE
    ]
    slowest_sources: Annotated[tuple[SourceRow, ...], "Up to 256 of its source addresses, the slowest connects first."]
    server_said_first: Annotated[str | None, "The beginning of the first bytes that the server sent."]
    connect_latency_us: Annotated[LatencyFigures, "Time from the call of connect to the answer."]
    connect_latency_from_due_us: Annotated[LatencyFigures, "Time from when the connect was due to the answer."]
    first_byte_us: Annotated[LatencyFigures, "Time from the establishment to the first byte from the server."]
    heartbeat_rtt_us: Annotated[LatencyFigures, "Time from a heartbeat to its answer."]
    heartbeats: Annotated[HeartbeatResults | None, "Its heartbeats; null if the run sends none.", NO_HEARTBEATS]
    ramp_seconds: Annotated[Seconds | None, "Time from the start to its last opening of the ramp.", NOTHING_OPENED]
    shards: Annotated[Count | None, "Its processes that hold connections."]
    footprint: Annotated[Footprint, Inline()]
    host: Annotated[HostFindings, Inline()]
    replacements: Annotated[tuple[ReplacementSummary, ...], "Its processes that were replaced.", NO_FIGURE]
    loss: Annotated[Lost, Inline()]


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """The results of the target, or of the observer of another server."""

    node: Annotated[str, "The target: its role and its control address."]
    accepted: Annotated[Count | None, "Connections accepted; null if they are not counted, or the target is lost."]
    from_elsewhere: Annotated[Count | None, "Accepted connections that do not belong to the run."]
    open_at_hold_end: Annotated[Count | None, "Accepted and open connections at the end of the hold."]
    counts: Annotated[Tally, Inline(shown=Shown.TARGET)]
    left_open_by_clients: Annotated[Count | None, "Connections that were open after the workers had closed theirs.", WHEN_ASKED]
    accept_delay_us: Annotated[LatencyFigures, "Time that the longest wait of each batch of accepts took."]
    acceptors: Annotated[Count | None, "Its processes that accept connections; 0 with an endpoint."]
    acceptors_full: Annotated[Count | None, "Acceptors that accept no more because their descriptors are used up."]
    footprint: Annotated[Footprint, Inline()]
    host: Annotated[HostFindings, Inline()]
    replacements: Annotated[tuple[ReplacementSummary, ...], "Its processes that were replaced.", NO_FIGURE]
    loss: Annotated[Lost, Inline()]


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of c1m and of its protocol on a node."""

    c1m: Annotated[str, "The version of c1m."]
    protocol: Annotated[int, "The version of the protocol between coordinator and nodes."]


@dataclass(frozen=True, slots=True)
class HostSummary:
    """The host of a node before the run. None is unknown."""

    hostname: Annotated[str, "The name of the host."]
    kernel: Annotated[str, "The release of the kernel."]
    cores: Annotated[Count, "CPUs on which the node may run."]
    memory_total_bytes: Annotated[Bytes | None, "Memory of the machine or of the cgroup."]
    memory_available_bytes_before: Annotated[Bytes | None, "How much of it could be used without swapping."]
    descriptors_per_process: Annotated[Count, "The hard limit of open files of a process."]
    machine: Annotated[Mapping[str, str], "Property of the machine -> its value."]
    sysctls: Annotated[Mapping[str, str], "Kernel setting -> its value."]
    versions: Annotated[Versions, "The versions of the node."]
    clock_offset_seconds: Annotated[Seconds | None, "How far its wall clock is ahead of the coordinator's."]
    clock_uncertainty_seconds: Annotated[Seconds | None, "The largest possible error of the offset."]


@dataclass(frozen=True, slots=True)
class LossSummary:
    """A lost node, and who took over its share."""

    node: Annotated[str, "The node."]
    reason: Annotated[str, "Why it was lost."]
    at_seconds: Annotated[Seconds | None, "When, since the start; null: before it."]
    share: Annotated[Count | None, "Connections planned there; null for the target."]
    taken_by: Annotated[Mapping[str, Count], "Worker -> connections of the share that it took over."]
    not_taken: Annotated[str | None, "Why some were not taken over."]
    kind: Annotated[str, "The kind of the reason, such as left, silent or unreachable."]
