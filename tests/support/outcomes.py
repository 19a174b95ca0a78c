"""Outcomes of runs, as values: to their end, ended early, refused, not held."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.planning.capacity import TargetFacts, WorkerFacts
from c1m.coordinator.planning.plan import make_plan
from c1m.coordinator.results.comparison import Comparison
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.results.reconciliation import Counts, reconcile
from c1m.coordinator.results.summary import summarise
from c1m.coordinator.spec.spec import RunSpec
from c1m.coordinator.summary.codec import to_plain
from c1m.measure.phase import Phase
from c1m.measure.sample import Inspection, Sample
from c1m.measure.tally import Tally
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges

TOTAL = 2_000
THEN = datetime(2026, 11, 23, tzinfo=UTC)
WORKER, TARGET = "worker w:7100", "target t:7200"


def document(outcome: Outcome) -> dict[str, Any]:
    """Its summary, as JSON has it."""
    return to_plain(summarise(outcome))


def at_once() -> Outcome:
    """It ended before anything was planned."""
    return Outcome("r", RunSpec(TOTAL), THEN)


def finished(client: Tally | None = None, server_open: int | None = None, kernel: int | None = None) -> Outcome:
    """A run to its end, in which everything was reached, held and reconciled but for what is said."""
    client = client or Tally(attempted=TOTAL, opened=TOTAL)
    server_open = client.open if server_open is None else server_open
    kernel = server_open if kernel is None else kernel
    ledger = Ledger([NodeRecord(WORKER, TOTAL)], NodeRecord(TARGET, TOTAL))
    latency = {"connect_latency_us": {150: client.opened}}
    worker = Sample(Phase.HOLDING, client, opened_within_ns=4 * 10**9, histograms=latency)
    ledger.take(ledger.workers[0], worker)
    assert ledger.target
    ledger.take(ledger.target, Sample(Phase.HOLDING, Tally(opened=server_open)))
    sources = AddressPool((AddressBlock(10 << 24, 100, 4),))
    facts = WorkerFacts(WORKER, "h 1", 2, 20_000, sources, PortRanges(((1024, 9999),)))
    inspections = {
        WORKER: Inspection(established=client.open, pss_bytes=8_000_000),
        TARGET: Inspection(established=kernel, in_accept_queues=0, unknown=("memory: /proc is hidden",)),
    }
    counts = Counts(client.open, client.open, server_open, kernel, 0, client_opened=client.opened, accepted=server_open)
    return Outcome(
        "r",
        RunSpec(TOTAL),
        THEN,
        ended_at=THEN,
        plan=make_plan(TOTAL, [facts], TargetFacts(TARGET, 2, 20_000, 100)),
        ledger=ledger,
        hold_end=Comparison(
            established=client.open,
            by_worker={WORKER: client.open},
            target_open=server_open,
            acceptors_full=0,
            inspections=inspections,
            reconciliation=reconcile(counts, []),
        ),
        teardown_seconds=0.5,
        left_open=0,
    )


def refused() -> Outcome:
    outcome = at_once()
    outcome.refusals = ("2,000 connections need as many 4-tuples, but there are 10",)
    return outcome


def ended_early() -> Outcome:
    outcome = finished()
    outcome.hold_end = None
    return outcome


def not_held() -> Outcome:
    return finished(Tally(attempted=TOTAL, opened=TOTAL, dropped={"peer_reset": 7}))
