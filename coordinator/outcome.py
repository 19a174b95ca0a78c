"""All that is known of a run when it is over: what a summary is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from c1m.node import Host, Inspection

from .findings import Findings
from .fleet import TargetDescription, WorkerDescription
from .ledger import Ledger
from .plan import Plan
from .reconcile import Reconciliation
from .spec import RunSpec


@dataclass(frozen=True, slots=True)
class HoldEnd:
    """What was open when the hold ended, by those who held it."""

    established: int
    by_worker: dict[str, int]
    target_open: int | None


@dataclass
class Outcome:
    run_id: str
    spec: RunSpec
    started_at: datetime
    ended_at: datetime | None = None
    plan: Plan | None = None  # None: it ended before there was one
    ledger: Ledger | None = None
    workers: dict[str, WorkerDescription] = field(default_factory=dict)
    target: TargetDescription | None = None
    interrupted: bool = False
    refusal: str = ""  # why nothing was opened
    troubles: list[str] = field(default_factory=list)  # what went wrong outside of any connection
    hold_end: HoldEnd | None = None
    inspections: dict[str, Inspection] = field(default_factory=dict)
    findings: dict[str, Findings] = field(default_factory=dict)
    reconciliation: Reconciliation | None = None
    teardown_seconds: float | None = None
    left_open: int | None = None  # connections that the target still had after the workers had closed theirs

    def host_of(self, name: str) -> Host | None:
        """The host of a node that was described."""
        if name in self.workers:
            return self.workers[name].host
        return self.target.host if self.target else None


def unknown_of(inspections: Sequence[tuple[str, Inspection]]) -> list[str]:
    """What could not be known, and of which node."""
    return [f"{name}: unknown: {reason}" for name, inspection in inspections for reason in inspection.unknown]
