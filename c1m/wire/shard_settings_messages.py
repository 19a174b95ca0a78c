"""Converts between PrepareRequest and the settings that all shards have, field by field, by the types of the fields."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints

from c1m.orders.shard_settings import Bound, ShardSettings, Unit
from c1m.schedule.schedule import Revision, Schedule
from c1m.traffic.heartbeat import Heartbeat
from c1m.traffic.slow_clients import SlowClients
from c1m.traffic.turnover import Turnover
from c1m.v1 import worker_pb2

from . import bounds
from .node_messages import heartbeat_from_wire, heartbeat_to_wire, slow_from_wire, slow_to_wire
from .schedule_messages import revision_to_wire, stages_from_wire
from .turnover_messages import turnover_from_wire, turnover_to_wire

# Type -> how a value of it becomes a message, and the other way.
CONVERTERS: dict[type, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    Schedule: (
        lambda schedule: revision_to_wire(Revision(schedule)),
        lambda message: Schedule(stages_from_wire(message.stages)),
    ),
    Heartbeat: (heartbeat_to_wire, heartbeat_from_wire),
    Turnover: (turnover_to_wire, turnover_from_wire),
    SlowClients: (slow_to_wire, slow_from_wire),
}


@dataclass(frozen=True, slots=True)
class Carried:
    """A field of the settings, and how a request carries it."""

    name: str
    wire_name: str
    kind: type  # of its values other than None
    bound: Bound | None
    default: Any  # MISSING: it is required

    def to_wire(self, value: Any) -> Any:
        """Return what the request has for a value."""
        if self.kind in CONVERTERS and value is not None:
            return CONVERTERS[self.kind][0](value)
        return value

    def from_wire(self, request: worker_pb2.PrepareRequest) -> Any:
        """Return the value that the request has. Raises UsageError if it is out of range."""
        found = getattr(request, self.wire_name)
        if self.kind in CONVERTERS:
            there = self.default is MISSING or request.HasField(self.wire_name)
            return CONVERTERS[self.kind][1](found) if there else None
        if issubclass(self.kind, enum.IntEnum):
            return bounds.member(self.kind, found or self.default)
        return bounds.within(self.bound.what, found, self.bound.least, self.bound.most) if self.bound else found


@cache
def carried_fields() -> tuple[Carried, ...]:
    """Return all fields of the settings."""
    hints = get_type_hints(ShardSettings, include_extras=True)
    return tuple(carried(field, hints[field.name]) for field in fields(ShardSettings))


def carried(field: Field[Any], hint: Any) -> Carried:
    """Return how a request carries a field with this type."""
    notes = getattr(hint, "__metadata__", ())
    bound = next((note for note in notes if isinstance(note, Bound)), None)
    wire_name = "_".join([field.name, *(note.name for note in notes if isinstance(note, Unit))])
    return Carried(field.name, wire_name, kind_of(hint), bound, field.default)


def kind_of(hint: Any) -> type:
    """Return the type of the values other than None."""
    plain = hint.__origin__ if hasattr(hint, "__metadata__") else hint
    kinds: Iterator[type] = (each for each in get_args(plain) or (plain,) if each is not NoneType)
    return next(kinds)


def settings_to_wire(settings: ShardSettings) -> dict[str, Any]:
    """Return the fields of a request that carry the settings, by their names."""
    return {each.wire_name: each.to_wire(getattr(settings, each.name)) for each in carried_fields()}


def settings_from_wire(request: worker_pb2.PrepareRequest) -> ShardSettings:
    """Return the settings of a request. Raises UsageError if a value is out of range."""
    return ShardSettings(**{each.name: each.from_wire(request) for each in carried_fields()})
