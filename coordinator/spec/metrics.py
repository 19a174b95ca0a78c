"""The metrics of a summary by name: what a requirement may ask for, in which unit, and when it is known. Pure.

Names are paths into the summary. The beginning and the unit may be left out: ``connect_latency.p99`` is
``connect_latency_us.p99``, ``ghosts`` is ``reconciliation.ghosts``.
"""

from __future__ import annotations

import difflib
import enum
import errno
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from c1m.measure.tally import PEER_CLOSED, PEER_RESET, PROCESS_DIED, TIMED_OUT
from c1m.text.units import (
    format_bytes,
    format_duration,
    format_rate,
    parse_bytes,
    parse_duration,
    parse_number,
    parse_rate,
)
from c1m.traffic.heartbeat import ANSWERED, CUT_OFF, LATE, MISSING, RECOVERED, SENT, UNASKED_BYTES, WRONG

HEARTBEATS_COUNTED = (SENT, ANSWERED, LATE, MISSING, RECOVERED, WRONG, CUT_OFF, UNASKED_BYTES)
# Unknown with --expect none, with which clients do not wait for answers.
HEARTBEATS_ANSWERED = (*(name for name in HEARTBEATS_COUNTED if name != SENT), "under_way")


class Kind(enum.Enum):
    """What a metric measures, and so how its values are written."""

    NUMBER = "number"
    DURATION = "duration"
    BYTES = "bytes"
    RATE = "rate"
    PERCENT = "percent"


PARSERS: Mapping[Kind, Callable[[str], float]] = {
    Kind.NUMBER: parse_number,
    Kind.DURATION: parse_duration,
    Kind.BYTES: parse_bytes,
    Kind.RATE: parse_rate,
    Kind.PERCENT: lambda text: parse_number(text.removesuffix("%").strip()),
}
FORMATS: Mapping[Kind, Callable[[float], str]] = {
    Kind.NUMBER: lambda value: f"{value:,.0f}" if value == int(value) else f"{value:,.4g}",
    Kind.DURATION: format_duration,
    Kind.BYTES: lambda value: f"{value:,.0f} B" if abs(value) < 1e6 else format_bytes(value),
    Kind.RATE: format_rate,
    Kind.PERCENT: lambda value: f"{value:.4g} %",
}

# The end of a name, the kind of metric, and its units in a second for a duration. Division is exact where it has to be: 50,000
# us divided by a million are the 0.05 s that "50ms" is; multiplied by a millionth they would be less.
UNITS = (
    ("_us", Kind.DURATION, 1_000_000),
    ("_seconds", Kind.DURATION, 1),
    ("_bytes", Kind.BYTES, 1),
    ("_percent", Kind.PERCENT, 1),
    ("_per_second", Kind.RATE, 1),
)
LEFT_OUT = ("_at_hold_end", "_through_hold", *(unit for unit, _, _ in UNITS))  # users may leave these out of a name

SPREAD = ("count", "min", "p50", "p90", "p99", "p999", "max")  # the parts of every latency
EACH = "*"  # any name that is counted there

