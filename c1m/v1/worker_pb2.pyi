from c1m.v1 import node_pb2 as _node_pb2
from c1m.v1 import schedule_pb2 as _schedule_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DistributionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISTRIBUTION_KIND_UNSPECIFIED: _ClassVar[DistributionKind]
    DISTRIBUTION_KIND_FIXED: _ClassVar[DistributionKind]
    DISTRIBUTION_KIND_UNIFORM: _ClassVar[DistributionKind]
    DISTRIBUTION_KIND_EXPONENTIAL: _ClassVar[DistributionKind]

class Expect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPECT_UNSPECIFIED: _ClassVar[Expect]
    EXPECT_ECHO: _ClassVar[Expect]
    EXPECT_NONE: _ClassVar[Expect]
    EXPECT_ANY: _ClassVar[Expect]
    EXPECT_PREFIX: _ClassVar[Expect]
DISTRIBUTION_KIND_UNSPECIFIED: DistributionKind
DISTRIBUTION_KIND_FIXED: DistributionKind
DISTRIBUTION_KIND_UNIFORM: DistributionKind
DISTRIBUTION_KIND_EXPONENTIAL: DistributionKind
EXPECT_UNSPECIFIED: Expect
EXPECT_ECHO: Expect
EXPECT_NONE: Expect
EXPECT_ANY: Expect
EXPECT_PREFIX: Expect

class DescribeRequest(_message.Message):
    __slots__ = ("destinations",)
    DESTINATIONS_FIELD_NUMBER: _ClassVar[int]
    destinations: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, destinations: _Optional[_Iterable[str]] = ...) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("host", "sources", "ports", "busy_with", "run_id", "elapsed_ns", "schedule", "sources_on_link")
    HOST_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    BUSY_WITH_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_NS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    SOURCES_ON_LINK_FIELD_NUMBER: _ClassVar[int]
    host: _node_pb2.Host
    sources: _containers.RepeatedCompositeFieldContainer[_node_pb2.AddressBlock]
    ports: _containers.RepeatedCompositeFieldContainer[_node_pb2.PortRange]
    busy_with: str
    run_id: str
    elapsed_ns: int
    schedule: _schedule_pb2.Schedule
    sources_on_link: int
    def __init__(self, host: _Optional[_Union[_node_pb2.Host, _Mapping]] = ..., sources: _Optional[_Iterable[_Union[_node_pb2.AddressBlock, _Mapping]]] = ..., ports: _Optional[_Iterable[_Union[_node_pb2.PortRange, _Mapping]]] = ..., busy_with: _Optional[str] = ..., run_id: _Optional[str] = ..., elapsed_ns: _Optional[int] = ..., schedule: _Optional[_Union[_schedule_pb2.Schedule, _Mapping]] = ..., sources_on_link: _Optional[int] = ...) -> None: ...

