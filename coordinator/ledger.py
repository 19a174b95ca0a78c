"""The ledger: the newest sample of every node, and what follows from them. A fold; it looks at no clock and no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from c1m.latency import joined
from c1m.node import Phase, Sample
from c1m.tally import Tally, total

from .history import History


@dataclass
class Entry:
    """One node."""

    name: str
    planned: int
    sample: Sample = field(default_factory=lambda: Sample(Phase.PREPARED))
    peak: int = 0  # most connections open at once, of the moments that were seen
    lost: str = ""  # why nothing more will come from it; empty while something does
    history: History = field(default_factory=History)
    histograms: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # the newest that came

    @property
    def heard(self) -> str:
        """The beginning of the first that the server said to the node; empty when it said nothing."""
        return self.sample.heard.decode("utf-8", "backslashreplace")

    def take(self, sample: Sample) -> None:
        self.sample = sample
        if sample.reading:
            self.history.take(sample.reading)
        self.histograms = sample.histograms or self.histograms
        self.peak = max(self.peak, sample.tally.open)


class Ledger:
    """Workers, and the target if there is one."""

    def __init__(self, workers: Iterable[Entry], target: Entry | None) -> None:
        self.workers = list(workers)
        self.target = target
        self.peak = 0

    @property
    def entries(self) -> list[Entry]:
        return [*self.workers, *([self.target] if self.target else [])]

    def take(self, entry: Entry, sample: Sample) -> None:
        entry.take(sample)
        self.peak = max(self.peak, self.established)

    @property
    def planned(self) -> int:
        return sum(entry.planned for entry in self.workers)

    @property
    def established(self) -> int:
        """Connections that the workers have open; a lost worker's are not known, and so not counted."""
        return sum(entry.sample.tally.open for entry in self.workers if not entry.lost)

    @property
    def in_use(self) -> int:
        """Connections that the workers have open or are opening."""
        tallies = [entry.sample.tally for entry in self.workers if not entry.lost]
        return sum(tally.open + tally.in_flight for tally in tallies)

    @property
    def tally(self) -> Tally:
        return total(entry.sample.tally for entry in self.workers)

    def histogram(self, name: str) -> Mapping[int, int]:
        """Microseconds -> how many, of all workers."""
        return joined(entry.histograms.get(name, {}) for entry in self.workers)

    @property
    def ramp_seconds(self) -> float:
        """From the start to the newest opening, each worker by its own clock, the slowest of them."""
        return max((entry.sample.opened_within_ns for entry in self.workers), default=0) / 1e9

    @property
    def heard(self) -> str:
        """The beginning of the first that the server said; empty when it said nothing."""
        return next((entry.heard for entry in self.workers if entry.heard), "").strip()

    def all_at(self, phase: Phase, entries: Iterable[Entry] | None = None) -> bool:
        """Whether every node that is not lost is at least that far."""
        chosen = self.entries if entries is None else entries
        return all(entry.lost or entry.sample.phase >= phase for entry in chosen)

    def any_of(self, told: Callable[[Entry], str]) -> list[str]:
        return [f"{entry.name}: {text}" for entry in self.entries if (text := told(entry))]

    @property
    def troubles(self) -> list[str]:
        """What ended that should not have, and what was given up: a sentence each."""
        obituaries = [f"{entry.name}: {text}" for entry in self.entries for text in entry.sample.obituaries]
        lost = [entry.lost for entry in self.entries if entry.lost]  # sentences that name their node
        return lost + obituaries + self.any_of(lambda entry: entry.sample.halted)
