"""Compares the counts of all nodes, once no connection is on its way any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from c1m.coordinator.fleet.nodes import Nodes, TargetNode, WorkerNode
from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.results.comparison import Comparison
from c1m.coordinator.results.reconciliation import Counts, reconcile
from c1m.coordinator.summary.reconciliation import Probed
from c1m.errors import C1mError
from c1m.measure.sample import Inspection, Reading

from .lost_nodes import LostNodes
from .state import RunState
from .watch import SETTLE_SECONDS, Watch

PROBE_SAMPLE = 2000  # connections of the fleet: few enough for a queue of packets, enough to find 1 ghost in 500


class Comparer:
    """Compares the connection counts of clients, server and kernels in one run."""

    def __init__(self, state: RunState, watch: Watch, losses: LostNodes) -> None:
        self.state = state
        self.watch = watch
        self.losses = losses

    @property
    def ledger(self) -> Ledger:
        return self.state.ledger

    async def compare(self) -> Comparison:
        """Return a comparison of the present connection counts of all nodes.

        The comparison is repeated if this coordinator stood still meanwhile for so long that nodes may have closed.
        """
        while True:
            await self.watch.heard_again()
            await self.losses.unless_over()
            pause, found = self.watch.detector.pause, await self.compare_now()
            self.watch.detector.wake(self.state.clock.now())
            stood_still = self.watch.detector.pause
            if stood_still is pause or stood_still is None or stood_still.seconds < self.state.spec.lease:
                return found

    async def compare_now(self) -> Comparison:
        """Return one comparison of the connection counts of all nodes.

        If connections wait in accept queues, the comparison is made again after the server has had time to accept them.
        """
        if accepting := self.ledger.accepting:
            await self.watch.settle(Doing.COMPARING, lambda: accepting.sample.tally.open, lambda: self.ledger.established)
            if self.state.spec.turnover:  # a connection that has come and gone in between is in no count of open ones
                await self.watch.settle(
                    Doing.COMPARING, lambda: accepting.sample.tally.opened, lambda: self.ledger.tally.opened
                )
        found = await compare(self.state.nodes, self.ledger, self.state.read)
        if not found.reconciliation.awaiting_accept:
            return found
        await self.drain_queues()
        return await compare(self.state.nodes, self.ledger, self.state.read)

    async def drain_queues(self) -> None:
        """Wait until the target's accept queues are empty or stop getting shorter. Returns nothing.

        The wait is at most as long as a client waits for a connection. An observed server does not report what it accepts, so
        its queues are the only sign.
        """
        deadline = self.state.clock.now() + self.state.spec.connect_timeout + SETTLE_SECONDS
        shortest = self.queued()
        while shortest:
            patience = min(SETTLE_SECONDS, deadline - self.state.clock.now())
            if not await self.watch.wait(Doing.COMPARING, lambda: self.queued() < shortest, lambda: None, patience):  # noqa: B023
                return
            shortest = self.queued()

    def queued(self) -> int:
        """Return the number of connections in the target's fullest accept queue, by the newest reading; 0 without a reading."""
        target = self.ledger.target
        last = target.history.last if target else None
        return last.levels.get("accept_queue", 0) if last else 0

    async def probe(self) -> Probed:
        """Return how many connections of a sample the peers' kernels answered for, and how many of those they do not know.

        Raises C1mError when a worker does not answer.
        """
        names = [entry.name for entry in self.ledger.workers if not entry.lost]
        most = -(-PROBE_SAMPLE // max(len(names), 1))
        answers = await asyncio.gather(*(self.state.nodes.workers[name].probe(self.state.run_id, most) for name in names))
        return Probed(sum(probed for probed, _ in answers), sum(ghosts for _, ghosts in answers))


async def inspect(node: WorkerNode | TargetNode, run_id: str) -> Inspection:
    """Return what a node and its kernel count now.

    If the node does not answer, all counts are unknown (None), and the result has the reason.
    """
    try:
        return await node.inspect(run_id)
    except C1mError as error:
        return Inspection(unknown=(str(error),))


async def compare(nodes: Nodes, ledger: Ledger, read: Callable[[NodeRecord, Reading], None]) -> Comparison:
    """Return a comparison of the counts of all nodes that are not lost, after asking each of them.

    ``read`` receives the host reading that each node takes for the comparison.
    """
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
        acceptors_full=accepting.sample.full_acceptors if accepting else 0,
        lost=sum(entry.sample.tally.open for entry in ledger.workers if entry.lost),
    )
    unknown = [f"{name}: unknown: {reason}" for name, inspection in found.items() for reason in inspection.unknown]
    unknown += [loss.sentence() for loss in ledger.losses.values()]
    full = accepting.sample.full_acceptors if accepting else None
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
