"""A comparison: what workers, target and kernels count at one moment, while nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.summary.reconciliation import Reconciliation
from c1m.measure.sample import Inspection

from .reconciliation import Counts, reconcile


@dataclass(frozen=True, slots=True)
class Comparison:
    """The connections that were open at one moment, as each side counted them. None is unknown."""

    established: int
    by_worker: Mapping[str, int]
    target_open: int | None
    acceptors_full: int | None  # acceptors that accept no more because their descriptors are used up
    inspections: Mapping[str, Inspection]  # by node; the readings in them are in the history of each node as well
    reconciliation: Reconciliation
    closed: int = 0  # closed by the workers until then, because the schedule fell or turnover asked for it
    away: int = 0  # seats whose successors are not due yet
    waiting: int = 0  # seats whose successors wait for another try
    half_closed: int = 0  # connections that clients keep although the server has closed its side


def of_samples(ledger: Ledger) -> Comparison:
    """Return a comparison of both sides' connection counts by the newest samples, without asking any node.

    The samples may be half a second apart.
    """
    by_worker = {entry.name: entry.sample.tally.open for entry in ledger.workers if not entry.lost}
    target = ledger.accepting
    target_open = target.sample.tally.open if target else None
    counts = Counts(ledger.established, None, target_open, None, None)
    full = target.sample.full_acceptors if target else None
    return Comparison(ledger.established, by_worker, target_open, full, {}, reconcile(counts, ()))
