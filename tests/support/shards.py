"""Shards in this process, on real sockets: a server on loopback, and the side of the link that a node has.

Orders and assignments are built here, and nowhere else in the tests of shards.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import fields, replace
from struct import pack
from typing import Any

import trio
from in_process import InProcessZygote, ShardTasks

from c1m.measure.phase import Close, CloseOrder, Phase
from c1m.measure.reasons import ExitReason
from c1m.measure.tally import Tally
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import Address, Route, TupleSpace
from c1m.orders.orders import CloseAll, Halt, Order, Probe, Retarget, Start, StopTraffic, StopTurnover
from c1m.orders.shard_settings import ShardSettings
from c1m.processes.child import Child
from c1m.processes.children import Supervisor
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import NANOSECONDS, Arrival, Schedule, Stage
from c1m.worker.node.worker_node import child_spec
from c1m.worker.shard.assignment import ShardAssignment

TABLE = 1024  # descriptors of a shard
SOURCES, PORTS = 8, PortRanges(((21_000, 21_049),))
BLOCKS = itertools.count(1)  # a block of sources for each shard, so that what rests in TIME_WAIT disturbs nobody
LONG_SECONDS = 10.0  # after which a test fails that waits
RESET = pack("ii", 1, 0)


# -- what is asked for


def space() -> TupleSpace:
    """Return 400 tuples that no other shard of this process has had."""
    number = next(BLOCKS)
    return TupleSpace(AddressPool((AddressBlock(127 << 24 | 77 << 16 | number * SOURCES, SOURCES, 4),)), PORTS)


def stages(*wanted: tuple[int, float]) -> Schedule:
    """Return a schedule of (connections, seconds)."""
    return Schedule(tuple(Stage(total, round(seconds * NANOSECONDS)) for total, seconds in wanted))


def assignment(
    total: int,
    *destinations: Address,
    spare: int = 0,
    rushes: bool = True,
    scattered: bool = False,
    oldest_first: bool = True,
    reset: bool = True,
    **changes: Any,
) -> ShardAssignment:
    """Return an assignment that is divided among destinations, and by default opens as fast as it can.

    ``spare``: more tuples for each. ``changes`` are of the assignment, or of its settings.
    """
    each = total // len(destinations)
    routes = tuple(
        Route(destination, index * (each + spare), each + spare, each) for index, destination in enumerate(destinations)
    )
    settings = ShardSettings(
        schedule=stages((total, 0)),
        peak=total,
        most_in_flight=total,
        connect_timeout=5.0,
        lease=15.0,
        seed=1,
        arrival=Arrival.CLOSED_LOOP if rushes else Arrival.POISSON if scattered else Arrival.CONSTANT,
        close=Close.RESET if reset else Close.FIN,
        close_order=CloseOrder.OLDEST if oldest_first else CloseOrder.RANDOM,
    )
    common = {field.name for field in fields(ShardSettings)} & set(changes)
    made = ShardAssignment(
        index=0,
        space=space(),
        routes=routes,
        share=RingShare(total, 0, total),
        settings=replace(settings, **{name: changes.pop(name) for name in common}),
        descriptors=TABLE,
        tick=0.002,
    )
    return replace(made, **changes)


def start_order(at: float | None = None, joined: float | None = None, reached: dict[int, int] | None = None) -> Order:
    return Start(time.monotonic() if at is None else at, joined, reached or {})


def halt_order() -> Order:
    return Halt()


def retarget_order(schedule: Schedule, kept: int) -> Order:
    return Retarget(schedule, kept)


def stop_turnover_order() -> Order:
    return StopTurnover()


def stop_traffic_order() -> Order:
    return StopTraffic()


def probe_order(most: int) -> Order:
    return Probe(most)


def close_order(how: str = "rst", seconds_a_chunk: float = 0.0) -> Order:
    return CloseAll(how == "rst", seconds_a_chunk)


# -- the server


class Server:
    """A listener, and what it accepted, oldest first."""

    def __init__(self, backlog: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.listener.setblocking(False)
        self.address: Address = self.listener.getsockname()
        self.accepted: list[socket.socket] = []
        self.others: list[socket.socket] = []  # connections of the test itself

    def fill(self) -> None:
        """Fill the accept queue of a server whose backlog is 0. Nobody else gets an answer from then on."""
        self.others.append(socket.create_connection(self.address))

    def accept(self) -> list[socket.socket]:
        """Accept everybody who waits, and return all accepted ones."""
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.setblocking(False)
                self.accepted.append(connection)
        return self.accepted

    async def accepts(self, count: int) -> list[socket.socket]:
        """Accept until there are ``count``."""
        with trio.fail_after(LONG_SECONDS):
            while len(self.accept()) < count:
                await trio.lowlevel.wait_readable(self.listener)
        return self.accepted

    async def serve(self, answer: Callable[[socket.socket, bytes], object]) -> None:
        """Accept, and call ``answer`` with what each connection sends."""
        async with trio.open_nursery() as nursery:
            while True:
                before = len(self.accepted)
                for connection in self.accept()[before:]:
                    nursery.start_soon(self.hear, connection, answer)
                await trio.lowlevel.wait_readable(self.listener)

    async def hear(self, connection: socket.socket, answer: Callable[[socket.socket, bytes], object]) -> None:
        with suppress(OSError, trio.ClosedResourceError):
            while True:
                await trio.lowlevel.wait_readable(connection)
                if not (data := connection.recv(65_536)):
                    return
                answer(connection, data)

    def hang_up(self, count: int | None = None, *, reset: bool = True) -> None:
        """Close the oldest connections, all by default."""
        for connection in self.accepted[:count]:
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            trio.lowlevel.notify_closing(connection)
            connection.close()
        del self.accepted[:count]

    def close(self) -> None:
        for connection in (self.listener, *self.accepted, *self.others):
            connection.close()


@contextmanager
def server(backlog: int = 512) -> Iterator[Server]:
    made = Server(backlog)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def taken(sources: Iterable[Address]) -> Iterator[None]:
    """Somebody listens on each of these addresses."""
    with ExitStack() as listeners:
        for source in sources:
            listeners.enter_context(socket.create_server(source))
        yield


def nobody() -> Address:
    """Return an address on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address: Address = listener.getsockname()
    return address


