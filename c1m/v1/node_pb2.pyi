from c1m.v1 import schedule_pb2 as _schedule_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHASE_UNSPECIFIED: _ClassVar[Phase]
    PHASE_PREPARED: _ClassVar[Phase]
    PHASE_OPENING: _ClassVar[Phase]
    PHASE_HOLDING: _ClassVar[Phase]
    PHASE_CLOSING: _ClassVar[Phase]
    PHASE_CLOSED: _ClassVar[Phase]

class ChildKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHILD_KIND_UNSPECIFIED: _ClassVar[ChildKind]
    CHILD_KIND_SHARD: _ClassVar[ChildKind]
    CHILD_KIND_ACCEPTOR: _ClassVar[ChildKind]

class ExitKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXIT_KIND_UNSPECIFIED: _ClassVar[ExitKind]
    EXIT_KIND_FAILED: _ClassVar[ExitKind]
    EXIT_KIND_SIGNALLED: _ClassVar[ExitKind]
    EXIT_KIND_EXITED: _ClassVar[ExitKind]
    EXIT_KIND_LINK_CLOSED: _ClassVar[ExitKind]
    EXIT_KIND_TOOK_NO_ORDER: _ClassVar[ExitKind]
    EXIT_KIND_IDLE: _ClassVar[ExitKind]
    EXIT_KIND_GIVEN_UP: _ClassVar[ExitKind]

class HaltKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HALT_KIND_UNSPECIFIED: _ClassVar[HaltKind]
    HALT_KIND_MEMORY: _ClassVar[HaltKind]

class ClosingKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLOSING_KIND_UNSPECIFIED: _ClassVar[ClosingKind]
    CLOSING_KIND_ASKED: _ClassVar[ClosingKind]
    CLOSING_KIND_UNPREPARED: _ClassVar[ClosingKind]
    CLOSING_KIND_LEAVING: _ClassVar[ClosingKind]
    CLOSING_KIND_LEASE_OVER: _ClassVar[ClosingKind]

