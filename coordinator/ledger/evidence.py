"""Evidence: what each node, its processes and its kernel reported about a period of a run. Pure.

A NodeHistory keeps the newest observations of one node. Counters are cumulative: their growth in a period is a difference.
Of levels, which rise and fall, the highest in the period counts, such as stopped processes or the length of a queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from c1m.measure.reasons import ExitReason, HaltReason
from c1m.measure.sample import Reading, Sample

from .doing import Role
from .loss_reason import LossReason

LOOKS = 60  # observations kept of each node: a minute, with one reading a second


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one node and its kernel reported about one period of a run. A name that is absent is unknown, not zero."""

    node: str
    role: Role
    host: str = ""  # equal for nodes that share a kernel and network namespace, and so its counters
    errors: Mapping[str, int] = field(default_factory=dict)  # "connect ENETUNREACH" -> how often
    dropped: Mapping[str, int] = field(default_factory=dict)  # cause -> connections
    rose: Mapping[str, int] = field(default_factory=dict)  # kernel counter -> events
    levels: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)  # sysctl -> value
    silent_seconds: float = 0.0
    heard: str = ""  # the first bytes that the server sent
    halted: HaltReason | None = None  # why the node opens no more connections; None: it does
    exit_reasons: tuple[ExitReason, ...] = ()  # of its processes
    lost: LossReason | None = None  # why the node is lost; None: it is not


@dataclass(frozen=True, slots=True)
class NodeObservation:
    """The counts of one sample of a node, received at the time ``at``, with the newest host reading by then."""

    at: float
    counters: Mapping[str, int]
    levels: Mapping[str, int]
    errors: Mapping[str, int]
    dropped: Mapping[str, int]


class NodeHistory:
    """The newest observations of one node, about a minute of them.

    ``first``, from before the first opening, is kept for good.
    """

    def __init__(self) -> None:
        self.looks: deque[NodeObservation] = deque(maxlen=LOOKS)
        self.first: NodeObservation | None = None
        self.heard_at = 0.0
        self.sample: Sample | None = None

    def take(self, sample: Sample, at: float) -> None:
        """Add the observation of a sample that was received at the time ``at``, in seconds on the caller's clock.

        Without a reading it replaces the observation before it, unless that is the first. Returns nothing.
        """
        self.heard_at, self.sample = at, sample
        tally = sample.tally
        last = self.looks[-1] if self.looks else NodeObservation(at, {}, {}, {}, {})
        counters, levels = last.counters, last.levels
        if sample.reading:
            counters, levels = sample.reading.counters, sample.reading.levels
        levels = {**levels, "open": tally.open, "in_flight": tally.in_flight, "acceptors_full": sample.full_acceptors}
        look = NodeObservation(at, counters, levels, tally.errors, tally.dropped)
        # Samples come up to four times a second, readings once: of each second only the newest observation is kept.
        if not sample.reading and self.looks and self.looks[-1] is not self.first:
            self.looks.pop()
        self.looks.append(look)
        if self.first is None and sample.reading:
            self.first = look

    def read(self, reading: Reading, at: float) -> None:
        """Add an observation of a host reading that came without a sample, as the answer to a request.

        The counts are those of the newest sample; without one, nothing is added. Returns nothing.
        """
        if self.sample:
            self.take(replace(self.sample, reading=reading), at)

    def evidence(
        self,
        *,
        node: str,
        role: Role,
        host: str,
        facts: Mapping[str, str],
        lost: LossReason | None,
        since: float | None,
        silent_seconds: float,
    ) -> Evidence:
        """Return what the observations of the node show about the period since the time ``since``; None: since the first one.

        ``lost``: why the node is lost; None: it is not. ``silent_seconds``: time since the node's last sample.
        """
        if not self.looks or not self.sample:
            return Evidence(node, role, host, facts=facts, silent_seconds=silent_seconds, lost=lost)
        sample, last = self.sample, self.looks[-1]
        stretch = [look for look in self.looks if since is None or look.at >= since] or [last]
        before = self.before(since)
        counters = (before or self.first or last).counters
        errors, dropped = (before.errors, before.dropped) if before else ({}, {})  # counts of the run itself begin at zero
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
            heard=sample.first_received.decode("utf-8", "backslashreplace").strip(),
            halted=sample.halted,
            exit_reasons=sample.exit_reasons,
            lost=lost,
        )

    def before(self, since: float | None) -> NodeObservation | None:
        """Return the observation at which a period that begins at ``since`` starts.

        It is the newest one at or before that time, else the oldest that is kept. It is None if ``since`` is None, or if that
        oldest one is the first of the run, before which all counts are zero.
        """
        if since is None:
            return None
        oldest = self.looks[0]
        return next((look for look in reversed(self.looks) if look.at <= since), None if oldest is self.first else oldest)


def difference(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """Return by how much each count rose, without those that did not rise. A name that is missing in ``before`` was zero."""
    return {name: count - before.get(name, 0) for name, count in now.items() if count > before.get(name, 0)}


def levels_of(looks: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Return one value for each level over a period: the highest, or for limits and backlogs the newest.

    Of percentages it is the mean. They are shares of time: a single second at 100 % is normal.
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
