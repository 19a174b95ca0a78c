"""The time line: what clients, target and hosts were at, moment by moment since the start. Pure, and of fixed size.

Times are the coordinator's, of when the samples had come by which a moment is known; clocks of nodes are never compared. A
sample is a quarter of a second old at most where something happens, a reading of a host one second, so that what rose may
stand one row later than it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from c1m.measure.latency import percentile, since

ROWS = 600  # as many make a picture; a run of an hour has one every eight seconds
STEP_SECONDS = 1.0

Column = list[Any]  # a number for each row, None where it is unknown


@dataclass(frozen=True, slots=True)
class HostState:
    """One machine, or several together. ``counters`` are events since its first reading."""

    readings: int  # so far: as many in two rows means that nothing new was read between them
    sockets: int | None  # TCP sockets, of all its network namespaces
    slab_bytes: int | None
    levels: Mapping[str, int] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node, or several together. What an observer tells is the server's that it watches."""

    cpu_seconds: float  # used so far by its shards or acceptors, or by the server
    pss_bytes: int | None  # of all its processes


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """By the newest samples of all nodes. ``opened``, ``failed``, ``dropped`` and ``accepted`` are cumulative."""

    established: int
    opened: int
    failed: int
    dropped: int
    accepted: int | None  # None where nobody counts it
    target_open: int | None
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    hosts: Mapping[str, HostState] = field(default_factory=dict)
    latencies: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # kind -> microseconds -> how many so far
    scheduled: int | None = None  # how many should be open by the schedule; None: no worker has said yet
    away: int = 0  # seats whose successors are not due yet ...
    waiting: int = 0  # ... or wait for another try
    replaced: int = 0  # cumulative