class Close(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLOSE_UNSPECIFIED: _ClassVar[Close]
    CLOSE_RESET: _ClassVar[Close]
    CLOSE_FIN: _ClassVar[Close]
PHASE_UNSPECIFIED: Phase
PHASE_PREPARED: Phase
PHASE_OPENING: Phase
PHASE_HOLDING: Phase
PHASE_CLOSING: Phase
PHASE_CLOSED: Phase
CHILD_KIND_UNSPECIFIED: ChildKind
CHILD_KIND_SHARD: ChildKind
CHILD_KIND_ACCEPTOR: ChildKind
EXIT_KIND_UNSPECIFIED: ExitKind
EXIT_KIND_FAILED: ExitKind
EXIT_KIND_SIGNALLED: ExitKind
EXIT_KIND_EXITED: ExitKind
EXIT_KIND_LINK_CLOSED: ExitKind
EXIT_KIND_TOOK_NO_ORDER: ExitKind
EXIT_KIND_IDLE: ExitKind
EXIT_KIND_GIVEN_UP: ExitKind
HALT_KIND_UNSPECIFIED: HaltKind
HALT_KIND_MEMORY: HaltKind
CLOSING_KIND_UNSPECIFIED: ClosingKind
CLOSING_KIND_ASKED: ClosingKind
CLOSING_KIND_UNPREPARED: ClosingKind
CLOSING_KIND_LEAVING: ClosingKind
CLOSING_KIND_LEASE_OVER: ClosingKind
CLOSE_UNSPECIFIED: Close
CLOSE_RESET: Close
CLOSE_FIN: Close

class Host(_message.Message):
    __slots__ = ("protocol", "version", "boot_id", "hostname", "kernel", "cores", "memory_total_bytes", "memory_available_bytes", "descriptors_per_process", "connections_per_process", "network_namespace", "facts", "machine", "merged_caches", "limits", "levels", "unknown", "tunable", "wall_clock_ns", "answered_within_ns")
    class FactsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MachineEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MergedCachesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class LevelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class UnknownEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    CORES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_AVAILABLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTORS_PER_PROCESS_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_PER_PROCESS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    MERGED_CACHES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    TUNABLE_FIELD_NUMBER: _ClassVar[int]
    WALL_CLOCK_NS_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_WITHIN_NS_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    version: str
    boot_id: str
    hostname: str
    kernel: str
    cores: int
    memory_total_bytes: int
    memory_available_bytes: int
    descriptors_per_process: int
    connections_per_process: int
    network_namespace: int
    facts: _containers.ScalarMap[str, str]
    machine: _containers.ScalarMap[str, str]
    merged_caches: _containers.ScalarMap[str, str]
    limits: _containers.ScalarMap[str, int]
    levels: _containers.ScalarMap[str, int]
    unknown: _containers.ScalarMap[str, str]
    tunable: bool
    wall_clock_ns: int
    answered_within_ns: int
    def __init__(self, protocol: _Optional[int] = ..., version: _Optional[str] = ..., boot_id: _Optional[str] = ..., hostname: _Optional[str] = ..., kernel: _Optional[str] = ..., cores: _Optional[int] = ..., memory_total_bytes: _Optional[int] = ..., memory_available_bytes: _Optional[int] = ..., descriptors_per_process: _Optional[int] = ..., connections_per_process: _Optional[int] = ..., network_namespace: _Optional[int] = ..., facts: _Optional[_Mapping[str, str]] = ..., machine: _Optional[_Mapping[str, str]] = ..., merged_caches: _Optional[_Mapping[str, str]] = ..., limits: _Optional[_Mapping[str, int]] = ..., levels: _Optional[_Mapping[str, int]] = ..., unknown: _Optional[_Mapping[str, str]] = ..., tunable: bool = ..., wall_clock_ns: _Optional[int] = ..., answered_within_ns: _Optional[int] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("name", "before", "wanted", "after", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    before: str
    wanted: str
    after: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., before: _Optional[str] = ..., wanted: _Optional[str] = ..., after: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Cache(_message.Message):
    __slots__ = ("objects", "object_bytes", "full_bytes", "page_bytes")
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    OBJECT_BYTES_FIELD_NUMBER: _ClassVar[int]
    FULL_BYTES_FIELD_NUMBER: _ClassVar[int]
    PAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    objects: int
    object_bytes: int
    full_bytes: float
    page_bytes: int
    def __init__(self, objects: _Optional[int] = ..., object_bytes: _Optional[int] = ..., full_bytes: _Optional[float] = ..., page_bytes: _Optional[int] = ...) -> None: ...

class Reading(_message.Message):
    __slots__ = ("number", "sockets", "slab_bytes", "pss_bytes", "caches", "counters", "levels", "cost_seconds", "unknown")
    class CachesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Cache
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Cache, _Mapping]] = ...) -> None: ...
    class CountersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class LevelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SOCKETS_FIELD_NUMBER: _ClassVar[int]
    SLAB_BYTES_FIELD_NUMBER: _ClassVar[int]
    PSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    CACHES_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    COST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    number: int
    sockets: int
    slab_bytes: int
    pss_bytes: int
    caches: _containers.MessageMap[str, Cache]
    counters: _containers.ScalarMap[str, int]
    levels: _containers.ScalarMap[str, int]
    cost_seconds: float
    unknown: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, number: _Optional[int] = ..., sockets: _Optional[int] = ..., slab_bytes: _Optional[int] = ..., pss_bytes: _Optional[int] = ..., caches: _Optional[_Mapping[str, Cache]] = ..., counters: _Optional[_Mapping[str, int]] = ..., levels: _Optional[_Mapping[str, int]] = ..., cost_seconds: _Optional[float] = ..., unknown: _Optional[_Iterable[str]] = ...) -> None: ...

