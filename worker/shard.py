"""A shard: one process that opens its part of a node's assignment and keeps it open. trio, never gRPC.

One task drives everything that has to do with connections, in steps that no await interrupts; a second one listens to the
link, a third one reports. A step opens what is due, takes in what happened, gives up on what took too long, and says
how long it can sleep.
"""

from __future__ import annotations

import itertools
import time
from _socket import AF_INET, AF_INET6, socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import trio

from c1m import link
from c1m.addresses import AddressBlock, AddressPool
from c1m.heartbeat import Heartbeat
from c1m.node import Phase
from c1m.pace import FOREVER, pace
from c1m.ports import PortRanges
from c1m.routes import Route, TupleSpace
from c1m.tally import Tally
from c1m.zygote import name_process

from .connections import Connections
from .heartbeat import Heartbeats
from .itinerary import Itinerary
from .probe import probe

CHUNK = 64  # openings between two looks at the epoll: bounds how much a busy shard adds to the latency it measures, 1 ms
STEP_CHUNKS = 4  # chunks before the other tasks get a turn: about 5 ms
TICK_SECONDS = 0.01  # an open loop wakes no more often than this, lest fifty shards spend their time waking; nor do orders wait
REPORT_SECONDS = 0.5
EXPIRY_SECONDS = 0.25  # between two looks for connects that took too long
CLOSE_CHUNK = 64
LAST_ANSWERS_SECONDS = 2.0  # for answers that are still on their way when closing begins


