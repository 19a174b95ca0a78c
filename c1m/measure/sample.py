"""What a node reports about itself and its run. These plain values are the same for workers and targets.

Protobuf messages are converted to them in ``wire``; no other code uses the messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from c1m.schedule.schedule import Revision
from c1m.traffic.turnover import Wave

from .phase import Phase
from .reasons import ClosingReason, ExitReason, HaltReason
from .source_latency import SourceLatency
from .tally import Tally


@dataclass(frozen=True, slots=True)
class Host:
    """A description of a machine as one node sees it, from inside the node's own namespaces and limits.

    A value that is None is unknown.
    """

    protocol: int
    version: str
    boot_id: str
    hostname: str
    kernel: str
    cores: int
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    descriptors_per_process: int
    connections_per_process: int
    network_namespace: int
    facts: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    merged_caches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # slab cache -> all its names
    limits: Mapping[str, int] = field(default_factory=dict)  # limits that are not sysctls: "RLIMIT_NPROC", "cgroup_pids"
    levels: Mapping[str, int] = field(default_factory=dict)  # current usage, by the names of Reading.levels
    unknown: Mapping[str, str] = field(default_factory=dict)  # name of a sysctl or limit -> why it cannot be read here
    tunable: bool = False  # the coordinator may raise settings of this host
    wall_clock_ns: int = 0  # CLOCK_REALTIME when it answered; 0: not reported
    answered_within_ns: int = 0  # time from the arrival of the call until then

    @property
    def namespace(self) -> str:
        """A text that identifies the host and network namespace of a node.

        It is equal for nodes that share ports and read the same counters.
        """
        return f"{self.boot_id} {self.network_namespace}"


@dataclass(frozen=True, slots=True)
class Replacement:
    """A record that a child process was started in place of one that ended while the run went on."""

    exit_reason: ExitReason  # of the process that ended, as in Sample.exit_reasons
    connections: int  # the connections that it held
    ended_ns: int | None  # since the start of the run on this node; None: the node has no start of its own
    after_ns: int  # from its end until its replacement got its assignment


@dataclass(frozen=True, slots=True)
class Sample:
    """The state of one node's run at one moment. All counts are cumulative, so only the newest sample matters."""

    phase: Phase
    tally: Tally = field(default_factory=Tally)
    opened_within_ns: int = 0  # from the start of the run to the newest opening, on the node's own clock
    cpu_seconds: float = 0.0
    processes: int = 0
    exit_reasons: tuple[ExitReason, ...] = ()
    replacements: tuple[Replacement, ...] = ()  # of processes in exit_reasons
    halted: HaltReason | None = None  # why the node opens no more connections; None while it does
    # {name ("connect_latency_us"): {microseconds: count}}, cumulative; empty if there is nothing newer
    histograms: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    # Latencies by source address, cumulative; empty if there is nothing newer
    sources: tuple[SourceLatency, ...] = ()
    full_acceptors: int = 0
    reading: Reading | None = None  # None if there is no new one
    first_received: bytes = b""  # the beginning of the first bytes that a server sent on one of the node's connections
    elapsed_ns: int = 0  # since the start of the run on this node; 0 before
    scheduled: int | None = None  # open connections by the schedule when they were counted; None: it follows no schedule
    schedule_version: int = 1
    revision: Revision | None = None  # of the schedule; sent once to each watcher, except the first revision
    reached_ns: Mapping[int, int] = field(default_factory=dict)  # stage, from 0 -> when all shards had reached it
    waves: tuple[Wave, ...] = ()  # one for each storm, up to now
    turnover_stopped: bool = False  # nothing is replaced any more, and nothing is in flight
    taken_ns: int = 0  # by the node's CLOCK_MONOTONIC; 0: not reported
    closing_reason: ClosingReason | None = None  # why the node closes its connections; None while it does not

    def superseding(self, older: Sample) -> Sample:
        """Return this sample, with fields that nodes send only once filled in from an older sample if they are empty."""
        return replace(
            self,
            reading=self.reading or older.reading,
            histograms=self.histograms or older.histograms,
            sources=self.sources or older.sources,
            revision=self.revision or older.revision,
        )


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a node's kernel counted on request: connections by state, memory and CPU time of the node's processes.

    None is unknown, and ``unknown`` has the reasons.
    """

    established: int | None = None
    in_accept_queues: int | None = None
    half_closed: int | None = None  # the client has closed, but the server has not
    in_syn_queues: int | None = None  # the server waits for the last ACK of the handshake
    rss_bytes: int | None = None
    pss_bytes: int | None = None
    cpu_seconds: float | None = None
    unknown: tuple[str, ...] = ()
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One setting of a host before and after a change. A value is None if it cannot be read.

    ``reason`` says why the value is not the wanted one; it is empty otherwise.
    """

    name: str
    before: str | None
    wanted: str
    after: str | None
    reason: str = ""


@dataclass(slots=True)  # not frozen: that takes three times as long to make, and a thousand hosts send 200,000 a second
class Cache:
    """One slab cache of equal kernel objects. Treat it as immutable.

    ``objects`` are those in use. That includes some that are free on a CPU's own list (tens to hundreds), and after a mass
    close empty slabs stay allocated. Only growth is therefore meaningful.
    """

    objects: int
    object_bytes: int
    full_bytes: float  # an object and its share of the unused end of its slab
    page_bytes: int  # all memory of the cache, unused objects included; the sum over all caches is nearly meminfo's Slab


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a host's memory, slab caches, counters and levels.

    ``counters`` only rise and were not zero when the run began; ``levels`` rise and fall.
    """

    number: int  # of this run on this node; number 0 was taken before anything was opened
    sockets: int | None  # TCP sockets of the whole machine: all network namespaces, both address families
    slab_bytes: int | None
    pss_bytes: int | None  # of the node's processes or the observed server's; may be older than the rest of the reading
    caches: Mapping[str, Cache] = field(default_factory=dict)  # empty if slabinfo cannot be read
    counters: Mapping[str, int] = field(default_factory=dict)  # "ListenOverflows" -> events since boot
    levels: Mapping[str, int] = field(default_factory=dict)  # "tcp_mem_pages" -> now
    cost_seconds: float = 0.0  # CPU time of all readings of this run so far
    unknown: tuple[str, ...] = ()  # what could not be parsed, a sentence each