class Tally(_message.Message):
    __slots__ = ("attempted", "opened", "closed", "skipped_ports", "bytes_received", "bytes_sent", "failed", "dropped", "heartbeats", "replaced", "reopened", "away", "waiting", "half_closed", "errors", "sources", "pushes")
    class FailedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class DroppedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class HeartbeatsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class ErrorsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class SourcesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class PushesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ATTEMPTED_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_PORTS_FIELD_NUMBER: _ClassVar[int]
    BYTES_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    BYTES_SENT_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEATS_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    REOPENED_FIELD_NUMBER: _ClassVar[int]
    AWAY_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    HALF_CLOSED_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PUSHES_FIELD_NUMBER: _ClassVar[int]
    attempted: int
    opened: int
    closed: int
    skipped_ports: int
    bytes_received: int
    bytes_sent: int
    failed: _containers.ScalarMap[str, int]
    dropped: _containers.ScalarMap[str, int]
    heartbeats: _containers.ScalarMap[str, int]
    replaced: int
    reopened: int
    away: int
    waiting: int
    half_closed: int
    errors: _containers.ScalarMap[str, int]
    sources: _containers.ScalarMap[str, int]
    pushes: _containers.ScalarMap[str, int]
    def __init__(self, attempted: _Optional[int] = ..., opened: _Optional[int] = ..., closed: _Optional[int] = ..., skipped_ports: _Optional[int] = ..., bytes_received: _Optional[int] = ..., bytes_sent: _Optional[int] = ..., failed: _Optional[_Mapping[str, int]] = ..., dropped: _Optional[_Mapping[str, int]] = ..., heartbeats: _Optional[_Mapping[str, int]] = ..., replaced: _Optional[int] = ..., reopened: _Optional[int] = ..., away: _Optional[int] = ..., waiting: _Optional[int] = ..., half_closed: _Optional[int] = ..., errors: _Optional[_Mapping[str, int]] = ..., sources: _Optional[_Mapping[str, int]] = ..., pushes: _Optional[_Mapping[str, int]] = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("phase", "tally", "opened_within_ns", "cpu_seconds", "processes", "exit_reasons", "halted", "full_acceptors", "reading", "first_received", "histograms", "sources", "elapsed_ns", "scheduled", "schedule", "reached_ns", "schedule_version", "waves", "turnover_stopped", "taken_ns", "replacements", "closing_reason", "exits", "halt", "closing")
    class HistogramsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Histogram
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Histogram, _Mapping]] = ...) -> None: ...
    class ReachedNsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    PHASE_FIELD_NUMBER: _ClassVar[int]
    TALLY_FIELD_NUMBER: _ClassVar[int]
    OPENED_WITHIN_NS_FIELD_NUMBER: _ClassVar[int]
    CPU_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    EXIT_REASONS_FIELD_NUMBER: _ClassVar[int]
    HALTED_FIELD_NUMBER: _ClassVar[int]
    FULL_ACCEPTORS_FIELD_NUMBER: _ClassVar[int]
    READING_FIELD_NUMBER: _ClassVar[int]
    FIRST_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    HISTOGRAMS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_NS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    REACHED_NS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_VERSION_FIELD_NUMBER: _ClassVar[int]
    WAVES_FIELD_NUMBER: _ClassVar[int]
    TURNOVER_STOPPED_FIELD_NUMBER: _ClassVar[int]
    TAKEN_NS_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENTS_FIELD_NUMBER: _ClassVar[int]
    CLOSING_REASON_FIELD_NUMBER: _ClassVar[int]
    EXITS_FIELD_NUMBER: _ClassVar[int]
    HALT_FIELD_NUMBER: _ClassVar[int]
    CLOSING_FIELD_NUMBER: _ClassVar[int]
    phase: Phase
    tally: Tally
    opened_within_ns: int
    cpu_seconds: float
    processes: int
    exit_reasons: _containers.RepeatedScalarFieldContainer[str]
    halted: str
    full_acceptors: int
    reading: Reading
    first_received: bytes
    histograms: _containers.MessageMap[str, Histogram]
    sources: _containers.RepeatedCompositeFieldContainer[SourceLatency]
    elapsed_ns: int
    scheduled: int
    schedule: _schedule_pb2.Schedule
    reached_ns: _containers.ScalarMap[int, int]
    schedule_version: int
    waves: _containers.RepeatedCompositeFieldContainer[StormWave]
    turnover_stopped: bool
    taken_ns: int
    replacements: _containers.RepeatedCompositeFieldContainer[Replacement]
    closing_reason: str
    exits: _containers.RepeatedCompositeFieldContainer[ExitReason]
    halt: HaltReason
    closing: ClosingReason
    def __init__(self, phase: _Optional[_Union[Phase, str]] = ..., tally: _Optional[_Union[Tally, _Mapping]] = ..., opened_within_ns: _Optional[int] = ..., cpu_seconds: _Optional[float] = ..., processes: _Optional[int] = ..., exit_reasons: _Optional[_Iterable[str]] = ..., halted: _Optional[str] = ..., full_acceptors: _Optional[int] = ..., reading: _Optional[_Union[Reading, _Mapping]] = ..., first_received: _Optional[bytes] = ..., histograms: _Optional[_Mapping[str, Histogram]] = ..., sources: _Optional[_Iterable[_Union[SourceLatency, _Mapping]]] = ..., elapsed_ns: _Optional[int] = ..., scheduled: _Optional[int] = ..., schedule: _Optional[_Union[_schedule_pb2.Schedule, _Mapping]] = ..., reached_ns: _Optional[_Mapping[int, int]] = ..., schedule_version: _Optional[int] = ..., waves: _Optional[_Iterable[_Union[StormWave, _Mapping]]] = ..., turnover_stopped: bool = ..., taken_ns: _Optional[int] = ..., replacements: _Optional[_Iterable[_Union[Replacement, _Mapping]]] = ..., closing_reason: _Optional[str] = ..., exits: _Optional[_Iterable[_Union[ExitReason, _Mapping]]] = ..., halt: _Optional[_Union[HaltReason, _Mapping]] = ..., closing: _Optional[_Union[ClosingReason, _Mapping]] = ...) -> None: ...

