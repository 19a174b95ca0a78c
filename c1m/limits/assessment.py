"""How limits stand: what a run asks of each place, beside what is used there already, over what there is. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from c1m.measure.sample import Host
from c1m.text.units import format_bits, format_bytes

from .limit import NO_LIMIT, Demand, HostRole, Limit, LimitStatus, Scope, nothing

TIGHT_SHARE: Final = 0.8  # of what was left


@dataclass(frozen=True, slots=True)
class Member:
    """A node, and what is asked of it."""

    name: str
    host: Host
    ask: Demand


@dataclass(frozen=True, slots=True)
class Assessment:
    """One limit in one place. ``remark``: why it is unknown, does not matter, or stops others only."""

    limit: Limit
    nodes: tuple[str, ...]
    value: int | None
    used: int | None
    need: float | None
    standing: LimitStatus
    remark: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)  # setting -> value that lifts it; empty where it is ok

    @property
    def left(self) -> float | None:
        """For connections: None is unknown."""
        return left(self.limit, self.value, self.used)

    @property
    def commands(self) -> list[str]:
        return [command(name, value) for name, value in self.settings.items()]

    def sentence(self) -> str:
        """With the value, the need, the machine and the cure."""
        limit = self.limit
        there = "unknown" if self.value is None else amount(self.value, limit)
        used = f", {amount(self.used, limit)} of it used" if self.used else ""
        needed = "" if self.need is None else f", and {amount(self.need, limit)} is needed"
        remark = f" ({self.remark})" if self.remark else ""
        cure = "; ".join([limit.cure, *self.commands])
        return f"{several(self.nodes)}: {limit.title}: {there}{used}{needed}{remark}; {cure}"


def several(nodes: Sequence[str], most: int = 2) -> str:
    """A few names, and how many more there are."""
    named = " and ".join(nodes[:most]) if len(nodes) <= most else ", ".join(nodes[:most])
    return named if len(nodes) <= most else f"{named} and {len(nodes) - most:,} more"


def amount(number: float, limit: Limit) -> str:
    """In the limit's unit, as people read it."""
    formats = {"B": format_bytes, "bit/s": format_bits}
    return formats[limit.unit](number) if limit.unit in formats else f"{number:,.0f} {limit.unit}".strip()


def left(limit: Limit, value: int | None, used: int | None) -> float | None:
    return None if value is None else max(value - (used or 0) - limit.reserve, 0) * (1 - limit.margin)


def place_of(scope: Scope, member: Member) -> str:
    """Equal for nodes that share a limit of this scope."""
    host = member.host
    if scope is Scope.HOST:
        return host.boot_id
    if scope is Scope.NAMESPACE:
        return host.namespace
    if scope is Scope.CGROUP and (cgroup := host.limits.get("cgroup")):
        return f"{host.boot_id} {cgroup}"
    return member.name


def places(scope: Scope, members: Iterable[Member]) -> list[list[Member]]:
    """Members by their place, in order."""
    found: dict[str, list[Member]] = {}
    for member in members:
        found.setdefault(place_of(scope, member), []).append(member)
    return list(found.values())


def assess(limits: Iterable[Limit], members: Iterable[Member]) -> list[Assessment]:
    """How every limit stands in every place where there is one."""
    found = (assess_place(limit, place) for limit, place in everywhere(limits, members))
    return [each for each in found if each.value is None or each.value < NO_LIMIT]


def assess_not_ok(limits: Iterable[Limit], members: Iterable[Member]) -> list[Assessment]:
    """Those of ``assess`` that are not ok. Of ten thousand nodes nearly all are, and nothing is made of them."""
    found = (assess_place(limit, place) for limit, place in everywhere(limits, members) if not is_plainly_ok(limit, place))
    return [each for each in found if each.standing is not LimitStatus.OK]


def is_plainly_ok(limit: Limit, place: Sequence[Member]) -> bool:
    """Whether it is, without a look at what is special about the host."""
    need = need_of(limit, place) if limit.is_asked else None
    if not need:
        return True
    value, used, _ = least_room(limit, place)
    return stands(limit, value, used, need) is LimitStatus.OK


def everywhere(limits: Iterable[Limit], members: Iterable[Member]) -> Iterator[tuple[Limit, list[Member]]]:
    nodes = list(members)
    by_scope = {scope: places(scope, nodes) for scope in Scope}
    return ((limit, place) for limit in limits for place in by_scope[limit.scope])


