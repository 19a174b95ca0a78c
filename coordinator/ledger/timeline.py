"""The timeline: counts of clients, target and hosts over time since the start. Pure, of fixed size.

Times are when samples were received, on the coordinator's clock; clocks of nodes are never compared. While anything happens a
sample is at most a quarter of a second old, and a reading of a host one second, so a rise may be one row late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from c1m.coordinator.summary.timeline import HostColumns, LatencyColumns, NodeColumns, TimelineSummary, TurnSummary
from c1m.measure.latency import percentile, since

from .doing import Doing
from .latency_kinds import ACCEPT, CONNECT, DUE, FIRST_BYTE, HEARTBEAT

ROWS = 600  # enough for a chart; a run of an hour has a row every eight seconds
STEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class HostState:
    """The sockets, memory and counters of one host, or the sum of several.

    ``counters`` are events since the first reading; one that is missing had none.
    """

    readings: int  # so far; equal in two rows: nothing was read between them
    sockets: int | None  # TCP sockets of all network namespaces
    slab_bytes: int | None
    levels: Mapping[str, int] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeState:
    """The CPU time and memory of one node, or the sum of several. Those of an observer are of the server that it watches."""

    cpu_seconds: float  # used so far by its shards or acceptors, or by the server
    pss_bytes: int | None  # of all its processes


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """The connection counts, latencies and states of all nodes at one moment of the run.

    ``opened``, ``failed``, ``dropped``, ``accepted`` and ``replaced`` are cumulative.
    """

    established: int
    opened: int
    failed: int
    dropped: int
    accepted: int | None  # None: not counted
    target_open: int | None
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    hosts: Mapping[str, HostState] = field(default_factory=dict)
    latencies: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # kind -> microseconds -> count so far
    scheduled: int | None = None  # connections that should be open; None: not every worker has sent it yet
    away: int = 0  # seats whose successors are not due yet
    waiting: int = 0  # seats whose successors wait for another try
    replaced: int = 0  # cumulative


class Timeline:
    """The counts of a run over time, one row a second. When there are ROWS of them, every other one is dropped.

    The step between rows doubles then. Most values of a row are cumulative, so the next row includes what a dropped one
    counted.
    """

    def __init__(self) -> None:
        self.began: float | None = None
        self.step_seconds = STEP_SECONDS
        self.due = 0.0
        self.rows: list[tuple[float, TimelineRow]] = []  # seconds since the start
        self.turns: list[tuple[float, Doing]] = []  # (seconds since the start, what the run did from then on)

    def begin(self, now: float, look: Callable[[], TimelineRow]) -> None:
        """Start the timeline at the time ``now`` and add its first row. ``look`` is called and returns the present counts."""
        self.began = now
        self.add(0.0, look())

    def take(self, now: float, look: Callable[[], TimelineRow]) -> None:
        """Add a row with the present counts if the next row is due at the time ``now``.

        ``look`` returns the counts; it is called only if a row is due.
        """
        if self.began is not None and now - self.began >= self.due:
            self.add(now - self.began, look())

    def end(self, now: float, look: Callable[[], TimelineRow]) -> None:
        """Add the last row of the run at the time ``now``, whether it is due or not. ``look`` returns the present counts."""
        if self.began is not None and not (self.rows and now - self.began <= self.rows[-1][0]):
            self.add(now - self.began, look())

    def turn(self, now: float, doing: Doing) -> None:
        """Record that the run does ``doing`` from the time ``now`` on, unless it was doing so already. Returns nothing."""
        if self.began is not None and doing != (self.turns[-1][1] if self.turns else None):
            self.turns.append((now - self.began, doing))

    def add(self, seconds: float, moment: TimelineRow) -> None:
        """Add a row at ``seconds`` since the start. If there are too many rows, drop every other one and double the step."""
        self.rows.append((seconds, moment))
        if len(self.rows) >= ROWS:
            self.rows = [self.rows[0], *self.rows[1::2]]  # the newest one stays
            self.step_seconds *= 2
        self.due = (seconds // self.step_seconds + 1) * self.step_seconds

    # -- as columns

    def to_summary(self) -> TimelineSummary | None:
        """Return the timeline: one column of values for each figure, all of the same length.

        None if the run never started. Rates, percentages and counts of latencies and events are of the interval that ends with
        the row.
        """
        if not self.rows:
            return None
        seconds = [row[0] for row in self.rows]
        moments = [row[1] for row in self.rows]
        kinds = {name for moment in moments for name in moment.latencies}

        def latencies(kind: str) -> LatencyColumns | None:
            return latency_columns([moment.latencies.get(kind, {}) for moment in moments]) if kind in kinds else None

        nodes = names(moment.nodes for moment in moments)
        hosts = names(moment.hosts for moment in moments)
        return TimelineSummary(
            turns=tuple(TurnSummary(round(at, 2), doing) for at, doing in self.turns),
            seconds=[round(at, 2) for at in seconds],
            scheduled=[moment.scheduled for moment in moments],
            established=[moment.established for moment in moments],
            opened=[moment.opened for moment in moments],
            opened_per_second=rates(seconds, [moment.opened for moment in moments]),
            away=[moment.away for moment in moments],
            waiting=[moment.waiting for moment in moments],
            replaced=[moment.replaced for moment in moments],
            failed=[moment.failed for moment in moments],
            dropped=[moment.dropped for moment in moments],
            accepted=[moment.accepted for moment in moments],
            target_open=[moment.target_open for moment in moments],
            connect_latency_us=latencies(CONNECT),
            first_byte_us=latencies(FIRST_BYTE),
            heartbeat_rtt_us=latencies(HEARTBEAT),
            connect_latency_from_due_us=latencies(DUE),
            accept_delay_us=latencies(ACCEPT),
            nodes={node: node_columns(seconds, [moment.nodes.get(node) for moment in moments]) for node in nodes},
            hosts={host: host_columns([moment.hosts.get(host) for moment in moments]) for host in hosts},
        )


def latency_columns(cumulative: Sequence[Mapping[int, int]]) -> LatencyColumns:
    """Return four columns for one kind of latency: the count, p50, p99 and maximum of each interval.

    They are in microseconds; None in intervals in which nothing was measured. The histograms that are given are cumulative.
    """
    found = [since(now, before) for before, now in pairwise([{}, *cumulative])]
    return LatencyColumns(
        count=[sum(counts.values()) for counts in found],
        p50=[percentile(counts, 50) if counts else None for counts in found],
        p99=[percentile(counts, 99) if counts else None for counts in found],
        max=[max(counts, default=None) for counts in found],
    )


def node_columns(seconds: Sequence[float], states: Sequence[NodeState | None]) -> NodeColumns:
    """Return two columns for a node: its CPU use in percent of one processor, and its memory in bytes, row by row."""
    return NodeColumns(
        cpu_percent=cpu_percent(seconds, [state.cpu_seconds if state else None for state in states]),
        pss_bytes=[state.pss_bytes if state else None for state in states],
    )


def host_columns(states: Sequence[HostState | None]) -> HostColumns:
    """Return the columns of a host: sockets, slab bytes, levels and counters, row by row.

    Levels and counters are included only if they changed. If no reading came in an interval its row is None, and the next row
    includes what rose in it.
    """
    states = renewed(states)
    known = [state for state in states if state]
    levels = {
        name: [state.levels.get(name) if state else None for state in states] for name in sorted(names(s.levels for s in known))
    }
    counters = {name: rises([state.counters.get(name, 0) if state else None for state in states]) for name in rose(known)}
    return HostColumns(
        sockets=[state.sockets if state else None for state in states],
        slab_bytes=[state.slab_bytes if state else None for state in states],
        levels={name: column for name, column in levels.items() if len(set(column) - {None}) > 1},
        counters=counters,
    )


def renewed(states: Sequence[HostState | None]) -> list[HostState | None]:
    """Return the host states of all rows, with None in place of those whose reading is the same as in the row before."""
    return [
        None if state and before and state.readings == before.readings else state for before, state in pairwise([None, *states])
    ]


def names(mappings: Iterable[Iterable[str]]) -> list[str]:
    """Return every key that occurs in any of the mappings, once, in the order of first appearance."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def rose(states: Sequence[HostState]) -> list[str]:
    """Return the sorted names of the kernel counters that rose in any of the host states."""
    return sorted({name for state in states for name, events in state.counters.items() if events > 0})


def rises(cumulative: Sequence[int | None]) -> list[int | None]:
    """Return by how much a cumulative counter rose in each interval between rows.

    A row is None if there was no reading, or if the counter fell, as softnet's columns do when they wrap.
    """
    found: list[int | None] = []
    before = 0
    for now in cumulative:
        found.append(None if now is None or now < before else now - before)
        before = before if now is None else now
    return found


def rates(seconds: Sequence[float], cumulative: Sequence[int]) -> list[float | None]:
    """Return the growth per second of a cumulative count in the interval that ends with each row; None for the first row."""
    intervals = pairwise(zip(seconds, cumulative, strict=True))
    return [None, *(round((now - before) / (at - earlier), 1) for (earlier, before), (at, now) in intervals)]


def cpu_percent(seconds: Sequence[float], used: Sequence[float | None]) -> list[float | None]:
    """Return the CPU use in each interval between rows, in percent of one processor.

    It is None for the first row, and where the CPU time at either end of the interval is unknown.
    """
    found: list[float | None] = [None]
    for (earlier, before), (at, now) in pairwise(zip(seconds, used, strict=True)):
        found.append(None if before is None or now is None else round(100 * (now - before) / (at - earlier), 1))
    return found
