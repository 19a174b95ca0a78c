"""The timeline as a chart: established, rate, latencies and slab, and below them the counters that should not have risen.

Pure: it turns the summary's columns into lines of text on one axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from c1m.coordinator.ledger.latency_kinds import CONNECT, FIRST_BYTE, HEARTBEAT, LABELS, shown
from c1m.coordinator.summary.timeline import LatencyColumns, TimelineSummary
from c1m.text.units import format_bytes, format_count, format_duration, format_rate

from .block_chart import ASCII, BLOCKS, Values, bars, events, highest, levels, ruler

# Counters that rise in a healthy run, too.
EXPECTED = frozenset(
    {
        "ActiveOpens",
        "PassiveOpens",
        "EstabResets",
        "OutRsts",
        "SyncookiesRecv",
        "TCPAbortOnClose",
        "TCPAbortOnData",
        "TCPKeepAlive",
        "cpu_busy_ms",
        "cpu_softirq_ms",
        "cpu_steal_ms",
        "softnet_squeezed",
    }
)
TALL = 3  # lines of the first curve
LEAST_COLUMNS = 20  # of the axis; a narrower chart would show nothing
MOST_COLUMNS = 120
MOST_COUNTERS = 12  # of one host


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve of the chart of a run: a label, and a value for each column; None where it is unknown."""

    label: str
    values: list[float | None]
    text: str  # at its end: the largest value, or the sum
    height: int = 1
    floor: float = 0.0
    heading: str = ""  # a line above it: the host that this curve and the following ones belong to


def curves(timeline: TimelineSummary | None, width: int, *, ascii_only: bool = False) -> list[str]:
    """Return the chart of a run's timeline as lines no longer than ``width``.

    There are none if there is nothing to show, or no room for it.
    """
    if not timeline or len(timeline.seconds) < 2:
        return []
    # Curves are made twice: the width of the axis is known only when the words beside it are.
    drafts = chosen(timeline, 1)
    left = max((len(curve.label) for curve in drafts), default=0)
    right = max((len(curve.text) for curve in drafts), default=0)
    columns = min(width - left - right - 4, MOST_COLUMNS)
    if not drafts or columns < LEAST_COLUMNS:
        return []
    glyphs, corner = (ASCII, "^") if ascii_only else (BLOCKS, "└")
    lines = [line for curve in chosen(timeline, columns) for line in drawn(curve, left, glyphs)]
    return [line[:width] for line in [*lines, *axis(timeline, left, columns, right, corner)]]


def chosen(timeline: TimelineSummary, columns: int) -> list[Curve]:
    """Return the curves of a timeline that have something to show, with ``columns`` values each."""
    seconds = timeline.seconds

    def level(label: str, values: Values, text: Callable[[float], str], height: int = 1, *, grown: bool = False) -> list[Curve]:
        known = [value for value in values if value is not None]
        if not known or max(known) == 0:
            return []
        floor = min(known) if grown else 0.0
        return [Curve(label, levels(seconds, values, columns), text(max(known) - floor), height, floor)]

    def count(label: str, values: Values) -> list[Curve]:
        in_all = sum(value for value in values if value is not None)
        return [Curve(label, events(seconds, values, columns), format_count(int(in_all)))] if in_all else []

    found = level("established", timeline.established, lambda most: f"{most:,.0f}", TALL)
    fastest = max(rate for rate in timeline.opened_per_second if rate is not None)
    if fastest:
        found.append(Curve("opened/s", events(seconds, risen(timeline.opened), columns), format_rate(fastest)))
    latencies = {kind: columns_of_kind for kind in LABELS if (columns_of_kind := latency_of(timeline, kind))}
    for kind in shown(latencies):
        p99 = latencies[kind].p99
        if slowest := max((value for value in p99 if value is not None), default=0):
            found.append(Curve(f"{LABELS[kind]} p99", highest(seconds, p99, columns), format_duration(slowest / 1e6)))
    found += count("failed", risen(timeline.failed)) + count("dropped", risen(timeline.dropped))
    for host, columns_of in timeline.hosts.items():
        of_host = level("slab", columns_of.slab_bytes, lambda most: f"+{format_bytes(most)}", grown=True)
        unexpected = [name for name in columns_of.counters if name not in EXPECTED]
        for name in unexpected[:MOST_COUNTERS]:
            of_host += count(name, columns_of.counters[name])
        if of_host and len(timeline.hosts) > 1:
            of_host[0] = replace(of_host[0], heading=host)
        found += of_host
    return found


def latency_of(timeline: TimelineSummary, kind: str) -> LatencyColumns | None:
    """Return one kind of latency over time; None if it was not measured."""
    return {CONNECT: timeline.connect_latency_us, FIRST_BYTE: timeline.first_byte_us, HEARTBEAT: timeline.heartbeat_rtt_us}[
        kind
    ]


def risen(cumulative: Sequence[int]) -> list[int]:
    """Return by how much a cumulative counter rose from each moment to the next; its first value is counted from 0."""
    return [now - before for before, now in zip([0, *cumulative], cumulative, strict=False)]


def drawn(curve: Curve, left: int, glyphs: str) -> list[str]:
    """Return the lines of text that show one curve, with its label in the first ``left`` columns."""
    *above, last = bars(curve.values, curve.height, glyphs, curve.floor)
    above = [f"{'':{left}}  {line}".rstrip() for line in above]
    return [*([curve.heading] if curve.heading else []), *above, f"{curve.label:{left}}  {last}  {curve.text}"]


def axis(timeline: TimelineSummary, left: int, columns: int, right: int, corner: str) -> list[str]:
    """Return two lines of text below the chart: the names of the run's steps, and the times at which they began.

    The second line ends with the duration of the run.
    """
    end = timeline.seconds[-1]
    turns = [(turn.seconds, turn.doing) for turn in timeline.turns]
    words = ruler([(at, f"{corner}{doing}") for at, doing in turns], end, columns, columns + right)
    times = ruler([(at, format_duration(round(at, 1))) for at, _ in turns], end, columns, columns)
    return [f"{'':{left}}  {words}", f"{'':{left}}  {times:{columns}}  {format_duration(round(end, 1))}"]
