"""The diagnosis of a run: which causes were found, when, and by what evidence. A fold; time is an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from c1m.coordinator.ledger.doing import Role
from c1m.coordinator.ledger.evidence import Evidence
from c1m.coordinator.summary.summary import FindingSummary
from c1m.measure.sampling import pace_of
from c1m.text.units import format_duration

from .causes import Cause, diagnose, remaining, ruled_out, telling
from .progress import Progress, ProgressDetector, Trouble

LOOK_SECONDS = 1.0  # between two searches for causes: readings are not more frequent
NODES_NAMED = 3  # in one sentence; the summary lists all
UNEXPLAINED_SECONDS = 8.0  # how long growth may stall before it is called unexplained

Scene = Callable[[float | None], Sequence[Evidence]]
"""Returns the evidence of all nodes since a time, in seconds after the start; None: since before the first opening."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause that the diagnosis found, and when it was first seen.

    The time is in seconds after the start; None if only the evidence of the whole run shows the cause.
    """

    cause: Cause
    at_seconds: float | None

    def to_summary(self) -> FindingSummary:
        """Return the finding as the summary has it."""
        cause = self.cause
        return FindingSummary(
            cause=cause.cause,
            node=cause.node,
            says=cause.says,
            evidence=cause.evidence,
            cure=cause.cure,
            limit=cause.limit,
            sentence=cause.sentence,
            at_seconds=self.at_seconds,
            role=cause.role.value if cause.role else None,
        )


class Diagnosis:
    """Looks for the causes of a run's troubles while they last, and keeps all causes that it found."""

    def __init__(self, found: Iterable[Finding] = ()) -> None:
        """Start a diagnosis with the findings of an earlier coordinator of the same run in ``found``; none for a new run."""
        self.growth = ProgressDetector()
        self.found = {(finding.cause.cause, finding.cause.node): finding for finding in found}
        self.next_look = 0.0
        self.stalled: Progress | None = None  # when the present stall was reported; None: growth is not stalled

    def take(self, now: Progress, planned: int, scene: Scene) -> list[str]:
        """Process the newest counts of the run, and look for causes if it is in trouble.

        Returns sentences for the operator on stalls and new causes; most of the time an empty list. ``planned``: the
        connections that the whole run opens.
        """
        self.growth.take(now)
        troubles = self.growth.troubles()
        news = self.begin_or_end(troubles.get(Trouble.STALLED), planned)
        if troubles and now.at >= self.next_look:
            for trouble, since in troubles.items():
                evidence = scene(since)
                # Readings of many nodes are rarer (c1m/measure/sampling.py).
                self.next_look = now.at + max(LOOK_SECONDS, pace_of(len(evidence)).reading_every)
                causes = diagnose(evidence, {trouble})
                if trouble is Trouble.STALLED and not causes and now.at - since >= UNEXPLAINED_SECONDS:
                    causes = self.wonder(scene(since))
                news += self.add(causes, now.at)
        return news

    def begin_or_end(self, since: float | None, planned: int) -> list[str]:
        """Return a list with one sentence if a stall of the run's growth begins or ends now; else an empty list.

        ``since``: when growth stopped, in seconds after the start; None: it has not stopped.
        """
        now, before = self.growth.last, self.stalled
        if since is not None and before is None:
            self.stalled = now
            waited, hint = format_duration(round(now.at - since)), telling(now.opened)
            stall = f"stalled: {now.opened:,} of {planned:,} established, and no more for {waited}"
            return [f"{stall}; {hint}" if hint else stall]
        if before is not None and now.opened > before.opened:
            self.stalled = None
            return [f"growing again: {now.opened:,} of {planned:,} established"]
        return []

    def wonder(self, scene: Sequence[Evidence]) -> list[Cause]:
        """Return the cause of a stall that no ordinary rule explains.

        It is what the rules of last resort find, else a cause named "unexplained" that lists what was ruled out and what is
        unknown.
        """
        if causes := diagnose(scene, {Trouble.STALLED}, last_resort=True):
            return causes
        opened = self.growth.last.opened
        out, unknown = ruled_out(scene)
        evidence = [
            f"ruled out: {', '.join(out) or 'nothing'}",
            f"unknown: {', '.join(unknown)}" if unknown else "",
            telling(opened),
        ]
        says = f"growth stopped at {opened:,} connections, and no evidence explains it"
        cure = "check what lies between the nodes, and the server's own log"
        return [Cause("unexplained", "the run", says, tuple(text for text in evidence if text), cure)]

    def conclude(self, scene: Sequence[Evidence], *, unaccepted: bool) -> list[Finding]:
        """Return all findings of the run, including causes that only the evidence of the whole run shows.

        Stalls are not examined again: that was done while they lasted. ``unaccepted``: clients hold connections that the server
        has not accepted.
        """
        troubles = {*self.growth.lost_since, *([Trouble.UNACCEPTED] if unaccepted else [])}
        causes = diagnose(scene, troubles)
        if troubles and not causes and not self.found:
            causes = diagnose(scene, troubles, last_resort=True)
        for cause in causes:
            before = self.found.get((cause.cause, cause.node))
            self.found[cause.cause, cause.node] = Finding(cause, before.at_seconds if before else None)
        left = remaining([finding.cause for finding in self.found.values()])
        return [finding for finding in self.found.values() if finding.cause in left]

    def add(self, causes: Sequence[Cause], at_seconds: float | None) -> list[str]:
        """Keep the causes that are new for their node as findings.

        Returns sentences for those that no other node of the same role has shown before.
        """
        known = {(finding.cause.cause, finding.cause.role) for finding in self.found.values()}
        new = [cause for cause in causes if (cause.cause, cause.node) not in self.found]
        for cause in new:
            self.found[cause.cause, cause.node] = Finding(cause, at_seconds)
        return sentences([cause for cause in new if (cause.cause, cause.role) not in known])


def sentences(causes: Sequence[Cause]) -> list[str]:
    """Return a list with one sentence for each different cause and role, which names all nodes that show the cause."""
    together: dict[tuple[str, Role | None], list[Cause]] = {}
    for cause in causes:
        together.setdefault((cause.cause, cause.role), []).append(cause)
    return [first.sentence + also_on(others) for first, *others in together.values()]


def also_on(others: Sequence[Cause]) -> str:
    """Return the end of a sentence that names the other nodes with the same cause; an empty string if there are none."""
    if not others:
        return ""
    named = ", ".join(cause.node for cause in others[:NODES_NAMED])
    return f"; the same on {named}" + (f" and {len(others) - NODES_NAMED:,} more" if len(others) > NODES_NAMED else "")