def ending(connection: socket.socket) -> str:
    """Return what the peer did: "open", "fin" or "rst"."""
    try:
        return "open" if connection.recv(65_536) else "fin"
    except BlockingIOError:
        return "open"
    except ConnectionResetError:
        return "rst"


# -- the node's side


class Shards:
    """Shards that run, and what the node knows of them."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.changed = trio.Event()
        self.ended: list[ExitReason] = []
        self.tasks = ShardTasks(nursery)
        self.supervisor = Supervisor(InProcessZygote(self.tasks.begin), nursery, self.change, self.end)

    def change(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    async def end(self, _: object, reason: ExitReason) -> None:
        self.ended.append(reason)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for reports until the condition holds."""
        with trio.fail_after(LONG_SECONDS):
            while not condition():
                await self.changed.wait()

    async def order(self, order: Order) -> None:
        await self.supervisor.order(order)

    async def start(self, at: float | None = None) -> None:
        await self.order(start_order(at))

    async def holds(self) -> None:
        await self.until(lambda: self.phase >= Phase.HOLDING)

    async def close(self, how: str = "rst") -> None:
        await self.order(close_order(how))
        await self.until(lambda: self.phase is Phase.CLOSED)

    @property
    def descriptors(self) -> list[int]:
        """The descriptors of the connections of all shards."""
        return [each for shard in self.tasks.shards for each, state in enumerate(shard.connections.state) if state]

    @property
    def child(self) -> Child:
        return self.supervisor.children[0]

    @property
    def phase(self) -> Phase:
        return min(child.phase or Phase.PREPARED for child in self.supervisor.children)

    @property
    def tally(self) -> Tally:
        return self.supervisor.tally()

    def latencies(self, name: str) -> dict[int, int]:
        """Return microseconds -> how many, of one histogram."""
        return self.supervisor.histograms()[name]


@asynccontextmanager
async def running(*wanted: ShardAssignment) -> AsyncIterator[Shards]:
    """Shards that are ready, until the end of the block. Then their links close, which ends them."""
    async with trio.open_nursery() as nursery:
        it = Shards(nursery)
        try:
            await it.supervisor.hire([child_spec(each) for each in wanted])
            await it.until(lambda: all(child.phase for child in it.supervisor.children))
            yield it
            with trio.fail_after(LONG_SECONDS):
                await it.supervisor.dismiss()
        finally:
            for child in it.supervisor.children:
                child.end.close()
        nursery.cancel_scope.cancel()