def assess_place(limit: Limit, members: list[Member]) -> Assessment:
    """Where members of one place say different things, the least room counts."""
    value, used, speaker = least_room(limit, members)
    need = need_of(limit, members)
    standing = stands(limit, value, used, need)
    nodes = proof_guests(limit, members)
    if standing is LimitStatus.OK and (need is None or limit.unless is nothing):
        return Assessment(limit, nodes, value, used, need, standing)
    standing, remark = considered(limit, standing, speaker)
    settings: Mapping[str, str] = {}
    if standing >= LimitStatus.TIGHT and need is not None:
        settings = limit.settings(wanted(limit, used, need), speaker.host)
    return Assessment(limit, nodes, value, used, need, standing, remark, settings)


def proof_guests(limit: Limit, members: Sequence[Member]) -> tuple[str, ...]:
    """Who in a place asks something of its limit; everybody there where nobody does."""
    found = tuple(member.name for member in members if limit.need(member.ask, member.host) is not None)
    return found or tuple(member.name for member in members)


def considered(limit: Limit, standing: LimitStatus, speaker: Member) -> tuple[LimitStatus, str]:
    """With what is special about this host: the limit may not matter there, may not hold for c1m, or cannot be read."""
    host = speaker.host
    if reason := limit.unless(host):
        return LimitStatus.OK, reason
    if standing is LimitStatus.UNKNOWN:
        return standing, host.unknown.get(limit.read, f"{speaker.name} does not tell {limit.read}")
    if standing >= LimitStatus.TIGHT and (reason := limit.exempt(host)):
        return (LimitStatus.TIGHT, reason) if standing is LimitStatus.STOPS else (LimitStatus.OK, "")
    return standing, ""


def least_room(limit: Limit, members: Sequence[Member]) -> tuple[int | None, int | None, Member]:
    """Value, usage, and who said so."""
    if len(members) == 1:  # nearly always, and of ten thousand nodes there are as many places
        (member,) = members
        return limit.value(member.host, member.ask), limit.used(member.host.levels, member.host), member
    said = [(limit.value(member.host, member.ask), limit.used(member.host.levels, member.host), member) for member in members]
    known = [each for each in said if each[0] is not None]
    return min(known, key=lambda each: (each[0] or 0) - (each[1] or 0)) if known else said[0]


def need_of(limit: Limit, members: Sequence[Member]) -> float | None:
    """What all members together ask; None when none of them can say."""
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
    """By what is asked, over what is left. A place that is nearly full is fine for whoever asks little of it."""
    if not need:
        return LimitStatus.OK
    room = left(limit, value, used)
    if room is None:
        return LimitStatus.UNKNOWN
    if need > room:
        return LimitStatus.STOPS if limit.stops else LimitStatus.TIGHT
    return LimitStatus.TIGHT if limit.stops and not limit.planned and need > TIGHT_SHARE * room else LimitStatus.OK


def wanted(limit: Limit, used: int | None, need: float) -> int:
    """The value at which a limit is ok again, rounded up to two digits."""
    share = TIGHT_SHARE if limit.stops and not limit.planned else 1.0
    exact = math.floor((used or 0) + limit.reserve + need / (1 - limit.margin) / share) + 1
    digit = int("1" + "0" * max(len(str(exact)) - 2, 0))
    return -(-exact // digit) * digit


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run has taken of a limit in one node's place, while it is running."""

    limit: Limit
    value: int
    before: int
    now: int
    standing: LimitStatus


def usages(limits: Iterable[Limit], host: Host, ask: Demand, before: Mapping[str, int], now: Mapping[str, int]) -> list[Usage]:
    """Of every limit whose usage is read, by the levels of the first reading of a run and of the newest.

    TIGHT: more than TIGHT_SHARE of what was left has been taken since; STOPS: and now nothing is left.
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
    """What an operator types to set it."""
    if setting == "RLIMIT_NOFILE":
        return f"ulimit -Hn {value}   # LimitNOFILE={value} in a unit, docker --ulimit nofile={value}:{value}"
    if setting == "RLIMIT_NPROC":
        return f"ulimit -Hu {value}   # LimitNPROC={value} in a unit"
    if setting in ("TasksMax", "MemoryMax"):
        option = "--pids-limit" if setting == "TasksMax" else "--memory"
        return f"systemctl set-property UNIT {setting}={value}   # docker {option} {value}"
    text = f'"{value}"' if " " in value else value
    return f"sysctl -w {setting}={text}"
