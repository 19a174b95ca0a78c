"""A worker in memory: it opens and closes connections by the schedule of its run, on the loop's clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

from c1m.coordinator.fleet.descriptions import DescribedWorker
from c1m.coordinator.planning.plan import ShardPlan, WorkerPlan
from c1m.measure.phase import Close, Phase
from c1m.measure.reasons import ClosingReason, HaltReason
from c1m.measure.sample import Inspection, Sample
from c1m.measure.tally import PEER_RESET, Tally
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.endpoints import HostPort
from c1m.net.ports import PortRanges
from c1m.net.tuples import Address
from c1m.orders.shard_settings import ShardSettings
from c1m.schedule.node_schedule import NodeSchedule
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import NANOSECONDS, Revision, Stage, nanoseconds
from c1m.traffic.storm import CLIENTS, Storm
from c1m.traffic.turnover import Turnover, Wave

from .simulated_node import SimulatedNode, now, taken_ns
from .simulated_target import SimulatedTarget

PORTS = PortRanges(((10_000, 59_999),))
CONNECT_US = 150  # how long each connect takes, by the worker's histogram


class SimulatedWorker(SimulatedNode):
    """A worker, and what can go wrong with it."""

    def __init__(
        self, address: HostPort, namespace: int, server: SimulatedTarget | None, connections_per_process: int = 20_000
    ) -> None:
        """``server``: where it connects to; None: to a server that only its clients know."""
        super().__init__("worker", address, namespace, connections_per_process)
        self.server = server
        if server:
            server.clients.append(self)
        self.sources = AddressPool((AddressBlock((10 << 24) + namespace, 1, 4),))
        self.schedule: NodeSchedule | None = None
        self.turnover: Turnover | None = None
        self.clear()
        self.halted: HaltReason | None = None  # set: why it opens no more
        self.refused = 0  # set: so many of the next attempts end with ECONNREFUSED
        self.ghosts = 0  # set: so many connections that a probe finds unknown to their server
        self.closes_slowly = 0.0  # set: seconds that closing takes at least
        self.turns_over = True  # False: turnover never stops

    def clear(self) -> None:
        """Forget what was counted in an earlier run."""
        self.began: float | None = None  # on the loop's clock
        self.advanced = 0.0  # seconds since the start, up to which all is counted
        self.placed = 0  # connections that the schedule has asked for: open, failed or lost
        self.counted = Counter[str]()
        self.dropped = Counter[str]()
        self.opened_at = 0.0
        self.turnover_stopped = False
        self.waves: list[Wave] = []
        self.returning: list[tuple[float, int, int]] = []  # seconds, storm, and connections that return then
        self.closing_at, self.close_rate, self.closed_at_end = 0.0, 0.0, 0

    # -- what happens to connections

    @property
    def open(self) -> int:
        """The connections that are open."""
        return self.counted["opened"] - self.counted["closed"] - sum(self.dropped.values())

    @property
    def away(self) -> int:
        """The connections that a storm has closed and that will return."""
        return sum(count for _, _, count in self.returning)

    @property
    def elapsed(self) -> float:
        """The seconds since the start; 0 before it."""
        return 0.0 if self.began is None else now() - self.began

    def connect(self, count: int) -> None:
        """Attempt ``count`` connections."""
        failed = count if self.server and not self.server.accepts else min(self.refused, count)
        self.refused -= min(self.refused, failed)
        self.counted.update(attempted=count, failed=failed, opened=count - failed)
        if count > failed:
            self.opened_at = self.elapsed
            if self.server:
                self.server.accept(count - failed)

    def disconnect(self, count: int) -> None:
        """Close ``count`` connections."""
        count = min(count, self.open)
        self.counted["closed"] += count
        if self.server:
            self.server.lose_clients(count)

    def lose_connections(self, count: int) -> None:
        """Note that the server has closed ``count`` connections, which are opened again if the run asks for it."""
        self.dropped[PEER_RESET] += count
        if self.turnover and self.turnover.backoff and self.phase < Phase.CLOSING:
            self.returning.append((self.elapsed + self.turnover.backoff.first, len(self.waves), count))

    def die(self) -> None:
        """End, as by SIGKILL: the kernel resets all connections."""
        self.advance()
        self.gone = True
        self.disconnect(self.open)

    # -- time

    def advance(self) -> None:
        """Do what the schedule, storms and closing ask for up to now."""
        super().advance()
        if self.gone or self.phase is Phase.CLOSED or self.schedule is None:
            return
        if self.phase is Phase.CLOSING:
            self.go_on_closing()
        elif self.began is not None:
            self.follow(self.schedule)
            self.advanced = self.elapsed
            ended = self.elapsed >= self.schedule.revision.schedule.end_ns / NANOSECONDS
            self.phase = Phase.HOLDING if ended or self.halted else Phase.OPENING

    def follow(self, schedule: NodeSchedule) -> None:
        """Open or close what the schedule asks for, and what storms and lifetimes do."""
        more = self.scheduled(schedule) - self.placed
        if more > 0 and not self.halted:
            self.connect(more)
            self.placed += more
        elif more < 0:
            self.disconnect(-more)
            self.placed += more
        if self.turnover and not self.turnover_stopped:
            self.turn_over(self.turnover)

    def turn_over(self, turnover: Turnover) -> None:
        """Replace connections whose lifetimes have ended, make storms of the clients, and let connections return."""
        if turnover.lifetime:
            ended = round(self.open * min((self.elapsed - self.advanced) / turnover.lifetime.mean, 1.0))
            self.disconnect(ended)
            self.counted["replaced"] += ended
            self.connect(ended)
        for storm in turnover.storms[len(self.waves) :]:
            if storm.at <= self.elapsed:
                self.make(storm)
        for due in [each for each in self.returning if each[0] <= self.elapsed]:
            self.come_back(*due)

    def make(self, storm: Storm) -> None:
        """Begin a storm."""
        dropped = int(self.open * storm.share) if storm.by == CLIENTS else 0
        self.waves.append(Wave(dropped))
        if dropped:
            self.disconnect(dropped)
            self.returning.append((storm.at + storm.return_seconds, len(self.waves), dropped))

    def come_back(self, due: float, number: int, count: int) -> None:
        """Open connections again that storm ``number``, from 1, or the server has closed."""
        self.returning.remove((due, number, count))
        self.connect(count)
        self.counted["reopened"] += count
        if number:
            storm = self.turnover.storms[number - 1] if self.turnover else Storm(due)
            dropped = 0 if storm.by == CLIENTS else count
            self.waves[number - 1] += Wave(dropped, count, due - storm.at, CONNECT_US / 1e6)

    def go_on_closing(self) -> None:
        """Close what the rate permits by now."""
        since = now() - self.closing_at
        if since >= self.closes_slowly:
            allowed = int(since * self.close_rate) - self.closed_at_end if self.close_rate else self.open
            self.closed_at_end += allowed
            self.disconnect(allowed)
        if not self.open:
            self.phase = Phase.CLOSED

    def leave(self, because: ClosingReason) -> None:
        """Close without being asked to."""
        self.disconnect(self.open)
        super().leave(because)

    def scheduled(self, schedule: NodeSchedule) -> int:
        """Return how many connections the schedule asks for now."""
        return schedule.scheduled([nanoseconds(self.elapsed)] * len(schedule.shares))

    # -- the interface

    async def describe(self, destinations: Sequence[str]) -> DescribedWorker:
        """Return the worker's description."""
        await self.answer("describe")
        there = self.phase is not Phase.CLOSED
        return DescribedWorker(
            self.host,
            self.sources,
            PORTS,
            self.busy_with,
            run_id=self.run_id if there else "",
            elapsed_ns=nanoseconds(self.elapsed) if there else 0,
            revision=self.schedule.revision if there and self.schedule else None,
        )

    async def prepare(
        self, run_id: str, plan: WorkerPlan, destinations: Sequence[Address], settings: ShardSettings, first_point: int
    ) -> None:
        """Get ready to open the plan's connections."""
        await self.answer("prepare")
        self.begin(run_id, settings.lease)
        self.clear()
        sizes = [shard.planned for shard in plan.shards]
        points = accumulate(sizes, initial=first_point)
        arcs = tuple(RingShare(settings.peak, point, size) for point, size in zip(points, sizes, strict=False))
        self.schedule = NodeSchedule(arcs, Revision(settings.schedule), settings.arrival)
        self.turnover = settings.turnover

    async def start(self, run_id: str) -> None:
        """Begin to open connections."""
        await self.answer("start", run_id)
        self.began = now()

    async def retarget(self, run_id: str, at_ns: int, stages: Sequence[Stage]) -> int:
        """Follow other stages from ``at_ns`` on. Return the version of the schedule."""
        await self.answer("retarget", run_id)
        assert self.schedule is not None
        self.schedule = self.schedule.retargeted(at_ns, stages)
        return self.schedule.revision.version

    async def add_shards(self, run_id: str, shards: Iterable[tuple[int, ShardPlan]], destinations: Sequence[Address]) -> None:
        """Add shards. Those that are there already change nothing."""
        await self.answer("add_shards", run_id)
        assert self.schedule is not None
        more = [RingShare(self.schedule.peak, first_point, shard.planned) for first_point, shard in shards]
        self.schedule = self.schedule.joined_by(share for share in more if share not in self.schedule.shares)

    async def probe(self, run_id: str, most: int) -> tuple[int, int]:
        """Return how many connections were probed, and how many of their servers do not know them."""
        await self.answer("probe", run_id)
        return min(most, self.open), min(self.ghosts, most)

    async def stop_turnover(self, run_id: str) -> None:
        """Replace no more connections."""
        await self.answer("stop_turnover", run_id)
        self.turnover_stopped = self.turns_over

    async def stop_traffic(self, run_id: str) -> None:
        """Do nothing: no bytes are simulated."""
        await self.answer("stop_traffic", run_id)

    async def stop(self, run_id: str, close: Close, rate: float) -> None:
        """Begin to close all connections. A worker that is closed already stays so."""
        await self.answer("stop", run_id)
        if self.phase < Phase.CLOSING:
            self.phase, self.closing_at, self.close_rate = Phase.CLOSING, now(), rate

    # -- its state

    def sample(self) -> Sample:
        """Return the state of the worker now."""
        counted, schedule = self.counted, self.schedule
        assert schedule is not None
        revision, elapsed_ns = schedule.revision, nanoseconds(self.elapsed)
        ends = enumerate(revision.schedule.ends)
        return Sample(
            self.phase,
            self.tally(),
            opened_within_ns=nanoseconds(self.opened_at),
            processes=len(schedule.shares),
            halted=self.halted,
            histograms={"connect_latency_us": {CONNECT_US: counted["opened"]}} if counted["opened"] else {},
            reading=self.reading(),
            elapsed_ns=elapsed_ns,
            scheduled=self.scheduled(schedule) if self.began is not None else 0,
            schedule_version=revision.version,
            revision=revision if revision.version > 1 else None,
            reached_ns={stage: end_ns for stage, end_ns in ends if self.began is not None and end_ns <= elapsed_ns},
            waves=tuple(self.waves),
            turnover_stopped=self.turnover_stopped,
            taken_ns=taken_ns(),
            closing_reason=self.closing_reason,
        )

    def tally(self) -> Tally:
        """Return the worker's counts."""
        failed = self.counted["failed"]
        return Tally(
            attempted=self.counted["attempted"],
            opened=self.counted["opened"],
            closed=self.counted["closed"],
            replaced=self.counted["replaced"],
            reopened=self.counted["reopened"],
            away=self.away,
            failed={"ECONNREFUSED": failed} if failed else {},
            dropped=dict(+self.dropped),
        )

    def count(self) -> Inspection:
        """Return what the worker's kernel counts now."""
        return Inspection(established=self.open, reading=self.reading())
