"""The diagnosis of a run: what stood in its way, when that was seen, and by what evidence. A fold; time is an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from c1m.coordinator.ledger.evidence import Evidence
from c1m.measure.sampling import pace_of
from c1m.text.units import format_duration

from .causes import Cause, diagnose, remaining, ruled_out, telling
from .progress import Progress, ProgressDetector, Trouble

LOOK_SECONDS = 1.0  # between two looks for causes: readings come no more often ...
NODES_NAMED = 3  # in a sentence; the summary has them all
UNEXPLAINED_SECONDS = 8.0  # that growth may stall before it is said that nothing explains it

Scene = Callable[[float | None], Sequence[Evidence]]
"""The evidence of all nodes since so many seconds after the start; None is from before anything was opened."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause, and when it was first seen: seconds after the start, or None where only the whole run shows it."""

    cause: Cause
    at_seconds: float | None

    def to_summary(self) -> dict[str, Any]:
        return {
            **asdict(self.cause),
            "evidence": list(self.cause.evidence),
            "sentence": self.cause.sentence,
            "at_seconds": self.at_seconds,
        }


class Diagnosis:
    def __init__(self, found: Iterable[Finding] = ()) -> None:
        """``found``: what an earlier look at the same run has found."""
        self.growth = ProgressDetector()
        self.found = {(finding.cause.cause, finding.cause.node): finding for finding in found}
        self.next_look = 0.0
        self.stalled: Progress | None = None  # when a stall was told that is not over

    def take(self, now: Progress, planned: int, scene: Scene) -> list[str]:
        """The next moment while the run opens; what there is to tell a person about it."""
        self.growth.take(now)
        troubles = self.growth.troubles()
        told = self.begin_or_end(troubles.get(Trouble.STALLED), planned)
        if troubles and now.at >= self.next_look:
            for trouble, since in troubles.items():
                evidence = scene(since)
                # ... and of many nodes more seldom (c1m/measure/sampling.py).
                self.next_look = now.at + max(LOOK_SECONDS, pace_of(len(evidence)).reading_every)
                causes = diagnose(evidence, {trouble})
                if trouble is Trouble.STALLED and not causes and now.at - since >= UNEXPLAINED_SECONDS:
                    causes = self.wonder(scene(since))
                told += self.add(causes, now.at)
        return told

    def begin_or_end(self, since: float | None, planned: int) -> list[str]:
        now, before = self.growth.last, self.stalled
        if since is not None and before is None:
            self.stalled = now
            waited, hint = format_duration(round(now.at - since)), telling(now.opened)
            told = f"stalled: {now.opened:,} of {planned:,} established, and no more for {waited}"
            return [f"{told}; {hint}" if hint else told]
        if before is not None and now.opened > before.opened:
            self.stalled = None
            return [f"growing again: {now.opened:,} of {planned:,} established"]
        return []

    def wonder(self, scene: Sequence[Evidence]) -> list[Cause]:
        """A stall that nothing explains: where not to look."""
        if causes := diagnose(scene, {Trouble.STALLED}, last_resort=True):
            return causes
        opened = self.growth.last.opened
        out, unknown = ruled_out(scene)
        evidence = [
            f"ruled out: {', '.join(out) or 'nothing'}",
            f"unknown: {', '.join(unknown)}" if unknown else "",
            telling(opened),
        ]
        says = f"growth stopped at {opened:,} connections, and nothing that was seen explains it"
        cure = "look at what is between the nodes, and at the server's own log"
        return [Cause("unexplained", "the run", says, tuple(text for text in evidence if text), cure)]

    def conclude(self, scene: Scene, *, unaccepted: bool) -> list[Finding]:
        """All that was found, with what the whole run shows. A stall has been looked at while it lasted."""
        troubles = {*self.growth.lost_since, *([Trouble.UNACCEPTED] if unaccepted else [])}
        causes = diagnose(scene(None), troubles)
        if troubles and not causes and not self.found:
            causes = diagnose(scene(None), troubles, last_resort=True)
        for cause in causes:
            before = self.found.get((cause.cause, cause.node))
            self.found[cause.cause, cause.node] = Finding(cause, before.at_seconds if before else None)
        left = remaining([finding.cause for finding in self.found.values()])
        return [finding for finding in self.found.values() if finding.cause in left]

    def add(self, causes: Sequence[Cause], at_seconds: float | None) -> list[str]:
        """Take them in; a sentence for each that is new, and that no other node of the kind has shown."""
        told = {(finding.cause.cause, finding.cause.role) for finding in self.found.values()}
        new = [cause for cause in causes if (cause.cause, cause.node) not in self.found]
        for cause in new:
            self.found[cause.cause, cause.node] = Finding(cause, at_seconds)
        return sentences([cause for cause in new if (cause.cause, cause.role) not in told])


def sentences(causes: Sequence[Cause]) -> list[str]:
    """One for all nodes of a kind that show the same cause: there may be hundreds of workers."""
    together: dict[tuple[str, str], list[Cause]] = {}
    for cause in causes:
        together.setdefault((cause.cause, cause.role), []).append(cause)
    return [first.sentence + also_on(others) for first, *others in together.values()]


def also_on(others: Sequence[Cause]) -> str:
    if not others:
        return ""
    named = ", ".join(cause.node for cause in others[:NODES_NAMED])
    return f"; the same on {named}" + (f" and {len(others) - NODES_NAMED:,} more" if len(others) > NODES_NAMED else "")
