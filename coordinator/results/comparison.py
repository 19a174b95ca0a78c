"""A comparison: everybody who counts is asked, while nothing changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from c1m.coordinator.fleet.clients import Target, Worker
from c1m.coordinator.fleet.nodes import Nodes
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.node_record import Entry
from c1m.errors import C1mError
from c1m.measure.reading import Reading
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


async def compare(nodes: Nodes, ledger: Ledger, read: Callable[[Entry, Reading], None]) -> Comparison:
    """``read`` takes what a node's host said when it was asked."""
    established, tally, there, accepting = ledger.established, ledger.tally, ledger.there.tally, ledger.accepting
    by_worker = {entry.name: entry.sample.tally.open for entry in ledger.workers if not entry.lost}
    entries = [entry for entry in ledger.entries if not entry.lost]
    answers = await asyncio.gather(*(inspect(nodes[entry.name], nodes.run_id) for entry in entries))
    found = dict(zip((entry.name for entry in entries), answers, strict=True))
    for entry in entries:
        if reading := found[entry.name].reading:
            read(entry, reading)
    found = {name: replace(inspection, reading=None) for name, inspection in found.items()}
    at_target = found.get(ledger.target.name, Inspection()) if ledger.target else Inspection()
    clients = [found[name].established for name in by_worker]
    counts = Counts(
        client=established,
        client_kernel=None if None in clients else sum(count for count in clients if count is not None),
        client_opened=ledger.tally.opened,
        accepted=accepting.sample.tally.opened if accepting else None,
        target_open=accepting.sample.tally.open if accepting else None,
        target_kernel=at_target.established,
        in_accept_queues=at_target.in_accept_queues,
        half_closed=at_target.half_closed,
        in_syn_queues=at_target.in_syn_queues,
        acceptors_full=accepting.sample.full if accepting else 0,
        lost=sum(entry.sample.tally.open for entry in ledger.workers if entry.lost),
    )
    unknown = [f"{name}: unknown: {reason}" for name, inspection in found.items() for reason in inspection.unknown]
    unknown += [loss.sentence() for loss in ledger.losses.values()]
    full = accepting.sample.full if accepting else None
    found_out = reconcile(counts, unknown)
    return Comparison(
        established,
        by_worker,
        counts.target_open,
        full,
        found,
        found_out,
        tally.closed,
        there.away,
        there.waiting,
        there.half_closed,
    )


def of_samples(ledger: Ledger) -> Comparison:
    """By what the nodes have told of themselves: cheap, and of moments that may be half a second apart."""
    by_worker = {entry.name: entry.sample.tally.open for entry in ledger.workers if not entry.lost}
    target = ledger.accepting
    target_open = target.sample.tally.open if target else None
    counts = Counts(ledger.established, None, target_open, None, None)
    full = target.sample.full if target else None
    return Comparison(ledger.established, by_worker, target_open, full, {}, reconcile(counts, ()))


async def inspect(node: Worker | Target, run_id: str) -> Inspection:
    try:
        return await node.inspect(run_id)
    except C1mError as error:
        return Inspection(unknown=(str(error),))
