"""Moves the shares of lost workers to the remaining workers, one share after the other, while the run goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.planning.redistribution import (
    AddedShard,
    Arc,
    Holding,
    Move,
    Survivors,
    can_be_of,
    holdings_after,
    left_over,
    redistribute,
)
from c1m.errors import C1mError, RefusedError, UnreachableError
from c1m.schedule.ring import RingShare

from .state import RunState
from .watch import Watch, reason_of_error

LOOK_SECONDS = 0.1
GONE_SECONDS = 3.0  # for a target to notice that the connections of a dead worker are closed


class ShareMover:
    """Moves the shares of lost workers of one run to other workers.

    The share of every worker follows from the plan and the recorded moves.
    """

    def __init__(self, state: RunState, watch: Watch) -> None:
        self.state = state
        self.watch = watch
        self.turn = asyncio.Lock()
        self.ready = asyncio.Event()  # all workers have been asked to start; before that, none takes more

    async def move(self, entry: NodeRecord) -> None:
        """Move the share of a lost worker to other workers, as far as it fits. Returns nothing.

        Records how many connections each of them took over, and why not all.
        """
        await self.ready.wait()
        async with self.turn:
            reason = await self.hand_over(entry)
        taken = Counter[str]()
        for move in self.moves_of(entry):
            taken[move.taker] += move.size if move.taken else 0
        self.watch.move(entry, +taken, reason)

    async def hand_over(self, entry: NodeRecord) -> str:
        """Ask other workers to take over the share of a lost worker.

        Returns why a part of the share was not taken over, as text; empty if all of it was.
        """
        if self.state.outcome.plan is None or self.state.outcome.destinations is None:
            return "this coordinator took the run over, and the journal does not record where the target listens"
        if self.state.outcome.takeovers:
            await self.ask_again(entry)
            if unrecorded := self.with_unrecorded_moves():
                return f"{', '.join(unrecorded)} took over more than is in the journal, which ended too early"
        refusing, refusals = set[str](), ""
        while arcs := self.left_over(entry):
            try:
                moves = self.plan_move(arcs, refusing, await self.still_open())
            except RefusedError as refused:
                return "; ".join(filter(None, (refusals, str(refused))))
            for name, answer in (await self.ask(entry, moves)).items():
                if answer is not None:
                    refusing.add(name)
                    refusals = str(answer)
        await self.until_sampled(move.taker for move in self.moves_of(entry) if move.taken)
        return ""

    async def ask_again(self, entry: NodeRecord) -> None:
        """Repeat those requests to take over a lost worker's share whose answers a previous coordinator did not record.

        Returns nothing.
        """
        moves = {move.taker: move.more for move in self.moves_of(entry) if move.taken is None}
        answers = await self.ask(entry, {name: more for name, more in moves.items() if not self.state.ledger.entry(name).lost})
        await self.until_sampled(name for name, answer in answers.items() if answer is None)

    def with_unrecorded_moves(self) -> list[str]:
        """Return the names of the workers whose samples do not agree with the shares that the recorded moves give them."""
        schedule, version, holdings = self.state.ledger.schedule, self.state.ledger.revisions[-1].version, self.holdings

        def is_so(entry: NodeRecord) -> bool:
            sample = entry.sample
            if entry.lost or sample.scheduled is None or sample.schedule_version != version:
                return False
            shares = [RingShare(self.state.spec.total, *arc) for arc in holdings[entry.name].arcs]
            return not can_be_of(shares, schedule, sample.elapsed_ns, sample.scheduled)

        return [entry.name for entry in self.state.ledger.workers if is_so(entry)]

    def moves_of(self, entry: NodeRecord) -> list[Move]:
        """Return all recorded moves of a lost worker's share to other workers, with those that were refused."""
        return [move for move in self.state.outcome.moves if move.lost == entry.name]

    @property
    def holdings(self) -> dict[str, Holding]:
        """The part of the run that each worker has after all recorded moves, by name of the worker.

        A lost worker has the part that it had before the loss.
        """
        assert self.state.outcome.plan is not None
        return holdings_after(self.state.outcome.plan, self.state.outcome.moves)

    def left_over(self, entry: NodeRecord) -> list[Arc]:
        """Return the part of a lost worker's share that no other worker has taken over, as arcs of the ring."""
        taken = [arc for move in self.moves_of(entry) if move.taken for arc in move.arcs]
        return left_over(self.holdings[entry.name].arcs, taken)

    def plan_move(self, arcs: Sequence[Arc], refusing: set[str], still_open: int) -> dict[str, list[AddedShard]]:
        """Return which shards to add on which worker so that the given arcs are taken over: worker -> shards.

        ``refusing``: workers that have refused a part. ``still_open``: connections of lost workers at the target. Raises
        RefusedError when the arcs do not fit.
        """
        plan, preflight = self.state.outcome.plan, self.state.outcome.preflight
        assert plan is not None
        assert preflight is not None
        gone, holdings = {entry.name for entry in self.state.ledger.workers if entry.lost}, self.holdings
        there = {name: holding for name, holding in holdings.items() if name not in gone}
        scene = Survivors(
            left={name: holding for name, holding in there.items() if name not in refusing},
            others={name: holding for name, holding in there.items() if name in refusing},
            lost={name: holding for name, holding in holdings.items() if name in gone},
            still_open=still_open,
            acceptors=plan.acceptors,
            destinations=len(plan.destinations),
        )
        return redistribute(arcs, scene, {worker.name: worker for worker in preflight.workers}, preflight.fleet.target)

    async def still_open(self) -> int:
        """Return how many connections of lost workers the target may still have: those beyond the count of all other workers.

        The kernel closes the connections of a worker that died, which takes a moment: the wait is up to GONE_SECONDS. A worker
        that is stopped or cut off keeps them. Raises RefusedError if the target is lost, too.
        """
        if self.state.spec.endpoint:
            return 0  # unknown, so nothing is moved: see redistribution.py
        deadline = asyncio.get_running_loop().time() + GONE_SECONDS
        while True:
            target = self.state.ledger.accepting
            if target is None:
                raise RefusedError("the target is lost, too, so its room for more connections is unknown")
            beyond = max(target.sample.tally.open - self.state.ledger.in_use, 0)
            if not beyond or asyncio.get_running_loop().time() > deadline:
                return beyond
            await asyncio.sleep(LOOK_SECONDS)

    async def ask(self, entry: NodeRecord, moves: Mapping[str, Sequence[AddedShard]]) -> dict[str, C1mError | None]:
        """Ask each of the given workers to add its new shards. Return the error of each by name, None for one that added them.

        A worker that did not answer may have taken its part, so it is declared lost. The request is in the journal before a
        worker is asked: a coordinator that takes the run over repeats it, which changes nothing where it was done.
        """
        for name, more in moves.items():
            self.state.outcome.note_move(Move(entry.name, name, tuple(more)))
        await self.state.recorder.written()
        calls = (self.add_shards(name, more) for name, more in moves.items())
        answers = await asyncio.gather(*calls, return_exceptions=True)
        results: dict[str, C1mError | None] = {}
        for (name, more), answer in zip(moves.items(), answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, C1mError):
                raise answer
            if isinstance(answer, UnreachableError):
                self.watch.lose(self.state.ledger.entry(name), reason_of_error(answer))
            results[name] = answer
            self.state.outcome.note_move(Move(entry.name, name, tuple(more), taken=answer is None))
        return results

    async def add_shards(self, name: str, more: Sequence[AddedShard]) -> None:
        """Ask the worker called ``name`` to add new shards. Returns nothing. Raises C1mError."""
        assert self.state.outcome.destinations is not None
        await self.state.nodes.workers[name].add_shards(self.state.run_id, more, self.state.outcome.destinations)

    async def until_sampled(self, names: Iterable[str]) -> None:
        """Wait until the samples of the named workers include their new connections, or the workers are lost.

        The next sample may have been taken before the connections were added, the one after it was not. Returns nothing.
        """
        for entry in map(self.state.ledger.entry, names):
            for _ in range(2):
                seen = entry.sample
                while entry.sample is seen and not entry.lost:
                    await asyncio.sleep(LOOK_SECONDS)
