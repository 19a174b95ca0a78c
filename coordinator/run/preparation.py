"""The preparation of a run: describe all nodes, plan, and get all processes ready before anything is opened."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Sequence
from itertools import accumulate
from typing import TypeVar

from c1m.coordinator.fleet.nodes import TargetNode
from c1m.coordinator.fleet.survey import Survey, survey
from c1m.coordinator.planning.plan import Plan
from c1m.coordinator.results.planned_run import plan_run
from c1m.errors import RefusedError, UnreachableError
from c1m.net.tuples import Address
from c1m.orders.shard_settings import ShardSettings
from c1m.traffic.proof import NONCE_BYTES

from .state import RunState
from .steps import Event
from .watch import Watch, event_within, reason_of_error

T = TypeVar("T")

TARGET_SECONDS = 1.0  # for a target to report how an acceptor ended: it sends four samples in that time


class Preparation:
    """Prepares the nodes of one run: surveys them, makes the plan, and gets all processes ready."""

    def __init__(self, state: RunState, watch: Watch) -> None:
        self.state = state
        self.watch = watch
        self.nonce = secrets.token_bytes(NONCE_BYTES)  # with it a target proves to workers that it serves this run

    async def prepare(self) -> None:
        """Prepare the target first, whose ports are known once it listens, then all workers at once. Returns nothing.

        Raises C1mError when a node cannot be prepared or is busy, and RefusedError when the total cannot fit.
        """
        surveyed = await self.survey()
        plan = await self.plan(surveyed)
        destinations = await self.prepare_target(plan, surveyed.data_host)
        self.state.outcome.listens(destinations)
        await self.prepare_workers(plan, destinations)

    async def survey(self) -> Survey:
        """Return the descriptions of all nodes of the run, which also go into the outcome and the journal.

        Raises C1mError when a node cannot be asked, and RefusedError when one is busy.
        """
        found = await survey(self.state.spec, list(self.state.nodes.workers.values()), self.state.nodes.target)
        self.state.outcome.mustered(found)
        self.state.recorder.mustered(found)
        if found.data_host_note:
            self.state.say(found.data_host_note)
        for sentence in found.far_clocks:
            self.state.say(sentence)
        found.check_free()
        return found

    async def plan(self, surveyed: Survey) -> Plan:
        """Return the plan of the run, and make the ledger. Raises RefusedError, with the reasons, when the total cannot fit."""
        # In a thread: a plan for ten thousand nodes takes a second.
        found = await asyncio.to_thread(plan_run, self.state.spec, surveyed)
        self.state.outcome.planned(found)
        self.state.recorder.planned()
        if found.plan is None:
            raise RefusedError(*found.refusals)
        for tight in found.preflight.tight:
            self.state.say(f"tight: {tight.sentence()}")
        self.state.advance(Event.PLANNED)
        return found.plan

    async def prepare_target(self, plan: Plan, data_host: str) -> list[Address]:
        """Let the target listen, if there is one. Return the address and port of each destination of the plan."""
        listening: Sequence[int] = ()
        target, entry = self.state.nodes.target, self.state.ledger.target
        if target and entry:
            self.state.nodes.engage([target.name])
            listening = await self.unless_lost(target.name, self.listen(target, plan))
            self.watch.follow(entry, target, self.state.run_id)
        if endpoint := self.state.spec.endpoint:
            listening = [endpoint.ports.at(index) for index in range(endpoint.ports.size)]
        return [(data_host, port) for port in dict.fromkeys(listening)]

    async def listen(self, target: TargetNode, plan: Plan) -> list[int]:
        """Ask the target to start its acceptor processes. Return the list of their ports."""
        wanted = self.state.outcome.target and self.state.outcome.target.only_run_sources
        sources = [worker.space.sources for worker in plan.workers] if wanted else []
        return await target.prepare(self.state.run_id, plan.acceptors, self.shard_settings(), sources)

    async def prepare_workers(self, plan: Plan, destinations: Sequence[Address]) -> None:
        """Ask all workers at once to prepare their shards, then follow their samples. Returns nothing.

        Raises C1mError when a worker cannot be prepared or is busy.
        """
        settings, run_id = self.shard_settings(), self.state.run_id
        self.state.nodes.engage(worker.name for worker in plan.workers)
        points = accumulate((worker.planned for worker in plan.workers), initial=0)
        try:
            await asyncio.gather(
                *(
                    self.unless_lost(
                        worker.name,
                        self.state.nodes.workers[worker.name].prepare(run_id, worker, destinations, settings, point),
                    )
                    for worker, point in zip(plan.workers, points, strict=False)
                )
            )
        except RefusedError as refusal:
            await self.look_at_target(refusal)
            raise
        for entry in self.state.ledger.workers:
            self.watch.follow(entry, self.state.nodes[entry.name], run_id)

    async def unless_lost(self, name: str, prepared: Awaitable[T]) -> T:
        """Return the result of ``prepared``, the preparation of the node called ``name``. Raises the error of the preparation.

        A node that cannot be reached is declared lost at once, before the other nodes have been asked to close.
        """
        try:
            return await prepared
        except UnreachableError as error:
            self.watch.lose(self.state.ledger.entry(name), reason_of_error(error))
            raise

    async def look_at_target(self, refusal: RefusedError) -> None:
        """Raise UnreachableError with the exit reason if an acceptor of the target has ended. Returns nothing otherwise.

        Workers report an ended acceptor as a server that is no target of the run, which is ``refusal``. The exit reason is
        awaited for up to TARGET_SECONDS.
        """
        target, deadline = self.state.ledger.target, self.state.clock.now() + TARGET_SECONDS
        while target and not target.sample.exit_reasons and self.state.clock.now() < deadline:
            await event_within(self.watch.changed, deadline - self.state.clock.now())
        if target and (ended := "; ".join(map(str, target.sample.exit_reasons))):
            raise UnreachableError(f"{target.name}: {ended} while the run was prepared; {refusal}") from None

    def shard_settings(self) -> ShardSettings:
        """Return the settings that all shards of the run have in common, from the spec of the run."""
        spec = self.state.spec
        return spec.shard_settings(self.state.outcome.seed, b"" if spec.endpoint else self.nonce)
