"""Moving the shares of lost workers to those that are left, one after another, while the run goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from c1m.errors import C1mError, RefusedError, UnreachableError
from c1m.routes import Address

from .entry import Entry
from .nodes import Nodes
from .outcome import Outcome
from .redistribution import Arc, Holding, Reinforcement, Scene, holdings, redistribute
from .watch import Watch

LOOK_SECONDS = 0.1
GONE_SECONDS = 3.0  # for a target to see that the connections of a worker that died are gone, if they are


class Mover:
    """``move`` is the way in. It knows what every worker has, since the plan."""

    def __init__(self, nodes: Nodes, watch: Watch, outcome: Outcome) -> None:
        self.nodes = nodes
        self.watch = watch
        self.outcome = outcome
        self.turn = asyncio.Lock()
        self.ready = asyncio.Event()  # all workers have been told to start: before, none takes more
        self.there: dict[str, Holding] = {}
        self.lost: dict[str, Holding] = {}

    async def move(self, entry: Entry) -> None:
        """All that a lost worker had, as far as it fits; what does not is told with the reason."""
        await self.ready.wait()
        async with self.turn:
            taken: dict[str, int] = {}
            reason = await self.hand_over(entry, taken)
        self.watch.move(entry, taken, reason)

    async def hand_over(self, entry: Entry, taken: dict[str, int]) -> str:
        """Counts in ``taken`` who took how many; why some were not taken."""
        plan, destinations = self.outcome.plan, self.nodes.destinations
        if plan is None or destinations is None:
            return "this coordinator took the run over from another, and was not told where its target listens"
        self.there = self.there or holdings(plan)
        gone = self.lost[entry.name] = self.there.pop(entry.name)
        arcs, unwilling, refusals = list(gone.arcs), set[str](), ""
        while arcs:
            try:
                moves = self.plan_move(arcs, unwilling, await self.still_open())
            except RefusedError as refused:
                return "; ".join(filter(None, (refusals, str(refused))))
            arcs = []
            for name, answer in (await self.reinforce(moves, destinations)).items():
                if answer is None:
                    taken[name] = taken.get(name, 0) + sum(each.shard.planned for each in moves[name])
                    self.there[name] = self.there[name].and_also(moves[name])
                    continue
                arcs += [Arc(each.first_point, each.shard.planned) for each in moves[name]]
                unwilling.add(name)
                refusals = str(answer)
        await self.heard_of(taken)
        return ""

    def plan_move(self, arcs: Sequence[Arc], unwilling: set[str], still_open: int) -> dict[str, list[Reinforcement]]:
        plan, preflight = self.outcome.plan, self.outcome.preflight
        assert plan is not None
        assert preflight is not None
        gone = {entry.name for entry in self.watch.ledger.workers if entry.lost}
        there = {name: holding for name, holding in self.there.items() if name not in gone}
        scene = Scene(
            left={name: holding for name, holding in there.items() if name not in unwilling},
            others={name: holding for name, holding in there.items() if name in unwilling},
            lost=self.lost | {name: holding for name, holding in self.there.items() if name in gone},
            still_open=still_open,
            acceptors=plan.acceptors,
            destinations=len(plan.destinations),
        )
        return redistribute(arcs, scene, {worker.name: worker for worker in preflight.workers}, preflight.fleet.target)

    async def still_open(self) -> int:
        """Connections of lost workers that the target may still have: what it has beyond those of all others.

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

    async def reinforce(
        self, moves: Mapping[str, Sequence[Reinforcement]], destinations: Sequence[Address]
    ) -> dict[str, C1mError | None]:
        """What each worker answered. One that did not answer may have taken its part, and so must be lost itself."""
        calls = (self.nodes.workers[name].reinforce(self.nodes.run_id, more, destinations) for name, more in moves.items())
        answers = await asyncio.gather(*calls, return_exceptions=True)
        told: dict[str, C1mError | None] = {}
        for name, answer in zip(moves, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, C1mError):
                raise answer
            if isinstance(answer, UnreachableError):
                self.watch.lose(self.entry(name), str(answer))
            told[name] = answer
        return told

    async def heard_of(self, names: Mapping[str, int]) -> None:
        """Until samples say that there is more to open: the next one may have been on its way, the one after it was not."""
        for entry in map(self.entry, names):
            for _ in range(2):
                seen = entry.sample
                while entry.sample is seen and not entry.lost:
                    await asyncio.sleep(LOOK_SECONDS)

    def entry(self, name: str) -> Entry:
        return next(entry for entry in self.watch.ledger.workers if entry.name == name)