NODE = (
    "rss_bytes pss_bytes pss_bytes_per_connection cpu_seconds dropped dropped.* bytes_received "
    "memory.connections memory.sockets_per_connection memory.other_sockets memory.slab_bytes_per_socket "
    "memory.slab_bytes_per_connection "
    "memory.explained_percent memory.pinned_bytes_per_connection memory.user_bytes_per_connection "
    "memory.bytes_per_connection memory.tcp_mem_pages memory.artefact_bytes kernel.established_at_hold_end "
    "kernel.half_closed_at_hold_end kernel.in_accept_queues_at_hold_end kernel.counters.* kernel.levels_at_hold_end.* "
    "observing.readings observing.cpu_seconds observing.slab_bytes_of_descriptor_listings"
)
COUNTED = (
    "client_established client_kernel_established target_open kernel_established in_accept_queues in_syn_queues half_closed "
    "ghosts lost_on_the_way not_ours never_accepted unexplained awaiting_accept"
)
CACHE = "objects_per_connection object_bytes bytes_per_connection"
SOURCE = (
    "established connect_p50_us connect_p99_us connect_max_us first_byte_count first_byte_p50_us first_byte_p99_us "
    "first_byte_max_us heartbeat_rtt_count heartbeat_rtt_p50_us heartbeat_rtt_p99_us heartbeat_rtt_max_us slow failed"
)
HEARTBEATS = "sent answered late missing recovered wrong cut_off unasked_bytes under_way"
# In the order in which a short name is looked up. A name that ends with a dot is a spread: each part of it is a metric.
SECTIONS = {
    "": "planned established_peak established_at_hold_end away_at_hold_end waiting_at_hold_end half_closed_at_hold_end "
    "widest_off_schedule_through_hold "
    "attempted replaced reopened failed failed.* dropped dropped.* closed skipped_ports "
    "ramp_seconds connections_per_second teardown_seconds connect_latency_us. connect_latency_from_due_us. first_byte_us. "
    "heartbeat_rtt_us. alive_after_us. half_closed_after_us. syn_retransmissions.took_1_seconds "
    "syn_retransmissions.took_3_seconds syn_retransmissions.took_7_seconds bytes_sent bytes_received",
    "heartbeats": HEARTBEATS,
    "keepalive": "interval_seconds probes_sent timed_out",
    "pushes": "sent held_back received wrong_bytes",
    "sources": "connect_p99_us. first_byte_p99_us. heartbeat_rtt_p99_us.",
    "sources.slowest": SOURCE,
    "sources.slowest_first_byte": SOURCE,
    "sources.slowest_heartbeat_rtt": SOURCE,
    "stages": "total within_seconds due_seconds reached_seconds",
    "storms": "at_seconds drop_percent return_seconds dropped returned forgone recovery_seconds slowest_connect_us "
    "accept_queues.*",
    "reconciliation": f"{COUNTED} widest_gap_through_hold probed.connections probed.ghosts",
    "reconciliation.at_ramp_end": COUNTED,
    "reconciliation.at_rests": f"begin_seconds end_seconds total {COUNTED}",
    "target": "accepted from_elsewhere accept_delay_us. open_at_hold_end closed left_open_by_clients bytes_sent acceptors "
    "acceptors_full "
    f"{NODE}",
    "workers": "planned established_peak established_at_hold_end kernel_established_at_hold_end attempted failed failed.* "
    f"skipped_ports ramp_seconds shards connect_latency_us. connect_latency_from_due_us. first_byte_us. "
    f"heartbeat_rtt_us. bytes_sent {NODE}",
    "workers.heartbeats": HEARTBEATS,
    "workers.slowest_sources": SOURCE,
    "target.memory.caches": CACHE,
    "workers.memory.caches": CACHE,
}
# Known when all nodes are asked for their counts, or at the end; samples do not have these.
WHEN_ASKED = (
    "reconciliation.",
    "teardown_seconds",
    "target.left_open_by_clients",
    "rss_bytes",
    "pss_bytes",
    "cpu_seconds",
    "kernel.established",
    "kernel.half_closed",
    "kernel.in_accept_queues",
    "workers.kernel_established",
)
# Their names are open, and what was never counted there is 0. A counter that was never read is unknown.
COUNTS = frozenset(
    {"failed", "dropped", "counters", "accept_queues", "syn_retransmissions"}
)  # their values are numbers, whatever their names end in
ZERO_IF_ABSENT = frozenset({"failed", "dropped"})
CAUSES = frozenset({PEER_CLOSED, PEER_RESET, TIMED_OUT, PROCESS_DIED, *errno.errorcode.values()})


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric. ``path`` leads to it in the summary. ``workers``, ``stages`` and other lists have one value for each row."""

    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.path)

    @property
    def unit(self) -> tuple[Kind, int]:
        """The kind of the metric, and the divisor of its values that gives seconds; 1 unless it is a duration."""
        if self.path[-2:-1] and self.path[-2] in COUNTS:
            return Kind.NUMBER, 1
        for word in reversed(self.path[-2:] if self.path[-1] in SPREAD[1:] else self.path[-1:]):
            for ending, kind, divisor in UNITS:
                if word.endswith(ending):
                    return kind, divisor
            if "bytes_" in word:  # bytes_per_connection
                return Kind.BYTES, 1
        return Kind.NUMBER, 1

    def parse(self, text: str) -> float:
        """Parse a value of this kind. Return seconds for a duration, otherwise the summary's unit. Raises ValueError."""
        return PARSERS[self.unit[0]](text)

    def format(self, value: float) -> str:
        """Return a value of the summary as people read it, with its unit."""
        kind, divisor = self.unit
        return FORMATS[kind](value / divisor)

    @property
    def through_hold(self) -> bool:
        """Whether samples have this metric at every moment of the hold."""
        name = str(self)
        inner = name.partition(".")[2]  # without "target" or "workers"
        return not any(name.startswith(start) or inner.startswith(start) for start in WHEN_ASKED)

    def named(self, words: Sequence[str]) -> Figure | None:
        """Return this metric with EACH replaced by the words of a name; None when the name does not fit."""
        ending = self.path[-len(words) :]
        if len(words) > len(self.path) or ending[0] == EACH or not all(map(same, ending, words)):
            return None
        chosen = tuple(word if own == EACH else own for own, word in zip(ending, words, strict=True))
        return Figure(self.path[: -len(words)] + chosen)

    def is_unmeasured(self, summary: Mapping[str, Any]) -> bool:
        """Return whether this metric is part of a spread of which nothing has been measured yet."""
        if self.path[-1] not in SPREAD:
            return False
        return any(count == 0 for _, count in Figure((*self.path[:-1], "count")).values(summary))

    def values(self, summary: Mapping[str, Any]) -> list[tuple[str, float | None]]:
        """Return the name of each row and its value; without rows, one value with the name "". None: unknown."""
        return reached(summary, self.path)


