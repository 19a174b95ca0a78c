"""Defines what a limit is: a row of the table. Pure.

A limit belongs to a *place*: a node, a cgroup, a network namespace or a host. Nodes in one place share its limits, and what
a run needs of them adds up there.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from c1m.measure.sample import Host

NO_LIMIT: Final = 2**63 - 1  # the kernel's own notation (LONG_MAX). It is a known value; unknown is None


class Scope(enum.Enum):
    """The kind of place that a limit belongs to."""

    NODE = "node"
    CGROUP = "cgroup"
    NAMESPACE = "network namespace"
    HOST = "host"


class LimitStatus(enum.IntEnum):
    """The status of a limit, from best to worst."""

    OK = 0
    UNKNOWN = 1
    TIGHT = 2
    STOPS = 3

    def __str__(self) -> str:
        return ("ok", "unknown", "tight", "will stop you")[self]


class HostRole(enum.Enum):
    """What a node does on its host."""

    WORKER = "worker"
    TARGET = "target"
    SERVER = "server"  # another program's server, observed by a c1m-target


@dataclass(frozen=True, slots=True)
class Demand:
    """What a plan needs of one node: connections, processes, rates. The defaults describe an idle node."""

    role: HostRole
    connections: int = 0  # ends of connections that the node holds
    processes: int = 0  # shards or acceptors that it starts
    space: int | None = None  # connections that the plan has room for: 4-tuples of a worker, ports of a target
    in_queue: int = 0  # handshakes toward one listener that may be in progress at once
    neighbours: int = 0  # addresses on its own link that it communicates with
    rate: float = 0.0  # connections a second that the node opens at most; 0: as fast as possible
    bandwidth: float = 0.0  # bits a second that the node sends at most; 0: unknown
    silent_seconds: float = 0.0  # idle time of a connection through a device that may forget it; 0: no such device
    fin: bool = False  # connections are closed with FINs


@dataclass(frozen=True, slots=True)
class Symptom:
    """How a limit shows itself to someone who did not check it before."""

    errnos: tuple[str, ...] = ()  # of connects on a worker, of accepts on a target
    counters: tuple[str, ...] = ()  # names of Reading.counters that rise when the limit is reached
    pattern: str = ""  # what a person sees, over time or in numbers


def unreported(_levels: Mapping[str, int], _host: Host) -> int | None:
    """Return None: nothing reports the usage of this limit."""
    return None


def unasked(_ask: Demand, _host: Host) -> float | None:
    """Return None: what a run needs of this limit cannot be known before the run."""
    return None


def nothing(_host: Host) -> str:
    """Return "", which means that no reason applies to the host why a limit would not matter."""
    return ""


def no_settings(_wanted: int, _host: Host) -> Mapping[str, str]:
    """Return an empty mapping: no setting lifts this limit."""
    return {}


@dataclass(frozen=True, slots=True, eq=False)  # rows compare by identity
class Limit:
    """One limit. ``need`` returns what a run needs of it in addition to what is used; None if that is not known in advance.

    A limit that ``stops`` allows no connections beyond it, and its need is proportional to the connections. Exceeding any
    other limit only does harm.
    """

    name: str  # also of its page: c1m-coord explain NAME
    title: str
    scope: Scope
    read: str  # where its value is read: a sysctl, or a name of Host.limits
    value: Callable[[Host, Demand], int | None]
    cure: str
    need: Callable[[Demand, Host], float | None] = unasked
    symptom: Symptom = field(default_factory=Symptom)
    used: Callable[[Mapping[str, int], Host], int | None] = unreported  # of Reading.levels or Host.levels
    stops: bool = False
    unit: str = ""  # "B", "bit/s", "s" or "pages"; "" is a count
    margin: float = 0.0  # share of what is left that stays free for other programs
    reserve: int = 0  # what nodes use in addition to what connections need
    once: bool = False  # a connection with both ends in the place counts once
    planned: bool = False  # the plan itself respects the limit and may use all of it, so it is never tight
    unless: Callable[[Host], str] = nothing  # why the limit does not matter on this host; "" if it does
    exempt: Callable[[Host], str] = nothing  # why the limit does not stop c1m, only other programs; "" if it does
    settings: Callable[[int, Host], Mapping[str, str]] = no_settings  # settings that raise it to a wanted value

    @property
    def is_asked(self) -> bool:
        """Whether it is known before a run how much a run needs of the limit."""
        return self.need is not unasked

    @property
    def is_watched(self) -> bool:
        """Whether nodes report how much of the limit is used."""
        return self.used is not unreported
