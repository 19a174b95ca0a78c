"""The policy for lost nodes, --on-loss: other workers take over, the run goes on without them, or it ends.

A lost worker is asked to close as soon as it can be reached.
"""

from __future__ import annotations

import asyncio

from c1m.coordinator.ledger.loss_reason import LossKind
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.spec.words import OnLoss
from c1m.errors import C1mError, UnreachableError

from .moving_shares import ShareMover
from .state import RunState
from .watch import Watch

AGAIN_SECONDS = 0.5  # between two tries to reach a lost worker
BEYOND_SECONDS = 5.0  # added to the lease: a worker that can run has noticed by then that its lease is over


class LostNodes:
    """Handles the loss of nodes of one run by the policy of --on-loss.

    The event ``over`` is set when a loss ends the run before it closes.
    """

    def __init__(self, state: RunState, watch: Watch) -> None:
        self.state = state
        self.watch = watch
        self.over = asyncio.Event()
        self.mover = ShareMover(state, watch)
        self.moves: list[asyncio.Task[None]] = []
        self.close_requests: list[asyncio.Task[None]] = []
        watch.tell_of_losses(self.take)

    def take(self, entry: NodeRecord) -> None:
        """Begin to handle the loss of one node by the policy of --on-loss; a lost worker is asked to close, too.

        The watch calls this method once for each lost node. Returns nothing.
        """
        ledger, policy = self.state.ledger, self.state.spec.on_loss
        if entry is not ledger.target and not has_left(entry):
            self.close_requests.append(asyncio.create_task(self.ask_to_close(entry)))
        if self.state.closing:
            return
        if not self.state.started:
            self.over.set()
        elif all(worker.lost for worker in ledger.workers):
            self.end_run("no worker is left: the run ends here")
        elif policy is OnLoss.ABORT:
            self.end_run("aborted: a node was lost, and the run was started with --on-loss abort")
        elif policy is OnLoss.REDISTRIBUTE and entry is not ledger.target and self.state.moves_shares:
            self.moves.append(asyncio.create_task(self.mover.move(entry)))

    def take_up(self) -> None:
        """Go on handling the losses that a previous coordinator of the run had not finished handling. Returns nothing."""
        for entry in self.state.ledger.workers:
            if not entry.lost:
                continue
            if not has_left(entry):
                self.close_requests.append(asyncio.create_task(self.ask_to_close(entry)))
            loss = self.state.ledger.losses[entry.name]
            handled = bool(loss.taken_by or loss.not_taken)
            if self.state.spec.on_loss is OnLoss.REDISTRIBUTE and not (handled or self.state.closing):
                self.moves.append(asyncio.create_task(self.mover.move(entry)))

    def end_run(self, reason: str) -> None:
        """End the run before its time. The reason is shown to the user and goes into the summary. Returns nothing."""
        self.state.outcome.trouble(reason)
        self.state.say(reason)
        self.over.set()

    async def unless_over(self) -> None:
        """Return at once, or never if a loss has ended the run: the task that calls this method is about to be cancelled."""
        if self.over.is_set():
            await asyncio.Event().wait()

    @property
    def moving(self) -> bool:
        """True if other workers are taking over shares now. Raises the error of a move that has failed."""
        for done in [move for move in self.moves if move.done()]:
            self.moves.remove(done)
            done.result()
        return bool(self.moves)

    def check(self) -> None:
        """Raise UnreachableError if a node was lost before the run started. Returns nothing."""
        if not self.state.started:
            for entry in self.state.ledger.entries:
                if entry.lost:
                    raise UnreachableError(self.state.ledger.losses[entry.name].reason)

    async def ask_to_close(self, entry: NodeRecord) -> None:
        """Ask a lost worker to close its connections, which are not counted any more. Returns nothing.

        The worker is asked again until it answers or its lease has ended. A lost target is not asked: its connections belong to
        clients that go on as long as the target keeps them.
        """
        deadline = self.state.clock.now() + self.state.spec.lease + BEYOND_SECONDS
        node = self.state.nodes.workers[entry.name]
        while self.state.clock.now() < deadline:
            try:
                await node.stop(self.state.run_id, self.state.spec.close, 0)
            except UnreachableError:
                await asyncio.sleep(AGAIN_SECONDS)
            except C1mError:
                return  # the run is over there
            else:
                self.state.say(f"{entry.name} could be reached again; it closes its connections of the run")
                return

    async def end(self) -> None:
        """Cancel all moves of shares and all requests to close that are not finished. Returns nothing."""
        for task in (*self.close_requests, *self.moves):
            task.cancel()
        await asyncio.gather(*self.close_requests, *self.moves, return_exceptions=True)


def has_left(entry: NodeRecord) -> bool:
    """Return whether a node is lost because it closes its connections by itself, so that it need not be asked to."""
    return entry.lost is not None and entry.lost.kind is LossKind.LEFT
