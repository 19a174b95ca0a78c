from c1m.v1 import node_pb2 as _node_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TargetServiceDescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TargetServiceDescribeResponse(_message.Message):
    __slots__ = ("host", "bind", "ports", "single_port", "busy_with", "observes", "only_run_sources")
    HOST_FIELD_NUMBER: _ClassVar[int]
    BIND_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    SINGLE_PORT_FIELD_NUMBER: _ClassVar[int]
    BUSY_WITH_FIELD_NUMBER: _ClassVar[int]
    OBSERVES_FIELD_NUMBER: _ClassVar[int]
    ONLY_RUN_SOURCES_FIELD_NUMBER: _ClassVar[int]
    host: _node_pb2.Host
    bind: str
    ports: _containers.RepeatedCompositeFieldContainer[_node_pb2.PortRange]
    single_port: bool
    busy_with: str
    observes: bool
    only_run_sources: bool
    def __init__(self, host: _Optional[_Union[_node_pb2.Host, _Mapping]] = ..., bind: _Optional[str] = ..., ports: _Optional[_Iterable[_Union[_node_pb2.PortRange, _Mapping]]] = ..., single_port: bool = ..., busy_with: _Optional[str] = ..., observes: bool = ..., only_run_sources: bool = ...) -> None: ...

class TargetServicePrepareRequest(_message.Message):
    __slots__ = ("run_id", "acceptors", "close", "lease_seconds", "push_rate", "nonce", "sources")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPTORS_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    LEASE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PUSH_RATE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    acceptors: int
    close: _node_pb2.Close
    lease_seconds: float
    push_rate: float
    nonce: bytes
    sources: _containers.RepeatedCompositeFieldContainer[_node_pb2.AddressBlock]
    def __init__(self, run_id: _Optional[str] = ..., acceptors: _Optional[int] = ..., close: _Optional[_Union[_node_pb2.Close, str]] = ..., lease_seconds: _Optional[float] = ..., push_rate: _Optional[float] = ..., nonce: _Optional[bytes] = ..., sources: _Optional[_Iterable[_Union[_node_pb2.AddressBlock, _Mapping]]] = ...) -> None: ...

class TargetServicePrepareResponse(_message.Message):
    __slots__ = ("ports",)
    PORTS_FIELD_NUMBER: _ClassVar[int]
    ports: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ports: _Optional[_Iterable[int]] = ...) -> None: ...

class TargetServiceWatchRequest(_message.Message):
    __slots__ = ("run_id", "sample_seconds", "reading_every")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    READING_EVERY_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    sample_seconds: float
    reading_every: int
    def __init__(self, run_id: _Optional[str] = ..., sample_seconds: _Optional[float] = ..., reading_every: _Optional[int] = ...) -> None: ...

class TargetServiceWatchResponse(_message.Message):
    __slots__ = ("sample",)
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    sample: _node_pb2.Sample
    def __init__(self, sample: _Optional[_Union[_node_pb2.Sample, _Mapping]] = ...) -> None: ...

class TargetServiceInspectRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class TargetServiceInspectResponse(_message.Message):
    __slots__ = ("inspection",)
    INSPECTION_FIELD_NUMBER: _ClassVar[int]
    inspection: _node_pb2.Inspection
    def __init__(self, inspection: _Optional[_Union[_node_pb2.Inspection, _Mapping]] = ...) -> None: ...

class TargetServiceStopAcceptingRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class TargetServiceStopAcceptingResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TargetServiceStormRequest(_message.Message):
    __slots__ = ("run_id", "share")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    share: float
    def __init__(self, run_id: _Optional[str] = ..., share: _Optional[float] = ...) -> None: ...

class TargetServiceStormResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TargetServiceStopRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class TargetServiceStopResponse(_message.Message):
    __slots__ = ("left_established",)
    LEFT_ESTABLISHED_FIELD_NUMBER: _ClassVar[int]
    left_established: int
    def __init__(self, left_established: _Optional[int] = ...) -> None: ...

class TargetServiceTuneRequest(_message.Message):
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

class TargetServiceTuneResponse(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[_node_pb2.Change]
    def __init__(self, changes: _Optional[_Iterable[_Union[_node_pb2.Change, _Mapping]]] = ...) -> None: ...
