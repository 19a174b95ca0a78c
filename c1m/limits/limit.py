"""What a limit is: a row of the table. Pure.

A limit belongs to a *place*: a node, a cgroup, a network namespace or a host. Nodes that share the place share the limit,
and what a run asks of them adds up there.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from c1m.measure.sample import Host

NO_LIMIT: Final = 2**63 - 1  # as the kernel itself writes it (LONG_MAX): a value, and not the lack of one


class Scope(enum.Enum):
    """What a limit is a limit of."""

    NODE = "node"
    CGROUP = "cgroup"
    NAMESPACE = "network namespace"
    HOST = "host"


class LimitStatus(enum.IntEnum):
    """How a limit stands, the better first."""

    OK = 0
    UNKNOWN = 1
    TIGHT = 2
    STOPS = 3

    def __str__(self) -> str:
        return ("ok", "unknown", "tight", "will stop you")[self]


class HostRole(enum.Enum):
    WORKER = "worker"
    TARGET = "target"
    SERVER = "server"  # not c1m's, observed by a c1m-target


@dataclass(frozen=True, slots=True)
class Demand:
    """What a plan asks of one node. Nothing is what an idle node is asked for."""

    role: HostRole
    connections: int = 0  # ends of connections that the node holds
    processes: int = 0  # shards or acceptors that it starts
    space: int | None = None  # connections that the plan has room for: 4-tuples of a worker, ports of a target
    in_queue: int = 0  # handshakes toward one listener that may be under way at once
    neighbours: int = 0  # addresses on its own link that it speaks with
    rate: float = 0.0  # connections a second that the node opens at most; 0: as fast as they go
    bandwidth: float = 0.0  # bits a second that the node sends at most; 0: nobody can say
    silent_seconds: float = 0.0  # that a connection is idle, with something in between that may forget it; 0: nothing is
    fin: bool = False  # closed with FINs


@dataclass(frozen=True, slots=True)
class Symptom:
    """How one meets a limit that nobody looked at before."""

    errnos: tuple[str, ...] = ()  # of connects, for a worker; of accepts, for a target
    counters: tuple[str, ...] = ()  # that rise with it, by the names of Reading.counters
    pattern: str = ""  # in time or in numbers


def nobody_says(_levels: Mapping[str, int], _host: Host) -> int | None:
    return None


def unasked(_ask: Demand, _host: Host) -> float | None:
    return None


def nothing(_host: Host) -> str:
    return ""


def no_settings(_wanted: int, _host: Host) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, eq=False)  # each row is itself and no other
class Limit:
    """One limit. ``need`` is what a run takes of it beside what is used already; None: nothing that could be said before.

    A limit that ``stops`` takes no connection beyond it, and what it is asked for is proportional to the connections; any
    other does harm.
    """

    name: str  # of its page: c1m-coord explain NAME
    title: str
    scope: Scope
    read: str  # where its value is read: a sysctl, or a name of Host.limits
    value: Callable[[Host, Demand], int | None]
    cure: str
    need: Callable[[Demand, Host], float | None] = unasked
    symptom: Symptom = field(default_factory=Symptom)
    used: Callable[[Mapping[str, int], Host], int | None] = nobody_says  # of Reading.levels or Host.levels
    stops: bool = False
    unit: str = ""  # "B", "bit/s", "s" or "pages"; "" is a count
    margin: float = 0.0  # share of what is left that stays with others
    reserve: int = 0  # that nodes take beside what connections make necessary
    once: bool = False  # a connection counts once where both of its ends are in the place
    planned: bool = False  # plans see to it themselves: they fill it to the brim, and nothing suffers
    unless: Callable[[Host], str] = nothing  # why it does not matter on this host; "" where it does
    exempt: Callable[[Host], str] = nothing  # why it does not stop c1m, whatever it does to others; "" where it does
    settings: Callable[[int, Host], Mapping[str, str]] = no_settings  # that make its value as much as wanted

    @property
    def is_asked(self) -> bool:
        """Whether any run asks anything of it."""
        return self.need is not unasked

    @property
    def is_watched(self) -> bool:
        """Whether anything tells what is used of it."""
        return self.used is not nobody_says
