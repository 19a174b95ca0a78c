"""A comparison: everybody who counts is asked, while nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from c1m.coordinator.ledger.ledger import Ledger
from c1m.measure.sample import Inspection

from .reconciliation import Counts, Reconciliation, reconcile


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was open at one moment, by those who held it."""

    established: int
    by_worker: Mapping[str, int]
    target_open: int | None
    acceptors_full: int | None  # acceptors that take no more, for want of descriptors
    inspections: Mapping[str, Inspection]  # their readings are in the history of each node
    reconciliation: Reconciliation
    closed: int = 0  # until then, by the workers, since the schedule fell or as turnover asked
    away: int = 0  # seats whose successors are not due yet
    waiting: int = 0  # seats whose successors wait for another try
    half_closed: int = 0  # connections that stay, whose server has closed its side


def of_samples(ledger: Ledger) -> Comparison:
    """By what the nodes have told of themselves: cheap, and of moments that may be half a second apart."""
    by_worker = {entry.name: entry.sample.tally.open for entry in ledger.workers if not entry.lost}
    target = ledger.accepting
    target_open = target.sample.tally.open if target else None
    counts = Counts(ledger.established, None, target_open, None, None)
    full = target.sample.full if target else None
    return Comparison(ledger.established, by_worker, target_open, full, {}, reconcile(counts, ()))
