"""What a run needs of its nodes. ``clients.py`` has the nodes of a real run, which are called over gRPC; ``c1m.testing`` has
nodes in memory.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import NamedTuple, Protocol, Self, runtime_checkable

from c1m.coordinator.planning.plan import ShardPlan, WorkerPlan
from c1m.measure.phase import Close
from c1m.measure.sample import Inspection, Sample
from c1m.measure.sampling import OFTEN, SamplingInterval
from c1m.net.addresses import AddressPool
from c1m.net.control_address import ControlAddress
from c1m.net.tuples import Address
from c1m.orders.shard_settings import ShardSettings
from c1m.schedule.schedule import Stage
from c1m.v1 import node_pb2

from .descriptions import DescribedTarget, DescribedWorker


class ReceivedSample(NamedTuple):
    """A sample, and the message that it came in."""

    sample: Sample
    message: node_pb2.Sample


class Node(Protocol):
    """A worker or a target, with a connection to it. All calls raise C1mError."""

    @property
    def name(self) -> str:
        """The role and the control address, as people read them."""

    @property
    def address(self) -> ControlAddress:
        """The control address."""

    def anew(self) -> Self:
        """Return the same node with a connection of its own."""

    async def ping(self) -> None:
        """Return when the node has answered."""

    async def close(self) -> None:
        """Close the connection. The node goes on."""

    def watch(self, run_id: str, pace: SamplingInterval = OFTEN) -> AsyncGenerator[ReceivedSample]:
        """Yield the node's samples until the run is over there. Watching renews the node's lease."""

    async def inspect(self, run_id: str) -> Inspection:
        """Return what the node and its kernel count now."""


@runtime_checkable
class WorkerNode(Node, Protocol):
    """A worker. All calls raise C1mError."""

    async def describe(self, destinations: Sequence[str]) -> DescribedWorker:
        """Return the worker's description. ``destinations``: addresses to which its sources may be on a link."""

    async def prepare(
        self, run_id: str, plan: WorkerPlan, destinations: Sequence[Address], settings: ShardSettings, first_point: int
    ) -> None:
        """Prepare the worker's shards. ``first_point``: where its arc of the ring begins; see ``c1m.schedule.ring``."""

    async def start(self, run_id: str) -> None:
        """Begin to open connections."""

    async def retarget(self, run_id: str, at_ns: int, stages: Sequence[Stage]) -> int:
        """Give the run other stages from ``at_ns`` after its start on. Return the version of the schedule that results."""

    async def add_shards(self, run_id: str, shards: Iterable[tuple[int, ShardPlan]], destinations: Sequence[Address]) -> None:
        """Add shards to a running run. ``shards``: for each, the first point of its arc, and its plan in this worker's tuple
        space.
        """

    async def probe(self, run_id: str, most: int) -> tuple[int, int]:
        """Probe up to ``most`` connections. Return how many peers answered, and how many of them do not know theirs."""

    async def stop_turnover(self, run_id: str) -> None:
        """Stop replacing connections."""

    async def stop_traffic(self, run_id: str) -> None:
        """Stop sending on all connections, and wait up to 5 s for answers under way."""

    async def stop(self, run_id: str, close: Close, rate: float) -> None:
        """Begin to close all connections. ``rate``: connections a second; 0: as fast as possible."""


class TargetNode(Node, Protocol):
    """A target. All calls raise C1mError."""

    async def describe(self) -> DescribedTarget:
        """Return the target's description."""

    async def prepare(self, run_id: str, acceptors: int, settings: ShardSettings, sources: Iterable[AddressPool]) -> list[int]:
        """Start acceptors. Return the port of each. ``sources``: the addresses from which the run connects."""

    async def storm(self, run_id: str, share: float) -> None:
        """Drop this share of the open connections, above 0 and up to 1."""

    async def stop_accepting(self, run_id: str) -> None:
        """Stop accepting connections, and stop serving those that are open: their clients are about to reset them."""

    async def stop(self, run_id: str) -> int | None:
        """Close what is left. Return how many connections the target's kernel still had; None: unknown."""


class Nodes:
    """The nodes of one run, by name."""

    def __init__(self, run_id: str, workers: Sequence[WorkerNode], target: TargetNode | None) -> None:
        self.run_id = run_id
        self.workers = {worker.name: worker for worker in workers}
        self.target = target
        self.engaged: list[str] = []  # nodes that have to be asked to close

    def engage(self, names: Iterable[str]) -> None:
        """Note that these nodes are asked to prepare, and have to be asked to close."""
        self.engaged += names

    def __getitem__(self, name: str) -> WorkerNode | TargetNode:
        """Return a node. Raises KeyError for a name that the run does not have."""
        return self.target if self.target and name == self.target.name else self.workers[name]
