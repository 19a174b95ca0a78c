"""Conditions over the evidence of one node. Each returns what it saw as text, and whether it could have seen it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from c1m.coordinator.ledger.evidence import Evidence
from c1m.coordinator.ledger.loss_reason import LossKind
from c1m.coordinator.ledger.loss_sentences import loss_sentence
from c1m.limits.sysctls import whole
from c1m.measure.reasons import ChildKind, ExitKind, ExitReason, HaltKind
from c1m.measure.tally import FROM_ELSEWHERE


class Condition(Protocol):
    """Interface of a sign that a rule of the diagnosis looks for in the evidence of one node."""

    def shows(self, seen: Evidence) -> str:
        """Return what the evidence of a node shows of the sign, as text; an empty string if the sign is absent."""

    def known(self, seen: Evidence) -> bool:
        """Return True if the evidence of a node would show the sign if it were present; False if it was not measured."""


class Error:
    """Sign that shows if system calls of the node failed with one of the given errors.

    Each is written as the call and the errno, as in "connect ENETUNREACH".
    """

    def __init__(self, *errors: str) -> None:
        self.errors = errors

    def shows(self, seen: Evidence) -> str:
        found = [(*error.split(), seen.errors.get(error, 0)) for error in self.errors]
        return ", ".join(f"{count:,} x {name} from {call}" for call, name, count in found if count)

    def known(self, _: Evidence) -> bool:
        return True


class FromElsewhere(Error):
    """Sign that shows if a target with --only-run-sources closed connections that did not come from the run's sources."""

    def __init__(self) -> None:
        super().__init__(FROM_ELSEWHERE)

    def shows(self, seen: Evidence) -> str:
        count = seen.errors.get(FROM_ELSEWHERE, 0)
        return f"{count:,} connections from elsewhere closed" if count else ""


@dataclass(frozen=True, slots=True)
class Rose:
    """Sign that shows if a kernel counter of the node's host rose.

    A counter that fell has wrapped, or a processor went offline; the fall is ignored.
    """

    counter: str

    def shows(self, seen: Evidence) -> str:
        events = seen.rose.get(self.counter, 0)
        return f"{self.counter} +{events:,}" if events > 0 else ""

    def known(self, seen: Evidence) -> bool:
        return self.counter in seen.rose


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Sign that shows if a level of the node (a measured value that rises and falls) reached at least ``least``."""

    level: str
    least: int
    words: str  # with {value}

    def shows(self, seen: Evidence) -> str:
        value = seen.levels.get(self.level, 0)
        return self.words.format(value=f"{value:,}") if value >= self.least else ""

    def known(self, seen: Evidence) -> bool:
        return self.level in seen.levels


@dataclass(frozen=True, slots=True)
class Full:
    """Sign that shows if a level of the node reached ``percent`` of its limit.

    The limit is another level or a sysctl of the host.
    """

    level: str
    limit: str
    words: str  # with {value} and {limit}
    percent: float = 100.0

    def limit_in(self, seen: Evidence) -> int | None:
        """Return the value of the limit, from the levels or sysctls in a node's evidence; None if it is unknown."""
        return seen.levels.get(self.limit, whole(seen.facts.get(self.limit, "")))

    def shows(self, seen: Evidence) -> str:
        value, limit = seen.levels.get(self.level), self.limit_in(seen)
        if value is None or limit is None or value < limit * self.percent / 100:
            return ""
        return self.words.format(value=f"{value:,}", limit=f"{limit:,}")

    def known(self, seen: Evidence) -> bool:
        return self.level in seen.levels and self.limit_in(seen) is not None


@dataclass(frozen=True, slots=True)
class Overflowing:
    """Sign that shows if an accept queue of the node is longer than its backlog.

    The kernel admits one connection more than the backlog.
    """

    def shows(self, seen: Evidence) -> str:
        queued, backlog = seen.levels.get("accept_queue"), seen.levels.get("accept_backlog")
        if queued is None or backlog is None or queued <= backlog:
            return ""
        return f"{queued:,} wait in an accept queue with a backlog of {backlog:,}"

    def known(self, seen: Evidence) -> bool:
        return "accept_queue" in seen.levels


@dataclass(frozen=True, slots=True)
class Lost:
    """Sign that shows if the node is lost for a reason of the given kind; None: for any reason."""

    kind: LossKind | None = None

    def shows(self, seen: Evidence) -> str:
        shows = seen.lost and self.kind in (None, seen.lost.kind)
        return loss_sentence(seen.node, seen.lost) if seen.lost and shows else ""

    def known(self, _: Evidence) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Silent:
    """Sign that shows if the node has sent no sample for at least ``seconds``. A node sends at least one a second."""

    seconds: float

    def shows(self, seen: Evidence) -> str:
        return f"no sample for {seen.silent_seconds:.0f} s" if seen.silent_seconds >= self.seconds else ""

    def known(self, _: Evidence) -> bool:
        return True


class Dropped:
    """Sign that shows if established connections of the node were dropped for one of the given causes."""

    def __init__(self, *causes: str) -> None:
        self.causes = causes

    def shows(self, seen: Evidence) -> str:
        found = [(cause, seen.dropped.get(cause, 0)) for cause in self.causes]
        counts = ", ".join(f"{count:,} {cause}" for cause, count in found if count)
        return f"{counts}; it said first: {seen.heard}" if counts and seen.heard else counts

    def known(self, _: Evidence) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Ended:
    """Sign that shows if processes of the node ended: those of a kind, or by a signal; None: any."""

    child: ChildKind | None = None
    by_signal: int | None = None

    def fits(self, reason: ExitReason) -> bool:
        """Return True if the exit reason is one that the sign is about."""
        by_signal = reason.value if reason.kind is ExitKind.SIGNALLED else None
        return self.child in (None, reason.child) and self.by_signal in (None, by_signal)

    def shows(self, seen: Evidence) -> str:
        return "; ".join(str(reason) for reason in seen.exit_reasons if self.fits(reason))

    def known(self, _: Evidence) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Halted:
    """Sign that shows if the node opens no more connections, for a reason of the given kind."""

    kind: HaltKind

    def shows(self, seen: Evidence) -> str:
        return str(seen.halted) if seen.halted and seen.halted.kind is self.kind else ""

    def known(self, _: Evidence) -> bool:
        return True
