"""Converts between protobuf messages and turnover."""

from __future__ import annotations

from c1m.errors import UsageError
from c1m.traffic.backoff import Backoff
from c1m.traffic.distribution import AT_ONCE, EXPONENTIAL, FIXED, UNIFORM, Distribution
from c1m.traffic.storm import CLIENTS, TARGET, Storm
from c1m.traffic.turnover import Turnover
from c1m.v1 import worker_pb2

from . import bounds

KINDS = {
    FIXED: worker_pb2.DISTRIBUTION_KIND_FIXED,
    UNIFORM: worker_pb2.DISTRIBUTION_KIND_UNIFORM,
    EXPONENTIAL: worker_pb2.DISTRIBUTION_KIND_EXPONENTIAL,
}
NAMES = {kind: name for name, kind in KINDS.items()}


def turnover_to_wire(turnover: Turnover) -> worker_pb2.Turnover:
    """Return the protobuf message for the turnover settings of a run."""
    backoff = turnover.backoff
    return worker_pb2.Turnover(
        lifetime=distribution_to_wire(turnover.lifetime) if turnover.lifetime else None,
        downtime=distribution_to_wire(turnover.downtime),
        backoff=worker_pb2.Backoff(first_seconds=backoff.first, cap_seconds=backoff.cap) if backoff else None,
        storms=[
            worker_pb2.Storm(
                at_seconds=storm.at,
                share=storm.share,
                return_seconds=storm.return_seconds,
                by_target=storm.by == TARGET,
            )
            for storm in turnover.storms
        ],
    )


def turnover_from_wire(message: worker_pb2.Turnover) -> Turnover:
    """Return the turnover settings of a run from their protobuf message. Raises UsageError if a value is out of range."""
    bounds.at_most("storms", message.storms, bounds.MOST_STORMS)
    return Turnover(
        lifetime=lifetime_from_wire(message.lifetime) if message.HasField("lifetime") else None,
        downtime=distribution_from_wire(message.downtime) if message.HasField("downtime") else AT_ONCE,
        backoff=backoff_from_wire(message.backoff) if message.HasField("backoff") else None,
        storms=tuple(storm_from_wire(storm) for storm in message.storms),
    )


def distribution_to_wire(distribution: Distribution) -> worker_pb2.Distribution:
    """Return the protobuf message for a distribution of durations."""
    return worker_pb2.Distribution(kind=KINDS[distribution.kind], low_seconds=distribution.low, high_seconds=distribution.high)


def distribution_from_wire(message: worker_pb2.Distribution) -> Distribution:
    """Return a distribution of durations from its protobuf message.

    Raises UsageError if its kind is unknown or a time is out of range.
    """
    kind = NAMES.get(message.kind)
    if kind is None or not 0 <= message.low_seconds <= message.high_seconds:
        raise UsageError(f"a time from {message.low_seconds:g} s to {message.high_seconds:g} s is not a time")
    bounds.within("a time in seconds", message.high_seconds, 0, bounds.LONGEST_SECONDS)
    if kind == EXPONENTIAL and not message.high_seconds:
        raise UsageError("an exponential time with a mean of 0 s is not a time")
    return Distribution(kind, message.low_seconds, message.high_seconds)


def lifetime_from_wire(message: worker_pb2.Distribution) -> Distribution:
    """Return the distribution of connection lifetimes from its protobuf message. Raises UsageError if it is out of range."""
    lifetime = distribution_from_wire(message)
    bounds.within("a mean lifetime in seconds", lifetime.mean, bounds.LEAST_LIFETIME, bounds.LONGEST_SECONDS)
    return lifetime


def backoff_from_wire(message: worker_pb2.Backoff) -> Backoff:
    """Return the backoff settings from their protobuf message. Raises UsageError if a wait is out of range."""
    if not 0 < message.first_seconds <= message.cap_seconds:
        raise UsageError(f"waits from {message.first_seconds:g} s to {message.cap_seconds:g} s are out of order")
    bounds.within("a wait in seconds", message.cap_seconds, 0, bounds.LONGEST_SECONDS)
    return Backoff(message.first_seconds, message.cap_seconds)


def storm_from_wire(message: worker_pb2.Storm) -> Storm:
    """Return the settings of a storm from their protobuf message. Raises UsageError if a value is out of range."""
    if not 0 < message.share <= 1:
        raise UsageError(f"a storm of a share of {message.share:g} at {message.at_seconds:g} s is invalid; give 0 < share <= 1")
    bounds.within("a storm at seconds", message.at_seconds, 0, bounds.LONGEST_SECONDS)
    bounds.within("a return in seconds", message.return_seconds, 0, bounds.LONGEST_SECONDS)
    by = TARGET if message.by_target else CLIENTS
    return Storm(message.at_seconds, message.share, message.return_seconds, by)
