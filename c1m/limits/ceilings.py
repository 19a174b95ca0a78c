"""Limits that a worker's operator sets with --most-*. Pure."""

from __future__ import annotations

from typing import Final

from .limit import HostRole, Limit, Scope, Symptom
from .terms import by, ceiling, openings, sending

CEILINGS: Final = (
    Limit(
        "most-connections",
        "connections that the worker's operator allows (--most-connections)",
        Scope.NODE,
        "most_connections",
        value=ceiling("most_connections"),
        need=by(HostRole.WORKER),
        stops=True,
        cure="start the worker with a higher --most-connections, or add workers",
        symptom=Symptom(pattern="the worker refuses the run"),
    ),
    Limit(
        "most-rate",
        "connections a second that the worker's operator allows (--most-rate)",
        Scope.NODE,
        "most_rate",
        value=ceiling("most_rate"),
        need=openings,
        stops=True,
        unit="/s",
        cure="open more slowly (--rate, --ramp), start the worker with a higher --most-rate, or add workers",
        symptom=Symptom(pattern="the worker refuses the run"),
    ),
    Limit(
        "most-bandwidth",
        "bits a second that the worker's operator allows (--most-bandwidth)",
        Scope.NODE,
        "most_bandwidth",
        value=ceiling("most_bandwidth"),
        need=sending,
        stops=True,
        unit="bit/s",
        cure="send heartbeats less often (--heartbeat), open more slowly (--rate, --ramp), start the worker with a higher "
        "--most-bandwidth, or add workers",
        symptom=Symptom(pattern="the worker refuses the run"),
    ),
)
