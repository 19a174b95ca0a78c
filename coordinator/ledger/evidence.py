"""Evidence: what each node, its processes and its kernel told about a stretch of a run. Pure.

A *trail* keeps the newest looks at one node. Counters are cumulative, so what rose in a stretch is a difference; of what
goes up and down, the most that was seen in it counts: a process that was stopped, a queue that was full.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from c1m.measure.sample import Reading, Sample

LOOKS = 60  # with a reading a second: a minute


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one node, for one stretch of time. A name that is absent is unknown, never zero."""

    node: str
    role: str  # "worker" or "target"
    host: str = ""  # equal for nodes that share a kernel and a network namespace, hence its counters
    errors: Mapping[str, int] = field(default_factory=dict)  # "connect ENETUNREACH" -> how often
    dropped: Mapping[str, int] = field(default_factory=dict)  # cause -> connections
    rose: Mapping[str, int] = field(default_factory=dict)  # kernel counter -> events
    levels: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)  # sysctl -> value
    silent_seconds: float = 0.0
    heard: str = ""  # what the server said first
    told: tuple[str, ...] = ()  # by the node itself: why it stopped, which process ended how
    lost: str = ""  # why nothing more will come from it


@dataclass(frozen=True, slots=True)
class NodeObservation:
    at: float
    counters: Mapping[str, int]
    levels: Mapping[str, int]
    errors: Mapping[str, int]
    dropped: Mapping[str, int]


class NodeHistory:
    """The looks at one node. ``first`` is from before anything was opened, and stays."""

    def __init__(self) -> None:
        self.looks: deque[NodeObservation] = deque(maxlen=LOOKS)
        self.first: NodeObservation | None = None
        self.heard_at = 0.0
        self.sample: Sample | None = None

    def take(self, sample: Sample, at: float) -> None:
        """A sample that came ``at`` seconds, on whatever clock the reader keeps to."""
        self.heard_at, self.sample = at, sample
        tally = sample.tally
        last = self.looks[-1] if self.looks else NodeObservation(at, {}, {}, {}, {})
        counters, levels = last.counters, last.levels
        if sample.reading:
            counters, levels = sample.reading.counters, sample.reading.levels
        levels = {**levels, "open": tally.open, "in_flight": tally.in_flight, "acceptors_full": sample.full}
        look = NodeObservation(at, counters, levels, tally.errors, tally.dropped)
        # Samples come up to four times a second, readings once: the newest look of a second stands for it.
        if not sample.reading and self.looks and self.looks[-1] is not self.first:
            self.looks.pop()
        self.looks.append(look)
        if self.first is None and sample.reading:
            self.first = look

    def read(self, reading: Reading, at: float) -> None:
        """A reading that came by itself, when it was asked for."""
        if self.sample:
            self.take(replace(self.sample, reading=reading), at)

    def evidence(
        self,
        *,
        node: str,
        role: str,
        host: str,
        facts: Mapping[str, str],
        lost: str,
        since: float | None,
        silent_seconds: float,
    ) -> Evidence:
        """From ``since`` on; None is from the very first. ``lost``: why nothing more will come."""
        if not self.looks or not self.sample:
            return Evidence(node, role, host, facts=facts, silent_seconds=silent_seconds, lost=lost)
        sample, last = self.sample, self.looks[-1]
        stretch = [look for look in self.looks if since is None or look.at >= since] or [last]
        before = self.before(since)
        counters = (before or self.first or last).counters
        errors, dropped = (before.errors, before.dropped) if before else ({}, {})  # a run's own begin at zero
        return Evidence(
            node=node,
            role=role,
            host=host,
            errors=difference(errors, last.errors),
            dropped=difference(dropped, last.dropped),
            rose={name: count - counters[name] for name, count in last.counters.items() if name in counters},
            levels=levels_of([look.levels for look in stretch]),
            facts=facts,
            silent_seconds=silent_seconds,
            heard=sample.heard.decode("utf-8", "backslashreplace").strip(),
            told=tuple(text for text in (sample.halted, *sample.exit_reasons) if text),
            lost=lost,
        )

    def before(self, since: float | None) -> NodeObservation | None:
        """The newest look that is no newer than that, or the oldest there still is; None for the whole of the run."""
        if since is None:
            return None
        oldest = self.looks[0]
        return next((look for look in reversed(self.looks) if look.at <= since), None if oldest is self.first else oldest)


def difference(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """What rose; a name that was not there before was zero."""
    return {name: count - before.get(name, 0) for name, count in now.items() if count > before.get(name, 0)}


def levels_of(looks: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The most that was seen of each level, and the newest of each limit.

    Shares of time are averaged: a process may well run for one whole second.
    """
    values: dict[str, list[int]] = {}
    for levels in looks:
        for name, value in levels.items():
            values.setdefault(name, []).append(value)
    return {name: FOLDS.get(name.rpartition("_")[2], max)(seen) for name, seen in values.items()}


FOLDS: Mapping[str, Callable[[Sequence[int]], int]] = {
    "percent": lambda seen: round(fmean(seen)),
    "limit": lambda seen: seen[-1],
    "backlog": lambda seen: seen[-1],
}