@dataclass(frozen=True, slots=True)
class ShardAssignment:
    """What one shard is to do."""

    index: int
    space: TupleSpace
    routes: tuple[Route, ...]
    rate: float  # connections a second; 0 is as fast as they go
    phase: float  # seconds; see pace.Steady
    descriptors: int  # size of the shard's descriptor table
    most_in_flight: int
    connect_timeout: float  # seconds
    heartbeat: Heartbeat | None = None

    def to_message(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "blocks": [(block.first, block.count, block.version) for block in self.space.sources.blocks],
            "ports": self.space.ports.ranges,
            "routes": [(route.destination, route.first, route.span, route.count) for route in self.routes],
            "rate": self.rate,
            "phase": self.phase,
            "descriptors": self.descriptors,
            "most_in_flight": self.most_in_flight,
            "connect_timeout": self.connect_timeout,
            "heartbeat": self.heartbeat.to_message() if self.heartbeat else None,
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> ShardAssignment:
        values = dict(message)
        sources = AddressPool(tuple(AddressBlock(*block) for block in values.pop("blocks")))
        ports = PortRanges(tuple((low, high) for low, high in values.pop("ports")))
        routes = tuple(Route((host, port), *rest) for (host, port), *rest in values.pop("routes"))
        heartbeat = values.pop("heartbeat")
        return cls(
            space=TupleSpace(sources, ports),
            routes=routes,
            heartbeat=Heartbeat.from_message(heartbeat) if heartbeat else None,
            **values,
        )


def main(control: socket, _: list[int]) -> None:
    """The whole life of a shard process."""
    message = link.receive(control)
    if message is None:
        return
    assignment = ShardAssignment.from_message(message)
    name_process(f"c1m-shard {assignment.index}")
    trio.run(Shard(control, assignment).run)


def rehearse() -> None:
    """What every shard does, done once by the zygote: see ``zygote.main``."""
    ours, theirs = link.pair()
    space = TupleSpace(AddressPool((AddressBlock(2130706434, 1, 4),)), PortRanges(((1024, 1024),)))
    shard = Shard(theirs, ShardAssignment(0, space, (), 0.0, 0.0, 64, 1, 1.0))
    ours.close()
    trio.run(shard.run)


class Shard:
    """Opens, holds and closes as its link says; dies, closing everything, when the link does."""

    def __init__(self, control: socket, assignment: ShardAssignment) -> None:
        control.setblocking(False)
        self.control = control
        self.assignment = assignment
        family = AF_INET6 if assignment.space.sources.version == 6 else AF_INET
        self.connections = Connections(family, assignment.descriptors, paced=bool(assignment.rate))
        self.itinerary = Itinerary(assignment.space, assignment.routes)
        self.left = self.itinerary.wanted
        self.pace = pace(assignment.rate, assignment.phase)
        self.phase = Phase.PREPARED
        self.start = 0.0
        self.next_expiry = 0.0
        self.heartbeats: Heartbeats | None = None
        self.probed: tuple[int, int] | None = None  # connections that were asked about, and that were ghosts
        self.started = trio.Event()
        self.changed = trio.Event()  # there is something to tell at once

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.report)
            nursery.start_soon(self.drive)
            await self.obey()
            nursery.cancel_scope.cancel()
        self.close_everything()

    # -- the link

    async def obey(self) -> None:
        """Until the control process is gone."""
        while True:
            await trio.lowlevel.wait_readable(self.control)
            order = link.receive(self.control)
            if order is None:
                return
            if "start" in order:
                self.begin(order["start"])
                self.enter(Phase.OPENING)
                self.started.set()
            elif "halt" in order:
                self.left = 0
            elif "probe" in order:
                self.probed = await probe(self.connections, order["probe"])
                self.changed.set()
            elif "close" in order:
                await self.close(reset=order["close"] == "rst", seconds_a_chunk=order["seconds_a_chunk"])

    def begin(self, start: float) -> None:
        self.start = start
        if self.assignment.heartbeat:
            self.heartbeats = Heartbeats(self.assignment.heartbeat, self.connections, self.assignment.index, start)
            self.connections.behave((self.heartbeats,))

    async def report(self) -> None:
        """A tally now and then while there is something new, and at once when the phase changes."""
        told: object = None
        while True:
            self.changed = trio.Event()
            counts = self.connections.counts()
            if (self.phase, counts, self.probed) != told:
                told = (self.phase, counts, self.probed)
                await self.tell()
            with trio.move_on_after(REPORT_SECONDS if self.phase is not Phase.HOLDING else 2 * REPORT_SECONDS):
                await self.changed.wait()

    async def tell(self) -> None:
        message = {
            "phase": int(self.phase),
            "tally": self.tally().to_message(),
            "heard": self.connections.reader.heard,
            "cpu_seconds": time.process_time(),
            "probed": self.probed,
            "histograms": self.histograms(),
        }
        packet = link.encode(message)
        while True:
            try:
                self.control.send(packet)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self.control)
            except BrokenPipeError:
                return  # the control process is gone; ``obey`` reads that, too
            else:
                return

    def tally(self) -> Tally:
        tally = self.connections.tally()
        return replace(tally, heartbeats=self.heartbeats.counted) if self.heartbeats else tally

    def histograms(self) -> dict[str, dict[int, int]]:
        found = self.connections.histograms()
        return found | {"heartbeat_rtt_us": self.heartbeats.rtt.news()} if self.heartbeats else found

    def enter(self, phase: Phase) -> None:
        self.phase = phase
        self.changed.set()

    # -- the connections

    async def drive(self) -> None:
        await self.started.wait()
        await trio.sleep(max(self.start - time.monotonic(), 0))
        connections = self.connections
        while True:
            sleep = self.step(time.monotonic())
            if self.left:
                await trio.lowlevel.checkpoint()
                # Not by trio while descriptors are added: an epoll inside of another one takes a mutex of the whole host for
                # each of them (fs/eventpoll.c: epnested_mutex), and to put it there walks all that it has already.
                connections.drain(min(sleep, TICK_SECONDS))
            else:
                with trio.move_on_after(sleep):
                    await trio.lowlevel.wait_readable(connections.epoll)

    def step(self, now: float) -> float:
        """Do what is due; the seconds until there is more, unless a connection has something to say before."""
        connections = self.connections
        elapsed = now - self.start
        if self.left:
            self.open_due(elapsed)
        connections.drain()
        if connections.in_flight and elapsed >= self.next_expiry:
            self.next_expiry = elapsed + EXPIRY_SECONDS
            connections.expire(now - self.assignment.connect_timeout)
        if not self.left and not connections.in_flight and self.phase is Phase.OPENING:
            self.enter(Phase.HOLDING)
        acting = self.act(now)
        return min(self.sleep(elapsed), acting)

    def act(self, now: float) -> float:
        """Let behaviours do what is due, until closing begins; the seconds until there is more."""
        if self.phase >= Phase.CLOSING:
            return FOREVER
        return max(min((behaviour.act(now) for behaviour in self.connections.behaviours), default=FOREVER) - now, 0)

    def sleep(self, elapsed: float) -> float:
        waits = [FOREVER]
        if self.connections.in_flight:
            waits.append(EXPIRY_SECONDS)
        if self.left and self.connections.in_flight < self.assignment.most_in_flight:
            waits.append(self.until_due(elapsed))
        return min(waits)

    def until_due(self, elapsed: float) -> float:
        wait = self.pace.when(self.connections.attempted) - elapsed
        return max(wait, TICK_SECONDS) if wait > 0 else 0

    def open_due(self, elapsed: float) -> None:
        connections = self.connections
        for _ in range(STEP_CHUNKS):
            behind = self.pace.due(elapsed) - connections.attempted
            room = self.assignment.most_in_flight - connections.in_flight
            chunk = int(min(behind, room, self.left, CHUNK))
            if chunk <= 0:
                return
            self.open_chunk(chunk)
            connections.drain()

    def open_chunk(self, chunk: int) -> None:
        leg = self.itinerary.next_leg()
        if leg is None:
            self.left = 0
            return
        wanted = min(chunk, leg.wanted)
        opened = self.connections.open(leg.tuples, leg.destination, wanted, self.due_times())
        leg.wanted -= opened
        if opened < wanted:  # the tuples ran out: every other port of the route is somebody else's
            self.connections.unplaced(leg.wanted)
            opened += leg.wanted
            leg.wanted = 0
        self.left -= opened

    def due_times(self) -> Iterator[float]:
        """When the next connections are due, on the monotonic clock."""
        return (self.start + self.pace.when(index) for index in itertools.count(self.connections.attempted))

    async def close(self, *, reset: bool, seconds_a_chunk: float) -> None:
        """Close everything, a chunk at a time, never faster than the node asked."""
        self.left = 0
        self.enter(Phase.CLOSING)
        await self.last_answers()
        position = 0
        while position >= 0:
            began = trio.current_time()
            position = self.connections.close_some(position, CLOSE_CHUNK, reset=reset)
            await trio.sleep_until(began + seconds_a_chunk)
        self.enter(Phase.CLOSED)

    async def last_answers(self) -> None:
        """Nothing more is sent: once what is under way was answered, both sides agree on every byte."""
        with trio.move_on_after(LAST_ANSWERS_SECONDS):
            while self.heartbeats and self.heartbeats.under_way:
                await trio.sleep(TICK_SECONDS)

    def close_everything(self) -> None:
        """The control process is gone: leave nothing behind, TIME_WAIT included."""
        self.connections.close_some(0, len(self.connections.state), reset=True)
