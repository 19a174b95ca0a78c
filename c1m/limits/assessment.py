"""Assesses limits: compares what a run needs in each place with what is available and already used there. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from c1m.measure.sample import Host
from c1m.text.units import format_bits, format_bytes

from .limit import NO_LIMIT, Demand, HostRole, Limit, LimitStatus, Scope, nothing

TIGHT_SHARE: Final = 0.8  # a limit is tight if more than this share of what was left is needed


@dataclass(frozen=True, slots=True)
class Member:
    """A node with its name, its host, and what a run needs of it."""

    name: str
    host: Host
    ask: Demand


@dataclass(frozen=True, slots=True)
class Assessment:
    """The state of one limit in one place, such as a host: its value, usage and need, and whether that is enough.

    ``remark`` says why the limit is unknown, does not matter, or stops only other programs.
    """

    limit: Limit
    nodes: tuple[str, ...]
    value: int | None
    used: int | None
    need: float | None
    standing: LimitStatus
    remark: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)  # setting -> value that lifts the limit; empty if it is ok

    @property
    def left(self) -> float | None:
        """How much of the limit is left for connections, in the limit's unit. None if unknown."""
        return left(self.limit, self.value, self.used)

    @property
    def commands(self) -> list[str]:
        """The shell commands that an operator types to raise the limit to the value that is needed.

        Empty if no setting lifts it.
        """
        return [command(name, value) for name, value in self.settings.items()]

    def sentence(self) -> str:
        """Return a sentence that names the nodes and the limit, its value, what is needed, and the cure."""
        limit = self.limit
        there = "unknown" if self.value is None else amount(self.value, limit)
        used = f", {amount(self.used, limit)} of it used" if self.used else ""
        needed = "" if self.need is None else f", and {amount(self.need, limit)} is needed"
        remark = f" ({self.remark})" if self.remark else ""
        cure = "; ".join([limit.cure, *self.commands])
        return f"{several(self.nodes)}: {limit.title}: {there}{used}{needed}{remark}; {cure}"


def several(nodes: Sequence[str], most: int = 2) -> str:
    """Return a text that lists the first names and says how many more there are, such as "a, b and 3 more"."""
    named = " and ".join(nodes[:most]) if len(nodes) <= most else ", ".join(nodes[:most])
    return named if len(nodes) <= most else f"{named} and {len(nodes) - most:,} more"


def amount(number: float, limit: Limit) -> str:
    """Return a number as text in the limit's unit, such as "3.24 GB"."""
    formats = {"B": format_bytes, "bit/s": format_bits}
    return formats[limit.unit](number) if limit.unit in formats else f"{number:,.0f} {limit.unit}".strip()


def left(limit: Limit, value: int | None, used: int | None) -> float | None:
    """Return how much of a limit is left for connections after usage, reserve and margin, at least 0.

    None if the limit's value is unknown.
    """
    return None if value is None else max(value - (used or 0) - limit.reserve, 0) * (1 - limit.margin)


def place_of(scope: Scope, member: Member) -> str:
    """Return the name of the place of one scope (node, cgroup, network namespace, host) that a node is in.

    Nodes for which it is equal share the limits of that scope.
    """
    host = member.host
    if scope is Scope.HOST:
        return host.boot_id
    if scope is Scope.NAMESPACE:
        return host.namespace
    if scope is Scope.CGROUP and (cgroup := host.limits.get("cgroup")):
        return f"{host.boot_id} {cgroup}"
    return member.name


def places(scope: Scope, members: Iterable[Member]) -> list[list[Member]]:
    """Return the nodes grouped by their place of one scope: a list of nodes for each place, in order of first appearance."""
    found: dict[str, list[Member]] = {}
    for member in members:
        found.setdefault(place_of(scope, member), []).append(member)
    return list(found.values())


def assess(limits: Iterable[Limit], members: Iterable[Member]) -> list[Assessment]:
    """Return the assessment of every limit in every place. Limits known to be unlimited are left out."""
    found = (assess_place(limit, place) for limit, place in everywhere(limits, members))
    return [each for each in found if each.value is None or each.value < NO_LIMIT]


def assess_not_ok(limits: Iterable[Limit], members: Iterable[Member]) -> list[Assessment]:
    """Return the assessments of all limits that are not ok, in every place.

    With ten thousand nodes nearly all limits are ok, and no record is made for those.
    """
    found = (assess_place(limit, place) for limit, place in everywhere(limits, members) if not is_plainly_ok(limit, place))
    return [each for each in found if each.standing is not LimitStatus.OK]


def is_plainly_ok(limit: Limit, place: Sequence[Member]) -> bool:
    """Return whether a limit allows what the nodes of one place need, without regard to what is special about the host."""
    need = need_of(limit, place) if limit.is_asked else None
    if not need:
        return True
    value, used, _ = least_room(limit, place)
    return stands(limit, value, used, need) is LimitStatus.OK


def everywhere(limits: Iterable[Limit], members: Iterable[Member]) -> Iterator[tuple[Limit, list[Member]]]:
    """Return pairs of a limit and the nodes of one place, for every limit and every place of its scope."""
    nodes = list(members)
    by_scope = {scope: places(scope, nodes) for scope in Scope}
    return ((limit, place) for limit in limits for place in by_scope[limit.scope])


