"""The end of a run: the clients close first, then the target; when nothing is open, all processes end at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from c1m.coordinator.fleet.nodes import TargetNode
from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.measure.phase import Close, Phase

from .state import RunState
from .watch import Watch, failed_calls, reason_of_error

CLOSE_SECONDS = 180.0  # for a fleet to close its connections; ten times what two million on one host took


class Closing:
    """Closes all nodes of one run: the clients first, then the target."""

    def __init__(self, state: RunState, watch: Watch) -> None:
        self.state = state
        self.watch = watch

    @property
    def ledger(self) -> Ledger:
        return self.state.ledger

    async def close(self, began: float | None = None) -> None:
        """Close the clients first, then let the target close what is left.

        The target is asked as soon as nothing is open: a process with a full descriptor table takes time to end, and those
        of workers and target can end at the same time. ``began``: when another coordinator began to close, on the monotonic
        clock; None: closing begins now.
        """
        state, spec, started = self.state, self.state.spec, self.state.started
        workers = [entry for entry in self.ledger.workers if entry.name in state.nodes.engaged and not entry.lost]
        if started and (spec.beating or spec.server_push):
            await self.ask(workers, lambda entry: state.nodes.workers[entry.name].stop_traffic(state.run_id))
        began = state.clock.now() if began is None else began
        rate = spec.close_rate / max(len(workers), 1)
        target, node = self.ledger.target, state.nodes.target
        resting = bool(started and self.ledger.accepting and (spec.close is Close.RESET or spec.server_push))
        if resting and target and node:
            await self.ask([target], lambda _: node.stop_accepting(state.run_id))
            await self.last_pushes(target)
        await self.ask(workers, lambda entry: state.nodes.workers[entry.name].stop(state.run_id, spec.close, rate))
        asked = [*workers, *([target] if target and target.name in state.nodes.engaged and not target.lost else [])]
        if target and node and target in asked:
            if started and self.ledger.accepting:
                await self.closed(workers, lambda: self.ledger.in_use == 0 and (resting or target.sample.tally.open == 0))
                if not resting:
                    await self.watch.settle(Doing.CLOSING, lambda: target.sample.tally.open, lambda: 0)
            else:
                await self.closed(workers)
            await self.ask([target], lambda _: self.stop_target(node))
        await self.closed(asked)
        if started:
            state.outcome.closed_within(state.clock.now() - began)

    async def last_pushes(self, target: NodeRecord) -> None:
        """Wait for pushes on their way to clients, which send nothing any more, so that both sides agree on every byte.

        Does nothing without server push.
        """
        if self.state.spec.server_push:
            received, sent = (lambda: self.ledger.tally.bytes_received), (lambda: target.sample.tally.bytes_sent)
            await self.watch.settle(Doing.QUIETENING, received, sent)

    async def stop_target(self, node: TargetNode) -> None:
        """Ask the target to close what is left. Records in the outcome how many connections its kernel still had.

        Returns nothing.
        """
        self.state.outcome.leave_open(await node.stop(self.state.run_id))

    async def ask(self, entries: Sequence[NodeRecord], stop: Callable[[NodeRecord], Coroutine[Any, Any, None]]) -> None:
        """Make the call ``stop`` to each of the given nodes, all at once. Returns nothing.

        A node whose call fails is declared lost; the end of its lease closes it.
        """
        answers = await asyncio.gather(*(stop(entry) for entry in entries), return_exceptions=True)
        for entry, error in failed_calls(entries, answers):
            self.state.outcome.trouble(f"could not be asked to close: {error}")
            self.watch.lose(entry, reason_of_error(error))
        for entry in entries:  # a lost node is not followed
            self.watch.follow(entry, self.state.nodes[entry.name], self.state.run_id)

    async def closed(self, entries: Sequence[NodeRecord], enough: Callable[[], bool] = lambda: False) -> None:
        """Wait until the given nodes have closed all connections and ended their processes, or ``enough`` returns True.

        Nodes that take longer than CLOSE_SECONDS are recorded as a trouble of the run. Returns nothing.
        """
        if not entries:
            return
        opened = max(sum(entry.sample.tally.open for entry in entries), 1)

        def share() -> float:
            return 1 - sum(entry.sample.tally.open for entry in entries) / opened

        def done() -> bool:
            return enough() or self.ledger.all_at(Phase.CLOSED, entries)

        if not await self.watch.wait(Doing.CLOSING, done, share, CLOSE_SECONDS):
            slow = ", ".join(late(entries))
            self.state.outcome.trouble(f"{slow} did not close within {CLOSE_SECONDS:.0f} s; the lease ends it")


def late(entries: Iterable[NodeRecord]) -> list[str]:
    """Return the names of those of the given nodes that have not closed and are not lost."""
    return [entry.name for entry in entries if not entry.lost and entry.sample.phase is not Phase.CLOSED]
