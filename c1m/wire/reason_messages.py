"""Converts between messages and reasons: why processes ended, why a node opens no more connections, and why it closes.

A message has each reason twice, as a value and as a sentence. Of a reason without a value, or of a kind that is not known here,
the sentence is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import TypeVar

from c1m.measure.reasons import ChildKind, ClosingKind, ClosingReason, ExitKind, ExitReason, HaltKind, HaltReason
from c1m.v1 import node_pb2

from . import bounds

K = TypeVar("K", bound=IntEnum)


def known(kind: type[K], number: int) -> K:
    """Return the member of an enum with this number; its UNKNOWN, which is 0, for a number that has no name here."""
    return kind(number if number in {each.value for each in kind} else 0)


def exit_to_wire(reason: ExitReason) -> node_pb2.ExitReason:
    """Return the protobuf message that carries an exit reason."""
    return node_pb2.ExitReason(
        kind=node_pb2.ExitKind.Name(reason.kind),
        child=node_pb2.ChildKind.Name(reason.child),
        indices=reason.indices,
        pid=reason.pid,
        number=reason.number,
        value=reason.value,
        detail=reason.detail,
        not_replaced=reason.not_replaced,
    )


def exit_from_wire(reason: node_pb2.ExitReason, sentence: str) -> ExitReason:
    """Return the exit reason that a protobuf message carries."""
    kind = known(ExitKind, reason.kind)
    return ExitReason(
        kind=kind,
        child=known(ChildKind, reason.child),
        indices=tuple(reason.indices),
        pid=reason.pid,
        number=reason.number,
        value=reason.value,
        detail=reason.detail if kind else sentence,
        not_replaced=reason.not_replaced if kind else "",
    )


def exits_from_wire(sample: node_pb2.Sample) -> Iterator[ExitReason]:
    """Yield the exit reasons of a sample."""
    for index, sentence in enumerate(sample.exit_reasons):
        has_value = index < len(sample.exits)
        yield exit_from_wire(sample.exits[index] if has_value else node_pb2.ExitReason(), sentence)


def halt_to_wire(reason: HaltReason) -> node_pb2.HaltReason:
    """Return the protobuf message that says why a node opens no more connections."""
    return node_pb2.HaltReason(
        kind=node_pb2.HaltKind.Name(reason.kind),
        available_bytes=reason.available_bytes,
        floor_bytes=reason.floor_bytes,
    )


def halt_from_wire(sample: node_pb2.Sample) -> HaltReason | None:
    """Return why the node of a sample opens no more connections; None while it does."""
    kind = known(HaltKind, sample.halt.kind)
    if not kind:
        return HaltReason(HaltKind.UNKNOWN, detail=sample.halted) if sample.halted else None
    return HaltReason(kind, sample.halt.available_bytes, sample.halt.floor_bytes)


def closing_to_wire(reason: ClosingReason) -> node_pb2.ClosingReason:
    """Return the protobuf message that says why a node closes."""
    return node_pb2.ClosingReason(
        kind=node_pb2.ClosingKind.Name(reason.kind),
        lease_seconds=reason.lease_seconds,
        node_stopped=reason.node_stopped,
    )


def closing_from_wire(sample: node_pb2.Sample) -> ClosingReason | None:
    """Return why the node of a sample closes; None while it does not. Raises UsageError for a lease that is no number."""
    kind = known(ClosingKind, sample.closing.kind)
    if not kind:
        return ClosingReason(ClosingKind.UNKNOWN, detail=sample.closing_reason) if sample.closing_reason else None
    return ClosingReason(kind, bounds.amount("seconds", sample.closing.lease_seconds), sample.closing.node_stopped)
