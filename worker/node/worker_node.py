"""A worker's control process: what it can do, and the run that its shards work on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import trio

from c1m.errors import RefusedError
from c1m.kernel.host import read_host
from c1m.measure.phase import Close
from c1m.measure.reasons import ASKED, UNPREPARED, ChildKind
from c1m.measure.sample import Host, Inspection
from c1m.net.addresses import AddressBlock, AddressPool, Interface
from c1m.net.ports import PortRanges, client_ports
from c1m.node.node import Node
from c1m.orders.orders import CloseAll, Probe, Retarget, Start, StopTraffic, StopTurnover
from c1m.orders.shard_settings import ShardSettings
from c1m.processes.child import Child, ChildSpec
from c1m.processes.threads import in_thread
from c1m.processes.zygote_client import ZygoteClient
from c1m.schedule.node_schedule import NodeSchedule
from c1m.schedule.schedule import Revision, Stage
from c1m.schedule.shapes import MOST_STAGES
from c1m.wire import bounds
from c1m.worker.shard.assignment import ShardAssignment
from c1m.worker.shard.regulator import CLOSE_CHUNK

from . import sources
from .allow_list import AllowList, refusal
from .kernel_count import are_closing, destinations_of, established
from .memory_guard import guard
from .preconditions import check_goes_on, check_retarget, check_start
from .quotas import Quotas, bits_of
from .target_proof import unproved

START_DELAY_SECONDS = 0.05  # long enough for every shard to have received the start time
DEFAULT_EPHEMERAL = (32768, 60999)  # the kernel's own, where /proc does not show the range
PROBE_SECONDS = 20.0  # for all shards to have probed
QUIET_SECONDS = 5.0  # for all shards to have had their last answers
FREE_SECONDS = 2.0  # for peers to answer the FINs of a shard that died ...
LOOK_SECONDS = 0.02  # ... between two checks
DESCRIPTORS_EACH = 1  # of a shard: the link to it


@dataclass(frozen=True, slots=True)
class WorkerDescription:
    host: Host
    sources: AddressPool
    ports: PortRanges
    busy_with: str
    run_id: str  # of the run that can be given another schedule; empty: none
    elapsed_ns: int  # since its start
    revision: Revision | None  # that it follows
    sources_on_link: int  # with a destination


@dataclass(frozen=True, slots=True)
class WorkerOrders:
    """What a coordinator asks this worker to do in a run: its shards, schedule and lease."""

    run_id: str
    following: NodeSchedule
    shards: Sequence[ShardAssignment]
    settings: ShardSettings
    operator: str = ""  # the operator of the run; empty: unknown


class WorkerNode(Node):
    """The control process of a worker.

    ``wanted_sources`` and ``wanted_ports`` are what the operator named; empty means what suits the destination. ``allow_list``
    has the servers that the operator lets it load, ``ceilings`` the quotas.
    """

    def __init__(
        self,
        zygote: ZygoteClient,
        nursery: trio.Nursery,
        wanted_sources: Sequence[AddressBlock | Interface],
        wanted_ports: PortRanges | None,
        allow_list: AllowList,
        ceilings: Quotas,
        *,
        tunable: bool = False,
    ) -> None:
        super().__init__(zygote, nursery, tunable=tunable)
        self.wanted_sources = wanted_sources
        self.wanted_ports = wanted_ports
        self.allow_list = allow_list
        self.ceilings = ceilings
        self.preparation: WorkerOrders | None = None  # of the newest run
        self.shards: Sequence[ShardAssignment] = ()  # shards of that run, including those that joined it

    async def describe(self, destinations: Iterable[str]) -> WorkerDescription:
        run = self.node_run if self.node_run and not self.node_run.stopping else None
        toward = tuple(destinations)
        pool, host = self.sources(toward), self.host()
        return WorkerDescription(
            replace(host, limits={**host.limits, **self.ceilings.to_limits()}),
            pool,
            self.client_ports(),
            self.busy_with(),
            run.run_id if run else "",
            run.elapsed_ns if run else 0,
            run.following.revision if run and run.following else None,
            sources.on_link(pool, toward),
        )

    def sources(self, destinations: Sequence[str]) -> AddressPool:
        """Return the worker's source addresses of the destinations' family.

        Raises C1mError for an address that is not this machine's.
        """
        version = 6 if any(":" in destination for destination in destinations) else 4
        if not self.wanted_sources:
            return sources.toward(destinations[0]) if destinations else AddressPool()
        pool = sources.resolve(self.wanted_sources).of_version(version)
        if not pool.size:
            raise RefusedError(f"has no IPv{version} source address toward {destinations[0]}; name some with --source")
        sources.check_local(pool)
        return pool

    def client_ports(self) -> PortRanges:
        if self.wanted_ports is not None:
            return self.wanted_ports
        facts = read_host()
        return client_ports(facts.ephemeral_range or DEFAULT_EPHEMERAL, facts.reserved_ports or PortRanges())

    async def prepare(self, preparation: WorkerOrders) -> None:
        """Start the shards of a run and wait until they are ready.

        Raises C1mError when the node is busy, an address is not its own, or a shard breaks.
        """
        if self.preparation == preparation and (run := self.on(preparation.run_id)):
            await run.prepared()
            return
        self.check_processes(len(preparation.shards), DESCRIPTORS_EACH)
        for shard in preparation.shards[:1]:
            sources.check_local(shard.space.sources)
            bits = bits_of(preparation.following, shard)
            self.ceilings.check(preparation.following, shard.settings.turnover, bits)
        closing = closing_order(Close.RESET, self.close_rate(Close.RESET, 0, preparation.shards), len(preparation.shards))
        node_run = await self.begin_run(preparation.run_id, preparation.settings.lease, closing, preparation.operator)
        self.preparation, self.shards = preparation, preparation.shards
        node_run.following, node_run.successors = preparation.following, self
        try:
            await self.check_allowed(preparation.shards, preparation.settings.nonce)
            await node_run.supervisor.hire([child_spec(shard) for shard in preparation.shards])
            await node_run.all_ready()
        except BaseException:
            await node_run.stop(node_run.closing, UNPREPARED)
            raise

    async def start(self, run_id: str) -> None:
        node_run = await self.find(run_id)
        async with node_run.turning:
            check_start(node_run)
            if node_run.start:
                return  # a coordinator that missed the answer asks again
            node_run.start = time.monotonic() + START_DELAY_SECONDS
            await node_run.supervisor.order(Start(node_run.start))
        self.nursery.start_soon(guard, node_run)

    async def retarget(self, run_id: str, at_ns: int, stages: Sequence[Stage]) -> int:
        """Make a run follow other stages from ``at_ns`` on, in nanoseconds into the run, and return the version of the new
        schedule. Raises RefusedError where the run was not planned for that.
        """
        node_run = await self.find(run_id)
        async with node_run.turning:
            following = node_run.following
            assert following
            check_retarget(node_run, following, max(stage.total for stage in stages))
            kept = following.revision.schedule.kept(at_ns)
            following = following.retargeted(at_ns, stages)
            self.ceilings.check_rate(following, following.revision.schedule)
            await self.preparation_of(run_id)
            self.ceilings.check_bandwidth(bits_of(following, self.shards[0]))
            bounds.at_most("stages, with those that the run had before,", following.revision.schedule.stages, MOST_STAGES)
            node_run.following = following
            await node_run.supervisor.order(Retarget(following.revision.schedule, kept))
        node_run.touch()
        return following.revision.version

    async def preparation_of(self, run_id: str) -> WorkerOrders:
        """Return the orders of a run. Raises RefusedError when the node does not know the run, or is still preparing it."""
        await self.find(run_id)
        if self.preparation is None or self.preparation.run_id != run_id:
            raise RefusedError(f"run {run_id} is still being prepared; try again once it has started")
        return self.preparation

    async def add_shards(self, run_id: str, shards: Sequence[ShardAssignment]) -> None:
        """Add shards to a running run, with arcs that none of its shards has, as if they had been there from the start.

        Shards that were added before are skipped: a coordinator that missed the answer asks again.

        Raises RefusedError as ``prepare``, and when the run is not going on; UsageError for an arc that is taken.
        """
        node_run = await self.find(run_id)
        async with node_run.turning:
            if {(shard.share, shard.routes) for shard in shards} <= {(shard.share, shard.routes) for shard in self.shards}:
                return
            check_goes_on(node_run)
            self.check_processes(len(node_run.supervisor.alive) + len(shards), DESCRIPTORS_EACH)
            assert node_run.following
            following = node_run.following.joined_by(shard.share for shard in shards)
            preparation = await self.preparation_of(run_id)
            self.ceilings.check(following, shards[0].settings.turnover, bits_of(following, shards[0]))
            await self.check_allowed(shards, preparation.settings.nonce, self.shards)
            check_goes_on(node_run)
            numbered = [replace(shard, index=index) for index, shard in enumerate(shards, len(self.shards))]
            await node_run.join([child_spec(as_of_now(shard, following)) for shard in numbered])
            self.shards = (*self.shards, *numbered)
            node_run.following = following
        node_run.touch()

    async def successors_of(self, dead: Sequence[Child]) -> list[ChildSpec]:
        """Return specifications of replacements for dead shards, with the 4-tuples of those shards, once the kernel has freed
        them. Shards of one process wait together.
        """
        with trio.move_on_after(FREE_SECONDS):
            while await in_thread(are_closing, self.shards):
                await trio.sleep(LOOK_SECONDS)
        assert self.node_run
        assert self.node_run.following
        following = self.node_run.following
        return [child_spec(as_of_now(self.shards[child.index], following)) for child in dead]

    def give_up(self, child: Child) -> None:
        """Do nothing for a shard that is not replaced: its connections stay lost, and it holds nothing else."""

    def count(self) -> Inspection:
        return Inspection(established=established(self.shards))

    async def stop_traffic(self, run_id: str) -> None:
        """Stop sending on the run's connections, which stay open, and wait for a limited time until the answers under way have
        arrived. Raises RefusedError when the node does not know the run.
        """
        node_run = await self.find(run_id)
        node_run.settling = True
        await node_run.supervisor.order(StopTraffic())
        with trio.move_on_after(QUIET_SECONDS):
            while not all(child.traffic_stopped for child in node_run.supervisor.alive):
                await node_run.changed.wait()

    async def probe(self, run_id: str, most: int) -> tuple[int, int]:
        """Ask the peers of up to ``most`` connections of a run whether they know them.

        Return how many peers answered, and how many of those connections are ghosts. Raises RefusedError if no process of the
        run is left.
        """
        node_run = await self.find(run_id)
        children = node_run.supervisor.alive
        if not children:
            raise RefusedError(f"run {node_run.run_id} has no process left to probe from")
        for child in children:
            child.probed = None
            await child.send(Probe(-(-most // len(children))))
        with trio.move_on_after(PROBE_SECONDS):
            while any(child.probed is None for child in children if not child.gone.is_set()):
                await node_run.changed.wait()
        answers = [child.probed for child in children if child.probed]
        return sum(asked for asked, _ in answers), sum(ghosts for _, ghosts in answers)

    async def check_allowed(
        self, shards: Sequence[ShardAssignment], nonce: bytes, allowed: Sequence[ShardAssignment] = ()
    ) -> None:
        """Raise RefusedError for a server that is not on the allow list and is no c1m-target of the run.

        The destinations of the shards in ``allowed`` have been checked already.
        """
        destinations = sorted(destinations_of(shards) - destinations_of(allowed))
        slow = any(shard.settings.slow for shard in shards)
        beyond = await trio.to_thread.run_sync(partial(self.allow_list.beyond, destinations, slow=slow))
        if not beyond:
            return
        instead = await unproved(beyond, shards[0].space.sources.at(0), nonce) if nonce else dict.fromkeys(beyond, "")
        for destination, what in instead.items():
            raise RefusedError(refusal(destination, what, slow=slow))

    async def stop_turnover(self, run_id: str) -> None:
        """Stop replacing connections of a run that end; samples report when nothing is in flight any more.

        Raises RefusedError when the node does not know the run.
        """
        node_run = await self.find(run_id)
        node_run.settling = True
        await node_run.supervisor.order(StopTurnover())

    async def stop(self, run_id: str, close: Close, rate: float) -> None:
        node_run = await self.find(run_id)
        rate = self.close_rate(close, rate, self.shards)
        await node_run.stop(closing_order(close, rate, len(node_run.supervisor.alive)), ASKED)

    def close_rate(self, close: Close, wanted: float, shards: Sequence[ShardAssignment]) -> float:
        version = next((shard.space.sources.version for shard in shards), None)
        return self.ceilings.close_rate(wanted, reset=close is Close.RESET, version=version or 4)


def child_spec(shard: ShardAssignment) -> ChildSpec:
    return ChildSpec(ChildKind.SHARD, shard)


def as_of_now(shard: ShardAssignment, following: NodeSchedule) -> ShardAssignment:
    """Return a shard's assignment with the schedule that the node follows now."""
    settings = replace(shard.settings, schedule=following.revision.schedule, arrival=following.arrival)
    return replace(shard, settings=settings)


def closing_order(close: Close, rate: float, shards: int) -> CloseAll:
    """Return the link message that orders shards to close their connections.

    ``rate`` is the node's, in connections a second; 0 means unlimited.
    """
    seconds = CLOSE_CHUNK * max(shards, 1) / rate if rate else 0.0
    return CloseAll(close is Close.RESET, seconds)
