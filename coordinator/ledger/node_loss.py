"""A node that was lost: why, when, what it had, and who took it over. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from c1m.text.units import format_duration

LEFT = "closed what it had of the run"  # in the reason, where a node said so itself


@dataclass
class NodeLoss:
    """Final for the run: whatever the node says later, nobody counts it any more."""

    node: str
    reason: str  # a sentence that names the node
    at_seconds: float | None  # since the start; None: before it
    share: int | None  # connections that were to be open there, those taken over from others included; None: the target
    taken_by: Mapping[str, int] = field(default_factory=dict)  # worker -> connections
    not_taken: str = ""  # why some of them were not taken over; empty: nobody tried, or all were

    @property
    def taken(self) -> int:
        """Connections that others have taken over."""
        return sum(self.taken_by.values())

    @property
    def made_good(self) -> bool:
        """Whether others have all of its share."""
        return self.share == self.taken

    @property
    def when(self) -> str:
        return "before the start" if self.at_seconds is None else f"{format_duration(round(self.at_seconds, 1))} into the run"

    def sentence(self) -> str:
        told = f"lost {self.when}: {self.reason}"
        if told.endswith("?"):  # a question to a person ends a sentence
            return f"{told} {self.meaning[0].upper()}{self.meaning[1:]}"
        return f"{told}; {self.meaning}"

    @property
    def meaning(self) -> str:
        """For the run."""
        if self.share is None:
            return "what the server holds is unknown since then"
        if not self.taken_by:
            told = f"its share of {self.share:,} connections is not counted since then"
        else:
            takers = ", ".join(f"{name} {count:,}" for name, count in self.taken_by.items())
            told = f"of its share of {self.share:,} connections others have taken over: {takers}"
        return told + (f"; not taken over: {self.not_taken}" if self.not_taken else "")

    def to_summary(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "reason": self.reason,
            "at_seconds": self.at_seconds,
            "share": self.share,
            "taken_by": dict(self.taken_by),
            "not_taken": self.not_taken or None,
        }