def assess_place(limit: Limit, members: list[Member]) -> Assessment:
    """Return the assessment of one limit in one place.

    If the place's nodes report different values, the one with the least room counts.
    """
    value, used, speaker = least_room(limit, members)
    need = need_of(limit, members)
    standing = stands(limit, value, used, need)
    nodes = demanding(limit, members)
    if standing is LimitStatus.OK and (need is None or limit.unless is nothing):
        return Assessment(limit, nodes, value, used, need, standing)
    standing, remark = considered(limit, standing, speaker)
    settings: Mapping[str, str] = {}
    if standing >= LimitStatus.TIGHT and need is not None:
        settings = limit.settings(wanted(limit, used, need), speaker.host)
    return Assessment(limit, nodes, value, used, need, standing, remark, settings)


def demanding(limit: Limit, members: Sequence[Member]) -> tuple[str, ...]:
    """Return the names of the nodes in a place that need something of its limit, or of all nodes if none does."""
    found = tuple(member.name for member in members if limit.need(member.ask, member.host) is not None)
    return found or tuple(member.name for member in members)


def considered(limit: Limit, standing: LimitStatus, speaker: Member) -> tuple[LimitStatus, str]:
    """Return the status and the remark of a limit, corrected by what is special about a host: the limit may not matter there,
    may not hold for c1m, or may be unreadable.
    """
    host = speaker.host
    if reason := limit.unless(host):
        return LimitStatus.OK, reason
    if standing is LimitStatus.UNKNOWN:
        return standing, host.unknown.get(limit.read, f"{speaker.name} does not report {limit.read}")
    if standing >= LimitStatus.TIGHT and (reason := limit.exempt(host)):
        return (LimitStatus.TIGHT, reason) if standing is LimitStatus.STOPS else (LimitStatus.OK, "")
    return standing, ""


def least_room(limit: Limit, members: Sequence[Member]) -> tuple[int | None, int | None, Member]:
    """Return the value and the usage of a limit as reported by the node of a place with the least room, and that node.

    Value and usage are None if unknown.
    """
    if len(members) == 1:  # the common case: ten thousand nodes have nearly as many places
        (member,) = members
        return limit.value(member.host, member.ask), limit.used(member.host.levels, member.host), member
    reports = [
        (limit.value(member.host, member.ask), limit.used(member.host.levels, member.host), member) for member in members
    ]
    known = [each for each in reports if each[0] is not None]
    return min(known, key=lambda each: (each[0] or 0) - (each[1] or 0)) if known else reports[0]


def need_of(limit: Limit, members: Sequence[Member]) -> float | None:
    """Return what all nodes of a place together need of a limit, in its unit.

    None if no node's need is known. For a limit that counts a connection once, the larger of the workers' and the servers' need
    is returned.
    """
    if len(members) == 1:
        return limit.need(members[0].ask, members[0].host)
    needs: dict[bool, float] = {}
    for member in members:
        need = limit.need(member.ask, member.host)
        if need is not None:
            serves = member.ask.role is not HostRole.WORKER
            needs[serves] = needs.get(serves, 0) + need
    if not needs:
        return None
    return max(needs.values()) if limit.once else sum(needs.values())


def stands(limit: Limit, value: int | None, used: int | None, need: float | None) -> LimitStatus:
    """Return the status of a limit (ok, unknown, tight, stops) from its value, usage and need.

    A limit that is nearly used up is still ok if little of it is needed.
    """
    if not need:
        return LimitStatus.OK
    room = left(limit, value, used)
    if room is None:
        return LimitStatus.UNKNOWN
    if need > room:
        return LimitStatus.STOPS if limit.stops else LimitStatus.TIGHT
    return LimitStatus.TIGHT if limit.stops and not limit.planned and need > TIGHT_SHARE * room else LimitStatus.OK


def wanted(limit: Limit, used: int | None, need: float) -> int:
    """Return the value to which a limit must be raised so that its status is ok, rounded up to two digits."""
    share = TIGHT_SHARE if limit.stops and not limit.planned else 1.0
    exact = math.floor((used or 0) + limit.reserve + need / (1 - limit.margin) / share) + 1
    digit = int("1" + "0" * max(len(str(exact)) - 2, 0))
    return -(-exact // digit) * digit


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of one limit has been used since a run began, in one node's place, and whether that is too much."""

    limit: Limit
    value: int
    before: int
    now: int
    standing: LimitStatus


def usages(limits: Iterable[Limit], host: Host, ask: Demand, before: Mapping[str, int], now: Mapping[str, int]) -> list[Usage]:
    """Return the usage of every limit whose usage is read, from the levels of the first and the newest reading of a run.

    The status is TIGHT if more than TIGHT_SHARE of what was left has been used since the first reading, and STOPS if
    nothing is left either.
    """
    found = []
    for limit in limits:
        value, first, last = limit.value(host, ask), limit.used(before, host), limit.used(now, host)
        if value is None or first is None or last is None or limit.unless(host):
            continue
        standing = LimitStatus.OK
        if last > first and last - first > TIGHT_SHARE * (left(limit, value, first) or 0):
            standing = LimitStatus.STOPS if last >= value and not limit.exempt(host) else LimitStatus.TIGHT
        found.append(Usage(limit, value, first, last, standing))
    return found


def command(setting: str, value: str) -> str:
    """Return the shell command that an operator types to give a setting a value."""
    if setting == "RLIMIT_NOFILE":
        return f"ulimit -Hn {value}   # LimitNOFILE={value} in a unit, docker --ulimit nofile={value}:{value}"
    if setting == "RLIMIT_NPROC":
        return f"ulimit -Hu {value}   # LimitNPROC={value} in a unit"
    if setting in ("TasksMax", "MemoryMax"):
        option = "--pids-limit" if setting == "TasksMax" else "--memory"
        return f"systemctl set-property UNIT {setting}={value}   # docker {option} {value}"
    text = f'"{value}"' if " " in value else value
    return f"sysctl -w {setting}={text}"
