"""Budgets: what the limits of a node's places leave for connections, for use by a plan. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from c1m.measure.sample import Host

from .assessment import Member, left, place_of
from .limit import NO_LIMIT, Demand, HostRole, Limit, Scope
from .table import LIMITS

SMALLEST_FIRST = (Scope.NODE, Scope.CGROUP, Scope.NAMESPACE, Scope.HOST)


@dataclass(frozen=True, slots=True)
class Budget:
    """What one limit of one node's place leaves for connections: ``room`` in the limit's unit, and ``each`` that one connection
    uses. Nodes whose budgets have an equal ``limit`` and ``place`` share ``room``.
    """

    limit: Limit
    place: str
    room: float  # left for connections, in the limit's unit
    each: float  # used by one connection's end on this node, in the limit's unit


def budgets_of(name: str, host: Host, role: HostRole, rate: float = 0.0, bandwidth: float = 0.0) -> tuple[Budget, ...]:
    """Return the budgets of a node, smaller places first.

    Included is every limit that stops c1m on this host, has a known value, and is not computed by the plan itself. ``rate``
    and ``bandwidth`` are the connections and the bits a second that one held connection accounts for.
    """
    one = Member(name, host, Demand(role, 1, rate=rate, bandwidth=bandwidth))
    found = []
    for limit in BINDING:
        value, each = limit.value(host, one.ask), limit.need(one.ask, host)
        if value is None or value >= NO_LIMIT or not each or limit.unless(host) or limit.exempt(host):
            continue
        room = left(limit, value, limit.used(host.levels, host)) or 0.0
        found.append(Budget(limit, place_of(limit.scope, one), room, each))
    return tuple(found)


BINDING = sorted(
    (limit for limit in LIMITS if limit.stops and not limit.planned), key=lambda limit: SMALLEST_FIRST.index(limit.scope)
)
