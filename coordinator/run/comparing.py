"""The comparer: sees to it that nothing is on its way any more, and compares then."""

from __future__ import annotations

import asyncio
import time

from c1m.coordinator.fleet.nodes import Nodes
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.results.comparison import Comparison, compare
from c1m.coordinator.results.outcome import Probed
from c1m.coordinator.spec.spec import RunSpec

from .lost_nodes import Losses
from .watch import Watch

PROBE_SAMPLE = 2000  # connections of the fleet: few enough for a queue of packets, enough to find 1 ghost in 500


class Comparer:
    """Of one run."""

    def __init__(self, spec: RunSpec, nodes: Nodes, watch: Watch, losses: Losses) -> None:
        self.spec = spec
        self.nodes = nodes
        self.watch = watch
        self.losses = losses

    @property
    def ledger(self) -> Ledger:
        return self.watch.ledger

    async def compare(self) -> Comparison:
        """Of what is so now. While a coordinator stands still nodes may close, and what it has heard of them is old."""
        while True:
            await self.watch.heard_again()
            await self.losses.unless_over()
            pause, found = self.watch.vitality.pause, await self.compare_now()
            self.watch.vitality.wake(time.monotonic())
            stood_still = self.watch.vitality.pause
            if stood_still is pause or stood_still is None or stood_still.seconds < self.spec.lease:
                return found

    async def compare_now(self) -> Comparison:
        if accepting := self.ledger.accepting:
            await self.watch.settle("comparing", lambda: accepting.sample.tally.open, lambda: self.ledger.established)
            if self.spec.turnover:  # who came and went in between is in no count of those who are open
                await self.watch.settle("comparing", lambda: accepting.sample.tally.opened, lambda: self.ledger.tally.opened)
        return await compare(self.nodes, self.ledger, self.watch.read)

    async def probe(self) -> Probed:
        names = [entry.name for entry in self.ledger.workers if not entry.lost]
        most = -(-PROBE_SAMPLE // max(len(names), 1))
        answers = await asyncio.gather(*(self.nodes.workers[name].probe(self.nodes.run_id, most) for name in names))
        return Probed(sum(probed for probed, _ in answers), sum(ghosts for _, ghosts in answers))
