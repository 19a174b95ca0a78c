"""What a run begins with once its nodes have described themselves: its plan and an empty ledger, or why it cannot be. Pure.

A coordinator makes it when a run begins, and again from the journal when a run is read or taken over.
"""

from __future__ import annotations

from dataclasses import dataclass

from c1m.coordinator.fleet.survey import Survey, preflight_of
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.limit_usage import LimitUsages
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.planning.plan import Plan
from c1m.coordinator.planning.preflight import Preflight
from c1m.coordinator.spec.spec import RunSpec


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """The plan of a run, and the ledger that its samples are taken into."""

    preflight: Preflight
    plan: Plan | None  # None: the run does not fit
    ledger: Ledger | None  # None: the run does not fit
    limit_usages: LimitUsages
    refusals: tuple[str, ...]  # why it does not fit; empty: it does


def plan_run(spec: RunSpec, surveyed: Survey) -> PlannedRun:
    """Return the plan of a run on the surveyed nodes, with an empty ledger for them."""
    preflight = preflight_of(spec, surveyed)
    plan, refusals = preflight.plan()
    ledger = empty_ledger(spec, surveyed, plan) if plan else None
    return PlannedRun(preflight, plan, ledger, LimitUsages(preflight.members if plan else ()), tuple(refusals))


def empty_ledger(spec: RunSpec, surveyed: Survey, plan: Plan) -> Ledger:
    """Return an empty ledger for the nodes of ``plan``."""
    hosts, target = surveyed.workers, surveyed.target
    workers = (NodeRecord(worker.name, worker.planned, hosts[worker.name].host.namespace) for worker in plan.workers)
    server = NodeRecord(surveyed.target_name, plan.total, target.host.namespace) if target else None
    return Ledger(workers, server, spec.schedule, accepting=target is not None and not spec.endpoint)
