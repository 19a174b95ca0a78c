"""A target in memory: it counts the connections that simulated workers open to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from c1m.coordinator.fleet.descriptions import DescribedTarget
from c1m.measure.phase import Phase
from c1m.measure.reasons import ClosingReason, ExitReason
from c1m.measure.sample import Inspection, Sample
from c1m.measure.tally import PEER_RESET, Tally
from c1m.net.addresses import AddressPool
from c1m.net.endpoints import HostPort
from c1m.net.ports import PortRanges
from c1m.orders.shard_settings import ShardSettings

from .simulated_node import SimulatedNode, taken_ns

PORTS = PortRanges(((9000, 9099),))


class Client(Protocol):
    """What a target needs of a worker that connects to it."""

    @property
    def open(self) -> int:
        """The connections that the worker has open."""

    def advance(self) -> None:
        """Bring the worker's counts up to now."""

    def lose_connections(self, count: int) -> None:
        """Note that the server has closed ``count`` connections."""


class SimulatedTarget(SimulatedNode):
    """A target, and what can go wrong with it."""

    def __init__(self, address: HostPort, connections_per_process: int = 20_000) -> None:
        super().__init__("target", address, 0, connections_per_process)
        self.clients: list[Client] = []
        self.opened = self.closed = self.dropped = 0
        self.exit_reasons: tuple[ExitReason, ...] = ()  # set: acceptors that have ended
        self.overlooks = 0  # set: so many connections that clients get and the server never accepts

    # -- what clients do

    @property
    def accepts(self) -> bool:
        """Whether clients get connections."""
        return not self.gone and Phase.PREPARED <= self.phase < Phase.CLOSING

    def accept(self, count: int) -> None:
        """Take ``count`` new connections."""
        overlooked = min(self.overlooks, count)
        self.overlooks -= overlooked
        self.opened += count - overlooked

    def lose_clients(self, count: int) -> None:
        """Note that clients have closed ``count`` connections."""
        self.dropped += min(count, self.open)

    @property
    def open(self) -> int:
        """The accepted connections that are open."""
        return self.opened - self.closed - self.dropped

    def die(self) -> None:
        """End, as by SIGKILL: the kernel resets all connections."""
        self.gone = True
        self.drop(self.open)

    def drop(self, count: int) -> None:
        """Close ``count`` connections, divided over the clients."""
        for client in self.clients:
            part = min(count, client.open)
            client.lose_connections(part)
            count -= part
            self.closed += part

    # -- the interface

    async def describe(self) -> DescribedTarget:
        """Return the target's description."""
        await self.answer("describe")
        return DescribedTarget(self.host, self.address.host, PORTS, single_port=False, busy_with=self.busy_with)

    async def prepare(self, run_id: str, acceptors: int, settings: ShardSettings, sources: Iterable[AddressPool]) -> list[int]:
        """Begin to listen. Return the port of each acceptor."""
        await self.answer("prepare")
        self.begin(run_id, settings.lease)
        self.opened = self.closed = self.dropped = 0
        return [PORTS.at(index) for index in range(acceptors)]

    async def storm(self, run_id: str, share: float) -> None:
        """Drop this share of the open connections."""
        await self.answer("storm", run_id)
        for client in self.clients:
            client.advance()
        self.drop(int(self.open * share))

    async def stop_accepting(self, run_id: str) -> None:
        """Go on: clients are about to close."""
        await self.answer("stop_accepting", run_id)

    async def stop(self, run_id: str) -> int | None:
        """Close what is left. Return how many connections the kernel still had."""
        await self.answer("stop", run_id)
        left = self.open
        self.drop(left)
        self.phase = Phase.CLOSED
        return left

    # -- its state

    def advance(self) -> None:
        """Bring the counts of all clients up to now, too: what they open arrives here."""
        super().advance()
        for client in self.clients:
            client.advance()

    def leave(self, because: ClosingReason) -> None:
        """Close without being asked to."""
        self.drop(self.open)
        super().leave(because)

    def sample(self) -> Sample:
        """Return the state of the target now."""
        tally = Tally(opened=self.opened, closed=self.closed, dropped={PEER_RESET: self.dropped} if self.dropped else {})
        phase = Phase.HOLDING if self.phase is Phase.PREPARED else self.phase
        return Sample(
            phase,
            tally,
            processes=1,
            exit_reasons=self.exit_reasons,
            reading=self.reading(),
            taken_ns=taken_ns(),
            closing_reason=self.closing_reason,
        )

    def count(self) -> Inspection:
        """Return what the target's kernel counts now."""
        return Inspection(established=self.open, in_accept_queues=0, half_closed=0, in_syn_queues=0, reading=self.reading())