class ExitReason(_message.Message):
    __slots__ = ("kind", "child", "indices", "pid", "number", "value", "detail", "not_replaced")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CHILD_FIELD_NUMBER: _ClassVar[int]
    INDICES_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    NOT_REPLACED_FIELD_NUMBER: _ClassVar[int]
    kind: ExitKind
    child: ChildKind
    indices: _containers.RepeatedScalarFieldContainer[int]
    pid: int
    number: int
    value: int
    detail: str
    not_replaced: str
    def __init__(self, kind: _Optional[_Union[ExitKind, str]] = ..., child: _Optional[_Union[ChildKind, str]] = ..., indices: _Optional[_Iterable[int]] = ..., pid: _Optional[int] = ..., number: _Optional[int] = ..., value: _Optional[int] = ..., detail: _Optional[str] = ..., not_replaced: _Optional[str] = ...) -> None: ...

class HaltReason(_message.Message):
    __slots__ = ("kind", "available_bytes", "floor_bytes")
    KIND_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    FLOOR_BYTES_FIELD_NUMBER: _ClassVar[int]
    kind: HaltKind
    available_bytes: int
    floor_bytes: int
    def __init__(self, kind: _Optional[_Union[HaltKind, str]] = ..., available_bytes: _Optional[int] = ..., floor_bytes: _Optional[int] = ...) -> None: ...

class ClosingReason(_message.Message):
    __slots__ = ("kind", "lease_seconds", "node_stopped")
    KIND_FIELD_NUMBER: _ClassVar[int]
    LEASE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    NODE_STOPPED_FIELD_NUMBER: _ClassVar[int]
    kind: ClosingKind
    lease_seconds: float
    node_stopped: bool
    def __init__(self, kind: _Optional[_Union[ClosingKind, str]] = ..., lease_seconds: _Optional[float] = ..., node_stopped: bool = ...) -> None: ...