class PrepareRequest(_message.Message):
    __slots__ = ("run_id", "shards", "sources", "ports", "most_in_flight", "connect_timeout_seconds", "lease_seconds", "heartbeat", "keepalive_seconds", "pushed", "push_rate", "dscp", "schedule", "peak", "arrival", "close_order", "close", "seed", "turnover", "slow", "nonce")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    MOST_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LEASE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    KEEPALIVE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PUSHED_FIELD_NUMBER: _ClassVar[int]
    PUSH_RATE_FIELD_NUMBER: _ClassVar[int]
    DSCP_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    PEAK_FIELD_NUMBER: _ClassVar[int]
    ARRIVAL_FIELD_NUMBER: _ClassVar[int]
    CLOSE_ORDER_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    TURNOVER_FIELD_NUMBER: _ClassVar[int]
    SLOW_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    shards: _containers.RepeatedCompositeFieldContainer[ShardAssignment]
    sources: _containers.RepeatedCompositeFieldContainer[_node_pb2.AddressBlock]
    ports: _containers.RepeatedCompositeFieldContainer[_node_pb2.PortRange]
    most_in_flight: int
    connect_timeout_seconds: float
    lease_seconds: float
    heartbeat: Heartbeat
    keepalive_seconds: int
    pushed: bool
    push_rate: float
    dscp: int
    schedule: _schedule_pb2.Schedule
    peak: int
    arrival: _schedule_pb2.Arrival
    close_order: _schedule_pb2.CloseOrder
    close: _node_pb2.Close
    seed: int
    turnover: Turnover
    slow: SlowClients
    nonce: bytes
    def __init__(self, run_id: _Optional[str] = ..., shards: _Optional[_Iterable[_Union[ShardAssignment, _Mapping]]] = ..., sources: _Optional[_Iterable[_Union[_node_pb2.AddressBlock, _Mapping]]] = ..., ports: _Optional[_Iterable[_Union[_node_pb2.PortRange, _Mapping]]] = ..., most_in_flight: _Optional[int] = ..., connect_timeout_seconds: _Optional[float] = ..., lease_seconds: _Optional[float] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., keepalive_seconds: _Optional[int] = ..., pushed: bool = ..., push_rate: _Optional[float] = ..., dscp: _Optional[int] = ..., schedule: _Optional[_Union[_schedule_pb2.Schedule, _Mapping]] = ..., peak: _Optional[int] = ..., arrival: _Optional[_Union[_schedule_pb2.Arrival, str]] = ..., close_order: _Optional[_Union[_schedule_pb2.CloseOrder, str]] = ..., close: _Optional[_Union[_node_pb2.Close, str]] = ..., seed: _Optional[int] = ..., turnover: _Optional[_Union[Turnover, _Mapping]] = ..., slow: _Optional[_Union[SlowClients, _Mapping]] = ..., nonce: _Optional[bytes] = ...) -> None: ...

class SlowClients(_message.Message):
    __slots__ = ("interval_seconds", "request", "half_open")
    INTERVAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    HALF_OPEN_FIELD_NUMBER: _ClassVar[int]
    interval_seconds: float
    request: bytes
    half_open: bool
    def __init__(self, interval_seconds: _Optional[float] = ..., request: _Optional[bytes] = ..., half_open: bool = ...) -> None: ...

class Turnover(_message.Message):
    __slots__ = ("lifetime", "downtime", "backoff", "storms")
    LIFETIME_FIELD_NUMBER: _ClassVar[int]
    DOWNTIME_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_FIELD_NUMBER: _ClassVar[int]
    STORMS_FIELD_NUMBER: _ClassVar[int]
    lifetime: Distribution
    downtime: Distribution
    backoff: Backoff
    storms: _containers.RepeatedCompositeFieldContainer[Storm]
    def __init__(self, lifetime: _Optional[_Union[Distribution, _Mapping]] = ..., downtime: _Optional[_Union[Distribution, _Mapping]] = ..., backoff: _Optional[_Union[Backoff, _Mapping]] = ..., storms: _Optional[_Iterable[_Union[Storm, _Mapping]]] = ...) -> None: ...

class Distribution(_message.Message):
    __slots__ = ("kind", "low_seconds", "high_seconds")
    KIND_FIELD_NUMBER: _ClassVar[int]
    LOW_SECONDS_FIELD_NUMBER: _ClassVar[int]
    HIGH_SECONDS_FIELD_NUMBER: _ClassVar[int]
    kind: DistributionKind
    low_seconds: float
    high_seconds: float
    def __init__(self, kind: _Optional[_Union[DistributionKind, str]] = ..., low_seconds: _Optional[float] = ..., high_seconds: _Optional[float] = ...) -> None: ...

class Backoff(_message.Message):
    __slots__ = ("first_seconds", "cap_seconds")
    FIRST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    CAP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    first_seconds: float
    cap_seconds: float
    def __init__(self, first_seconds: _Optional[float] = ..., cap_seconds: _Optional[float] = ...) -> None: ...

