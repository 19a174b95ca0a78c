from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Arrival(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ARRIVAL_UNSPECIFIED: _ClassVar[Arrival]
    ARRIVAL_CONSTANT: _ClassVar[Arrival]
    ARRIVAL_POISSON: _ClassVar[Arrival]
    ARRIVAL_CLOSED_LOOP: _ClassVar[Arrival]

class CloseOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLOSE_ORDER_UNSPECIFIED: _ClassVar[CloseOrder]
    CLOSE_ORDER_OLDEST: _ClassVar[CloseOrder]
    CLOSE_ORDER_RANDOM: _ClassVar[CloseOrder]
ARRIVAL_UNSPECIFIED: Arrival
ARRIVAL_CONSTANT: Arrival
ARRIVAL_POISSON: Arrival
ARRIVAL_CLOSED_LOOP: Arrival
CLOSE_ORDER_UNSPECIFIED: CloseOrder
CLOSE_ORDER_OLDEST: CloseOrder
CLOSE_ORDER_RANDOM: CloseOrder

class Schedule(_message.Message):
    __slots__ = ("stages", "version", "since_ns")
    STAGES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedCompositeFieldContainer[Stage]
    version: int
    since_ns: int
    def __init__(self, stages: _Optional[_Iterable[_Union[Stage, _Mapping]]] = ..., version: _Optional[int] = ..., since_ns: _Optional[int] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("total", "within_ns", "unnamed")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    WITHIN_NS_FIELD_NUMBER: _ClassVar[int]
    UNNAMED_FIELD_NUMBER: _ClassVar[int]
    total: int
    within_ns: int
    unnamed: bool
    def __init__(self, total: _Optional[int] = ..., within_ns: _Optional[int] = ..., unnamed: bool = ...) -> None: ...
