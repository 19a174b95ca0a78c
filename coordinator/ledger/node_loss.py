"""The loss of a node: why, when, its share, and which workers took the share over. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from c1m.coordinator.summary.nodes import LossSummary
from c1m.text.units import format_duration

from .loss_reason import LossReason
from .loss_sentences import loss_sentence


@dataclass
class NodeLoss:
    """Why and when a node was lost, its share, and which workers took it over.

    A loss is final for the run: later samples of the node do not count.
    """

    node: str
    why: LossReason
    at_seconds: float | None  # since the start; None: before it
    share: int | None  # connections planned there, with those taken over from others; None: the target
    taken_by: Mapping[str, int] = field(default_factory=dict)  # worker -> connections
    not_taken: str = ""  # why some were not taken over; empty: all were, or it was not tried

    @property
    def reason(self) -> str:
        """Why the node was lost, as a sentence that names the node."""
        return loss_sentence(self.node, self.why)

    def move(self, taken_by: Mapping[str, int], not_taken: str) -> None:
        """Record how many connections other workers have taken over, and why not all of them; empty: all. Returns nothing."""
        self.taken_by, self.not_taken = dict(taken_by), not_taken

    def grow(self, count: int) -> None:
        """Add connections to the share, which the node had taken over before it was lost. Returns nothing."""
        self.share = (self.share or 0) + count

    @property
    def taken(self) -> int:
        """The number of connections of the lost node that other workers have taken over."""
        return sum(self.taken_by.values())

    @property
    def made_good(self) -> bool:
        """True if other workers have taken over all connections of the lost node."""
        return self.share == self.taken

    @property
    def when(self) -> str:
        """The time of the loss as text, such as "12 s into the run" or "before the start"."""
        return "before the start" if self.at_seconds is None else f"{format_duration(round(self.at_seconds, 1))} into the run"

    def sentence(self) -> str:
        """Return a sentence for people: when and why the node was lost, and what that means for the run."""
        cause = f"lost {self.when}: {self.reason}"
        if cause.endswith("?"):  # a question ends a sentence
            return f"{cause} {self.meaning[0].upper()}{self.meaning[1:]}"
        return f"{cause}; {self.meaning}"

    @property
    def meaning(self) -> str:
        """The consequence of the loss for the run, as text: what is not counted, or which workers took over the share."""
        if self.share is None:
            return "what the server holds is unknown since then"
        if not self.taken_by:
            share = f"its share of {self.share:,} connections is not counted since then"
        else:
            takers = ", ".join(f"{name} {count:,}" for name, count in self.taken_by.items())
            share = f"of its share of {self.share:,} connections others have taken over: {takers}"
        return share + (f"; not taken over: {self.not_taken}" if self.not_taken else "")

    def to_summary(self) -> LossSummary:
        """Return the loss as the summary has it."""
        return LossSummary(
            self.node, self.reason, self.at_seconds, self.share, self.taken_by, self.not_taken or None, self.why.kind.value
        )