class Timeline:
    """A row a second; when there are ROWS of them every second one goes, and from then on they are twice as far apart.

    Most of what a row tells is cumulative, so that a row which is left out is in the next one.
    """

    def __init__(self) -> None:
        self.began: float | None = None
        self.step_seconds = STEP_SECONDS
        self.due = 0.0
        self.rows: list[tuple[float, TimelineRow]] = []  # seconds since the start
        self.turns: list[tuple[float, str]] = []  # when the run began to do something else, and what

    def begin(self, now: float, look: Callable[[], TimelineRow]) -> None:
        self.began = now
        self.add(0.0, look())

    def take(self, now: float, look: Callable[[], TimelineRow]) -> None:
        """A row, if it is time for one."""
        if self.began is not None and now - self.began >= self.due:
            self.add(now - self.began, look())

    def end(self, now: float, look: Callable[[], TimelineRow]) -> None:
        """The last row, whenever the one before it was."""
        if self.began is not None and not (self.rows and now - self.began <= self.rows[-1][0]):
            self.add(now - self.began, look())

    def turn(self, now: float, doing: str) -> None:
        if self.began is not None and doing != (self.turns[-1][1] if self.turns else ""):
            self.turns.append((now - self.began, doing))

    def add(self, seconds: float, moment: TimelineRow) -> None:
        self.rows.append((seconds, moment))
        if len(self.rows) >= ROWS:
            self.rows = [self.rows[0], *self.rows[1::2]]  # the newest one stays
            self.step_seconds *= 2
        self.due = (seconds // self.step_seconds + 1) * self.step_seconds

    # -- as columns

    def to_summary(self) -> dict[str, Any] | None:
        """A column for each figure, all of the same length; None when nothing was ever started.

        What is "per second", "percent" or counted is of the interval that ends with the row.
        """
        if not self.rows:
            return None
        seconds = [row[0] for row in self.rows]
        moments = [row[1] for row in self.rows]
        kinds = names(moment.latencies for moment in moments)
        nodes = names(moment.nodes for moment in moments)
        hosts = names(moment.hosts for moment in moments)
        return {
            "turns": [{"seconds": round(at, 2), "doing": doing} for at, doing in self.turns],
            "seconds": [round(at, 2) for at in seconds],
            "scheduled": [moment.scheduled for moment in moments],
            "established": [moment.established for moment in moments],
            "opened": [moment.opened for moment in moments],
            "opened_per_second": rates(seconds, [moment.opened for moment in moments]),
            "away": [moment.away for moment in moments],
            "waiting": [moment.waiting for moment in moments],
            "replaced": [moment.replaced for moment in moments],
            "failed": [moment.failed for moment in moments],
            "dropped": [moment.dropped for moment in moments],
            "accepted": [moment.accepted for moment in moments],
            "target_open": [moment.target_open for moment in moments],
            **{kind: latency_columns([moment.latencies.get(kind, {}) for moment in moments]) for kind in kinds},
            "nodes": {node: node_columns(seconds, [moment.nodes.get(node) for moment in moments]) for node in nodes},
            "hosts": {host: host_columns([moment.hosts.get(host) for moment in moments]) for host in hosts},
        }


def latency_columns(cumulative: Sequence[Mapping[int, int]]) -> dict[str, Column]:
    """Of what was measured in each interval; unknown where nothing was."""
    found = [since(now, before) for before, now in pairwise([{}, *cumulative])]
    return {
        "count": [sum(counts.values()) for counts in found],
        "p50": [percentile(counts, 50) if counts else None for counts in found],
        "p99": [percentile(counts, 99) if counts else None for counts in found],
        "max": [max(counts, default=None) for counts in found],
    }


def node_columns(seconds: Sequence[float], states: Sequence[NodeState | None]) -> dict[str, Any]:
    return {
        "cpu_percent": cpu_percent(seconds, [state.cpu_seconds if state else None for state in states]),
        "pss_bytes": [state.pss_bytes if state else None for state in states],
    }


def host_columns(states: Sequence[HostState | None]) -> dict[str, Any]:
    """What there was, and what rose in each interval; of levels and counters only those that moved at all.

    Where no reading came in an interval, its row is unknown, and what rose is in the next one.
    """
    states = renewed(states)
    known = [state for state in states if state]
    levels = {
        name: [state.levels.get(name) if state else None for state in states] for name in sorted(names(s.levels for s in known))
    }
    counters = {name: rises([state.counters.get(name) if state else None for state in states]) for name in rose(known)}
    return {
        "sockets": [state.sockets if state else None for state in states],
        "slab_bytes": [state.slab_bytes if state else None for state in states],
        "levels": {name: column for name, column in levels.items() if len(set(column) - {None}) > 1},
        "counters": counters,
    }


def renewed(states: Sequence[HostState | None]) -> list[HostState | None]:
    """Without those that are the same reading as the one before."""
    return [
        None if state and before and state.readings == before.readings else state for before, state in pairwise([None, *states])
    ]


def names(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every name that is in one of them, in the order of their first appearance."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def rose(states: Sequence[HostState]) -> list[str]:
    return sorted({name for state in states for name, events in state.counters.items() if events > 0})


def rises(cumulative: Column) -> Column:
    """Events by interval, from the first reading on. softnet's columns wrap, and what fell says nothing."""
    found: Column = []
    before = 0
    for now in cumulative:
        found.append(None if now is None or now < before else now - before)
        before = before if now is None else now
    return found


def rates(seconds: Sequence[float], cumulative: Column) -> Column:
    """A second, over the interval that ends with the row; the first row ends none."""
    intervals = pairwise(zip(seconds, cumulative, strict=True))
    return [None, *(round((now - before) / (at - earlier), 1) for (earlier, before), (at, now) in intervals)]


def cpu_percent(seconds: Sequence[float], used: Column) -> Column:
    """Of one processor, over the interval that ends with the row; None where a node was not heard of."""
    found: Column = [None]
    for (earlier, before), (at, now) in pairwise(zip(seconds, used, strict=True)):
        found.append(None if before is None or now is None else round(100 * (now - before) / (at - earlier), 1))
    return found