class Replacement(_message.Message):
    __slots__ = ("exit_reason", "connections", "ended_ns", "after_ns", "exit")
    EXIT_REASON_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    ENDED_NS_FIELD_NUMBER: _ClassVar[int]
    AFTER_NS_FIELD_NUMBER: _ClassVar[int]
    EXIT_FIELD_NUMBER: _ClassVar[int]
    exit_reason: str
    connections: int
    ended_ns: int
    after_ns: int
    exit: ExitReason
    def __init__(self, exit_reason: _Optional[str] = ..., connections: _Optional[int] = ..., ended_ns: _Optional[int] = ..., after_ns: _Optional[int] = ..., exit: _Optional[_Union[ExitReason, _Mapping]] = ...) -> None: ...

class StormWave(_message.Message):
    __slots__ = ("dropped", "returned", "recovered_seconds", "slowest_seconds", "forgone")
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SLOWEST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FORGONE_FIELD_NUMBER: _ClassVar[int]
    dropped: int
    returned: int
    recovered_seconds: float
    slowest_seconds: float
    forgone: int
    def __init__(self, dropped: _Optional[int] = ..., returned: _Optional[int] = ..., recovered_seconds: _Optional[float] = ..., slowest_seconds: _Optional[float] = ..., forgone: _Optional[int] = ...) -> None: ...

class SourceLatency(_message.Message):
    __slots__ = ("source", "count", "p50_us", "p99_us", "max_us", "kind")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    P50_US_FIELD_NUMBER: _ClassVar[int]
    P99_US_FIELD_NUMBER: _ClassVar[int]
    MAX_US_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    source: str
    count: int
    p50_us: int
    p99_us: int
    max_us: int
    kind: str
    def __init__(self, source: _Optional[str] = ..., count: _Optional[int] = ..., p50_us: _Optional[int] = ..., p99_us: _Optional[int] = ..., max_us: _Optional[int] = ..., kind: _Optional[str] = ...) -> None: ...

class Histogram(_message.Message):
    __slots__ = ("values_us", "counts")
    VALUES_US_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    values_us: _containers.RepeatedScalarFieldContainer[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, values_us: _Optional[_Iterable[int]] = ..., counts: _Optional[_Iterable[int]] = ...) -> None: ...

class Inspection(_message.Message):
    __slots__ = ("established", "in_accept_queues", "rss_bytes", "pss_bytes", "cpu_seconds", "unknown", "reading", "half_closed", "in_syn_queues")
    ESTABLISHED_FIELD_NUMBER: _ClassVar[int]
    IN_ACCEPT_QUEUES_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    PSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPU_SECONDS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    READING_FIELD_NUMBER: _ClassVar[int]
    HALF_CLOSED_FIELD_NUMBER: _ClassVar[int]
    IN_SYN_QUEUES_FIELD_NUMBER: _ClassVar[int]
    established: int
    in_accept_queues: int
    rss_bytes: int
    pss_bytes: int
    cpu_seconds: float
    unknown: _containers.RepeatedScalarFieldContainer[str]
    reading: Reading
    half_closed: int
    in_syn_queues: int
    def __init__(self, established: _Optional[int] = ..., in_accept_queues: _Optional[int] = ..., rss_bytes: _Optional[int] = ..., pss_bytes: _Optional[int] = ..., cpu_seconds: _Optional[float] = ..., unknown: _Optional[_Iterable[str]] = ..., reading: _Optional[_Union[Reading, _Mapping]] = ..., half_closed: _Optional[int] = ..., in_syn_queues: _Optional[int] = ...) -> None: ...

class Address(_message.Message):
    __slots__ = ("host", "port")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ...) -> None: ...

class AddressBlock(_message.Message):
    __slots__ = ("first", "count")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    first: str
    count: int
    def __init__(self, first: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class PortRange(_message.Message):
    __slots__ = ("low", "high")
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    low: int
    high: int
    def __init__(self, low: _Optional[int] = ..., high: _Optional[int] = ...) -> None: ...