class Storm(_message.Message):
    __slots__ = ("at_seconds", "share", "return_seconds", "by_target")
    AT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    RETURN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    BY_TARGET_FIELD_NUMBER: _ClassVar[int]
    at_seconds: float
    share: float
    return_seconds: float
    by_target: bool
    def __init__(self, at_seconds: _Optional[float] = ..., share: _Optional[float] = ..., return_seconds: _Optional[float] = ..., by_target: bool = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("interval_seconds", "payload_bytes", "send", "expect", "prefix")
    INTERVAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_BYTES_FIELD_NUMBER: _ClassVar[int]
    SEND_FIELD_NUMBER: _ClassVar[int]
    EXPECT_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    interval_seconds: float
    payload_bytes: int
    send: bytes
    expect: Expect
    prefix: bytes
    def __init__(self, interval_seconds: _Optional[float] = ..., payload_bytes: _Optional[int] = ..., send: _Optional[bytes] = ..., expect: _Optional[_Union[Expect, str]] = ..., prefix: _Optional[bytes] = ...) -> None: ...

class ShardAssignment(_message.Message):
    __slots__ = ("routes", "first_point")
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    FIRST_POINT_FIELD_NUMBER: _ClassVar[int]
    routes: _containers.RepeatedCompositeFieldContainer[Route]
    first_point: int
    def __init__(self, routes: _Optional[_Iterable[_Union[Route, _Mapping]]] = ..., first_point: _Optional[int] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("destination", "first", "span", "count")
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    destination: _node_pb2.Address
    first: int
    span: int
    count: int
    def __init__(self, destination: _Optional[_Union[_node_pb2.Address, _Mapping]] = ..., first: _Optional[int] = ..., span: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class PrepareResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class StartResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RetargetRequest(_message.Message):
    __slots__ = ("run_id", "at_ns", "stages")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AT_NS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    at_ns: int
    stages: _containers.RepeatedCompositeFieldContainer[_schedule_pb2.Stage]
    def __init__(self, run_id: _Optional[str] = ..., at_ns: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[_schedule_pb2.Stage, _Mapping]]] = ...) -> None: ...

class RetargetResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class AddShardsRequest(_message.Message):
    __slots__ = ("run_id", "shards")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    shards: _containers.RepeatedCompositeFieldContainer[ShardAssignment]
    def __init__(self, run_id: _Optional[str] = ..., shards: _Optional[_Iterable[_Union[ShardAssignment, _Mapping]]] = ...) -> None: ...

class AddShardsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("run_id", "sample_seconds", "reading_every")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    READING_EVERY_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    sample_seconds: float
    reading_every: int
    def __init__(self, run_id: _Optional[str] = ..., sample_seconds: _Optional[float] = ..., reading_every: _Optional[int] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("sample",)
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    sample: _node_pb2.Sample
    def __init__(self, sample: _Optional[_Union[_node_pb2.Sample, _Mapping]] = ...) -> None: ...

class InspectRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class InspectResponse(_message.Message):
    __slots__ = ("inspection",)
    INSPECTION_FIELD_NUMBER: _ClassVar[int]
    inspection: _node_pb2.Inspection
    def __init__(self, inspection: _Optional[_Union[_node_pb2.Inspection, _Mapping]] = ...) -> None: ...

class ProbeRequest(_message.Message):
    __slots__ = ("run_id", "connections")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    connections: int
    def __init__(self, run_id: _Optional[str] = ..., connections: _Optional[int] = ...) -> None: ...

class ProbeResponse(_message.Message):
    __slots__ = ("probed", "ghosts")
    PROBED_FIELD_NUMBER: _ClassVar[int]
    GHOSTS_FIELD_NUMBER: _ClassVar[int]
    probed: int
    ghosts: int
    def __init__(self, probed: _Optional[int] = ..., ghosts: _Optional[int] = ...) -> None: ...

class StopTurnoverRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class StopTurnoverResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopTrafficRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class StopTrafficResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ("run_id", "close", "rate")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    close: _node_pb2.Close
    rate: float
    def __init__(self, run_id: _Optional[str] = ..., close: _Optional[_Union[_node_pb2.Close, str]] = ..., rate: _Optional[float] = ...) -> None: ...

class StopResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TuneRequest(_message.Message):
    __slots__ = ("settings", "undo")
    class SettingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    UNDO_FIELD_NUMBER: _ClassVar[int]
    settings: _containers.ScalarMap[str, str]
    undo: bool
    def __init__(self, settings: _Optional[_Mapping[str, str]] = ..., undo: bool = ...) -> None: ...

class TuneResponse(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[_node_pb2.Change]
    def __init__(self, changes: _Optional[_Iterable[_Union[_node_pb2.Change, _Mapping]]] = ...) -> None: ...