def same(own: str, word: str) -> bool:
    """Return whether a word of a name stands for a part of a path."""
    return own == EACH or word in (own, bare(own))


def bare(word: str) -> str:
    """Return a word without the endings that users may leave out."""
    for ending in LEFT_OUT:
        word = word.removesuffix(ending)
    return word


def reached(node: Any, path: Sequence[str], parent: str = "", whose: str = "") -> list[tuple[str, float | None]]:
    """Return the name of each row and the value at the end of the path; for a mapping of counts, their sum."""
    if isinstance(node, list | tuple):
        within = f"{whose} " if whose else ""
        return [found for name, item in members(node).items() for found in reached(item, path, parent, within + name)]
    if node is None:
        return [(whose, None)]
    if not path:
        return [(whose, sum(node.values()) if isinstance(node, Mapping) else node)]
    absent = 0 if parent in ZERO_IF_ABSENT else None
    return reached(node.get(path[0], absent), path[1:], path[0], whose)


def members(items: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return rows by name: that of a worker, of a worker's source address or of a cache, otherwise the row's number."""
    return {called(item) or f"number {number}": item for number, item in enumerate(items, 1)}


def called(item: Mapping[str, Any]) -> str:
    """Return the name of a row; empty when it has none."""
    return " ".join(item[part] for part in ("node", "source", "name") if part in item)


def spelled_out(section: str, names: str) -> Iterable[Figure]:
    """Return the metrics of a section of the table. ``names``: separated by spaces; a spread yields each of its parts."""
    for name in names.split():
        path = (*section.split("."), *name.split(".")) if section else tuple(name.split("."))
        if path[-1]:
            yield Figure(path)
        else:
            yield from (Figure((*path[:-1], part)) for part in SPREAD)


FIGURES = tuple(figure for section, names in SECTIONS.items() for figure in spelled_out(section, names))


def find(name: str) -> Figure:
    """Return the metric with this name; if several end in it, the one with the shortest path. Raises ValueError, with similar
    names, for an unknown name.
    """
    words = name.split(".")
    found = [figure for each in FIGURES if (figure := each.named(words))]
    if not found:
        raise ValueError(f"there is no figure {name!r}; {resembling(name, names_of_all())}")
    figure = min(found, key=lambda each: len(each.path))
    if len(figure.path) > 1 and figure.path[-2] in ZERO_IF_ABSENT and figure.path[-1] not in CAUSES:
        # Such a requirement would judge a 0 in every run.
        raise ValueError(f"nothing is ever counted as {figure.path[-1]!r}; {resembling(figure.path[-1], CAUSES)}")
    return figure


def resembling(name: str, known: Iterable[str]) -> str:
    """Return a hint with up to three known names that are like this one."""
    close = difflib.get_close_matches(name, list(known), 3)
    return f"did you mean {' or '.join(close)}?" if close else "a figure's name is its path in the summary that --json writes"


def names_of_all() -> set[str]:
    """Return all names that users may write: paths from any part on, with and without units."""
    endings = [figure.path[start:] for figure in FIGURES for start in range(len(figure.path))]
    return {".".join(map(shown, ending)) for ending in endings for shown in (str, bare) if ending[0] != EACH}
