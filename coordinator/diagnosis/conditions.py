"""Signs: the forms in which evidence shows. Each says in words what it saw of one node, or that it cannot know. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from c1m.coordinator.ledger.evidence import Evidence
from c1m.limits.sysctls import whole


class Condition(Protocol):
    def shows(self, seen: Evidence) -> str:
        """What was seen, in words; empty where nothing was."""

    def known(self, seen: Evidence) -> bool:
        """Whether it would have been seen, had it been there."""


class Error:
    """Calls that said an errno: "connect ENETUNREACH"; one of these is enough."""

    def __init__(self, *errors: str) -> None:
        self.errors = errors

    def shows(self, seen: Evidence) -> str:
        found = [(*error.split(), seen.errors.get(error, 0)) for error in self.errors]
        return ", ".join(f"{count:,} x {name} from {call}" for call, name, count in found if count)

    def known(self, _: Evidence) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Rose:
    """A counter of the kernel that rose. One that fell wrapped, or went with its processor, and says nothing."""

    counter: str

    def shows(self, seen: Evidence) -> str:
        events = seen.rose.get(self.counter, 0)
        return f"{self.counter} +{events:,}" if events > 0 else ""

    def known(self, seen: Evidence) -> bool:
        return self.counter in seen.rose


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A level that reached so much."""

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
    """A level at its limit, which is another level, or a fact of the host. ``percent`` of it counts as full."""

    level: str
    limit: str
    words: str  # with {value} and {limit}
    percent: float = 100.0

    def limit_in(self, seen: Evidence) -> int | None:
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
    """An accept queue longer than its backlog: the kernel lets in one more than that."""

    def shows(self, seen: Evidence) -> str:
        queued, backlog = seen.levels.get("accept_queue"), seen.levels.get("accept_backlog")
        if queued is None or backlog is None or queued <= backlog:
            return ""
        return f"{queued:,} wait in a queue with a backlog of {backlog:,}"

    def known(self, seen: Evidence) -> bool:
        return "accept_queue" in seen.levels


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing more comes from the node, for a reason with these words in it."""

    words: str = ""

    def shows(self, seen: Evidence) -> str:
        return seen.lost if self.words in seen.lost else ""

    def known(self, _: Evidence) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing came from the node for so long; samples come at least once a second."""

    seconds: float

    def shows(self, seen: Evidence) -> str:
        return f"nothing for {seen.silent_seconds:.0f} s" if seen.silent_seconds >= self.seconds else ""

    def known(self, _: Evidence) -> bool:
        return True


class Dropped:
    """Connections that were established and lost, by cause; one of these is enough."""

    def __init__(self, *causes: str) -> None:
        self.causes = causes

    def shows(self, seen: Evidence) -> str:
        found = [(cause, seen.dropped.get(cause, 0)) for cause in self.causes]
        told = ", ".join(f"{count:,} {cause}" for cause, count in found if count)
        return f"{told}; it said first: {seen.heard}" if told and seen.heard else told

    def known(self, _: Evidence) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class NodeSaid:
    """The node's own sentence, of what it gave up or which of its processes ended, with this in it."""

    words: str

    def shows(self, seen: Evidence) -> str:
        return "; ".join(sentence for sentence in seen.told if self.words in sentence)

    def known(self, _: Evidence) -> bool:
        return True
