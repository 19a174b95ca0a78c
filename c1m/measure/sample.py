"""What a node tells about itself and its run: plain values, the same for workers and targets.

Protobuf messages stop at ``wire``; everything inside speaks these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from c1m.schedule.schedule import Revision
from c1m.traffic.turnover import Wave

from .phase import Phase
from .source_latency import SourceLatency
from .tally import Tally


@dataclass(frozen=True, slots=True)
class Host:
    """A machine as one node sees it, from inside its own namespaces and limits."""

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
    limits: Mapping[str, int] = field(default_factory=dict)  # those that are no sysctl: "RLIMIT_NPROC", "cgroup_pids"
    levels: Mapping[str, int] = field(default_factory=dict)  # what is used now, by the names of Reading.levels
    unknown: Mapping[str, str] = field(default_factory=dict)  # a sysctl or one of limits -> why it cannot be known here
    tunable: bool = False  # whoever commands the node may raise settings of its host
    wall_clock_ns: int = 0  # CLOCK_REALTIME when it answered; 0: not told
    answered_within_ns: int = 0  # what it took for that

    @property
    def namespace(self) -> str:
        """Equal for nodes that share ports and read the same counters."""
        return f"{self.boot_id} {self.network_namespace}"


@dataclass(frozen=True, slots=True)
class Replacement:
    """Another process in the place of one that ended while its run went on."""

    exit_reason: str  # as among those of the sample
    connections: int  # that it held
    ended_ns: int | None  # since the start of the run on this node; None: it has no start of its own
    after_ns: int  # from its end until the other one was told what to do


@dataclass(frozen=True, slots=True)
class Sample:
    """One node at one moment; the tally is cumulative, so only the newest sample matters."""

    phase: Phase
    tally: Tally = field(default_factory=Tally)
    opened_within_ns: int = 0  # from the start of the run to the newest opening, on the node's own clock
    cpu_seconds: float = 0.0
    processes: int = 0
    exit_reasons: tuple[str, ...] = ()
    replacements: tuple[Replacement, ...] = ()  # of some of those
    halted: str = ""
    # Name ("connect_latency_us") -> microseconds -> how many, cumulative; empty where there is nothing newer to tell
    histograms: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    # Latencies by source address, cumulative; empty where there is nothing newer to tell
    sources: tuple[SourceLatency, ...] = ()
    full: int = 0
    reading: Reading | None = None  # when there is a new one
    heard: bytes = b""  # the beginning of the first that a server said to one of its connections
    elapsed_ns: int = 0  # since the start of the run on this node; 0 before
    scheduled: int | None = None  # how many it should have open, when it counted them; None: it follows no schedule
    schedule_version: int = 1
    revision: Revision | None = None  # of the schedule; told once to each watcher, and of the first one nothing
    reached_ns: Mapping[int, int] = field(default_factory=dict)  # stage, from 0 -> when all shards had reached it
    waves: tuple[Wave, ...] = ()  # of each storm, as far as they have come
    turnover_stopped: bool = False  # nothing is replaced any more, and nothing is in flight
    taken_ns: int = 0  # by the node's CLOCK_MONOTONIC; 0: not told
    closing_because: str = ""  # why the node closes what it opened, or accepted; empty while it does not

    def superseding(self, older: Sample) -> Sample:
        """This one, with what only an older one told: nodes tell it once, and all else again."""
        return replace(
            self,
            reading=self.reading or older.reading,
            histograms=self.histograms or older.histograms,
            sources=self.sources or older.sources,
            revision=self.revision or older.revision,
        )


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a node's kernel said when asked; None is unknown, and ``unknown`` says why."""

    established: int | None = None
    in_accept_queues: int | None = None
    half_closed: int | None = None  # the client has closed, the server has not
    in_syn_queues: int | None = None  # the server waits for the last ACK of the handshake
    rss_bytes: int | None = None
    pss_bytes: int | None = None
    cpu_seconds: float | None = None
    unknown: tuple[str, ...] = ()
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One setting of the host, as it was and as it is: None where it cannot be read; ``reason``: why it is not as wanted."""

    name: str
    before: str | None
    wanted: str
    after: str | None
    reason: str = ""


@dataclass(slots=True)  # a frozen one takes three times as long to make, and of a thousand hosts 200,000 come a second
class Cache:
    """One cache of equal kernel objects. Nobody changes one.

    ``objects`` are those in use. Some of them lie ready on a processor's own list (tens to hundreds), and empty slabs stay
    after a mass close, so that only growth means anything.
    """

    objects: int
    object_bytes: int
    full_bytes: float  # an object and its share of the unused end of its slab
    page_bytes: int  # all that the cache takes of memory, holes included; over all caches that is meminfo's Slab, nearly


@dataclass(frozen=True, slots=True)
class Reading:
    """``counters`` only rise, and were not zero when the run began; ``levels`` go up and down."""

    number: int  # of this run on this node, from 0, the one before anything was opened
    sockets: int | None  # TCP sockets of the whole machine: all network namespaces, both address families
    slab_bytes: int | None
    pss_bytes: int | None  # of the processes watched: the node's own, or the server's; the newest that was affordable
    caches: Mapping[str, Cache] = field(default_factory=dict)  # empty: slabinfo cannot be read
    counters: Mapping[str, int] = field(default_factory=dict)  # "ListenOverflows" -> events since boot
    levels: Mapping[str, int] = field(default_factory=dict)  # "tcp_mem_pages" -> now
    cost_seconds: float = 0.0  # CPU that all readings of this run have taken so far
    unknown: tuple[str, ...] = ()  # what could not be understood, a sentence each
