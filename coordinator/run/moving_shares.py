"""Moves the shares of lost workers to the remaining ones, one after another, while the run goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from c1m.coordinator.fleet.clients import Nodes
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
from c1m.coordinator.results.outcome import Outcome
from c1m.errors import C1mError, RefusedError, UnreachableError
from c1m.schedule.ring import RingShare

from .watch import Watch

LOOK_SECONDS = 0.1
GONE_SECONDS = 3.0  # for a target to see that the connections of a worker that died are gone, if they are


class ShareMover:
    """``move`` starts it. What every worker has follows from the plan and from what was moved."""

    def __init__(self, nodes: Nodes, watch: Watch, outcome: Outcome) -> None:
        self.nodes = nodes
        self.watch = watch
        self.outcome = outcome
        self.turn = asyncio.Lock()
        self.ready = asyncio.Event()  # all workers have been told to start: before, none takes more

    async def move(self, entry: NodeRecord) -> None:
        """Move all that a lost worker had, as far as it fits. What does not fit is recorded with the reason."""
        await self.ready.wait()
        async with self.turn:
            reason = await self.hand_over(entry)
        taken = Counter[str]()
        for move in self.moves_of(entry):
            taken[move.taker] += move.size if move.taken else 0
        self.watch.move(entry, +taken, reason)

    async def hand_over(self, entry: NodeRecord) -> str:
        """Move a share. Return why some of it was not taken over; empty: all was."""
        if self.outcome.plan is None or self.outcome.destinations is None:
            return "this coordinator took the run over from another, whose journal does not tell where its target listens"
        if self.outcome.takeovers:
            await self.ask_again(entry)
            if astray := self.astray():
                return f"{', '.join(astray)} took over more than the journal tells, which ended before its coordinator did"
        unwilling, refusals = set[str](), ""
        while arcs := self.left_over(entry):
            try:
                moves = self.plan_move(arcs, unwilling, await self.still_open())
            except RefusedError as refused:
                return "; ".join(filter(None, (refusals, str(refused))))
            for name, answer in (await self.ask(entry, moves)).items():
                if answer is not None:
                    unwilling.add(name)
                    refusals = str(answer)
        await self.heard_of(move.taker for move in self.moves_of(entry) if move.taken)
        return ""

    async def ask_again(self, entry: NodeRecord) -> None:
        """Repeat the requests whose answers a previous coordinator did not record."""
        moves = {move.taker: move.more for move in self.moves_of(entry) if move.taken is None}
        answers = await self.ask(entry, {name: more for name, more in moves.items() if not self.watch.ledger.entry(name).lost})
        await self.heard_of(name for name, answer in answers.items() if answer is None)

    def astray(self) -> list[str]:
        """Return the workers whose schedule differs from what is known here."""
        schedule, version, holdings = self.watch.ledger.schedule, self.watch.ledger.revisions[-1].version, self.holdings

        def is_so(entry: NodeRecord) -> bool:
            sample = entry.sample
            if entry.lost or sample.scheduled is None or sample.schedule_version != version:
                return False
            shares = [RingShare(self.outcome.spec.total, *arc) for arc in holdings[entry.name].arcs]
            return not can_be_of(shares, schedule, sample.elapsed_ns, sample.scheduled)

        return [entry.name for entry in self.watch.ledger.workers if is_so(entry)]

    def moves_of(self, entry: NodeRecord) -> list[Move]:
        return [move for move in self.outcome.moves if move.lost == entry.name]

    @property
    def holdings(self) -> dict[str, Holding]:
        assert self.outcome.plan is not None
        return holdings_after(self.outcome.plan, self.outcome.moves)

    def left_over(self, entry: NodeRecord) -> list[Arc]:
        """Return the part of a lost worker's share that no other worker has taken over."""
        taken = [arc for move in self.moves_of(entry) if move.taken for arc in move.arcs]
        return left_over(self.holdings[entry.name].arcs, taken)

    def plan_move(self, arcs: Sequence[Arc], unwilling: set[str], still_open: int) -> dict[str, list[AddedShard]]:
        plan, preflight = self.outcome.plan, self.outcome.preflight
        assert plan is not None
        assert preflight is not None
        gone, holdings = {entry.name for entry in self.watch.ledger.workers if entry.lost}, self.holdings
        there = {name: holding for name, holding in holdings.items() if name not in gone}
        scene = Survivors(
            left={name: holding for name, holding in there.items() if name not in unwilling},
            others={name: holding for name, holding in there.items() if name in unwilling},
            lost={name: holding for name, holding in holdings.items() if name in gone},
            still_open=still_open,
            acceptors=plan.acceptors,
            destinations=len(plan.destinations),
        )
        return redistribute(arcs, scene, {worker.name: worker for worker in preflight.workers}, preflight.fleet.target)

    async def still_open(self) -> int:
        """Return how many connections of lost workers the target may still have: what it has beyond those of all others.

        A worker that died has closed its own, which takes a moment; one that is stopped or cut off has not.
        """
        if self.outcome.spec.endpoint:
            return 0  # nobody knows, and so nothing is moved: see redistribution.py
        deadline = asyncio.get_running_loop().time() + GONE_SECONDS
        while True:
            target = self.watch.ledger.accepting
            if target is None:
                raise RefusedError("the target is lost, too, and cannot say for how many it has room")
            beyond = max(target.sample.tally.open - self.watch.ledger.in_use, 0)
            if not beyond or asyncio.get_running_loop().time() > deadline:
                return beyond
            await asyncio.sleep(LOOK_SECONDS)

    async def ask(self, entry: NodeRecord, moves: Mapping[str, Sequence[AddedShard]]) -> dict[str, C1mError | None]:
        """Ask each worker to take its part. Return their answers. A worker that did not answer may have taken its part, so it
        must be lost itself.

        The request is in the journal before a worker is asked: a coordinator that takes the run over repeats it, which
        changes nothing where it was done.
        """
        self.note(Move(entry.name, name, tuple(more)) for name, more in moves.items())
        await self.watch.recorder.written()
        calls = (self.add_shards(name, more) for name, more in moves.items())
        answers = await asyncio.gather(*calls, return_exceptions=True)
        told: dict[str, C1mError | None] = {}
        for (name, more), answer in zip(moves.items(), answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, C1mError):
                raise answer
            if isinstance(answer, UnreachableError):
                self.watch.lose(self.watch.ledger.entry(name), str(answer))
            told[name] = answer
            self.note([Move(entry.name, name, tuple(more), taken=answer is None)])
        return told

    async def add_shards(self, name: str, more: Sequence[AddedShard]) -> None:
        assert self.outcome.destinations is not None
        await self.nodes.workers[name].add_shards(self.nodes.run_id, more, self.outcome.destinations)

    def note(self, moves: Iterable[Move]) -> None:
        """Record the new shares of the workers."""
        for move in moves:
            known = [each for each in self.outcome.moves if each.taken is not None or each.more != move.more]
            self.outcome.moves = [*known, move]

    async def heard_of(self, names: Iterable[str]) -> None:
        """Wait until samples include the new connections: the next sample may have been on its way, the one after it was
        not.
        """
        for entry in map(self.watch.ledger.entry, names):
            for _ in range(2):
                seen = entry.sample
                while entry.sample is seen and not entry.lost:
                    await asyncio.sleep(LOOK_SECONDS)
