"""A shard: one descriptor table, and the loop that keeps its part of a node's assignment open. It uses trio and never gRPC.

Three tasks: the event loop's does everything that concerns connections, the other two read the link and report.
"""

from __future__ import annotations

import time
from _socket import AF_INET, AF_INET6, socket
from collections.abc import Mapping
from dataclasses import astuple, replace
from random import Random

import trio

from c1m.measure.phase import Phase
from c1m.measure.tally import Tally
from c1m.orders.orders import CloseAll, Halt, Order, Probe, Retarget, Start, StopTraffic, StopTurnover, decode
from c1m.processes import link
from c1m.schedule.schedule import NANOSECONDS
from c1m.worker.behaviours.ghost_probe import probe
from c1m.worker.behaviours.heartbeat_sender import Heartbeats
from c1m.worker.behaviours.keepalive import Keepalive
from c1m.worker.behaviours.push_check import PushCheck
from c1m.worker.behaviours.seat_turnover import SeatTurnover
from c1m.worker.behaviours.slow_sender import SlowSender
from c1m.worker.sockets.behaviour import Behaviour
from c1m.worker.sockets.connections import ClientConnections
from c1m.worker.sockets.opener import Opener
from c1m.worker.sockets.reactor import Reactor
from c1m.worker.sockets.source_latencies import SourceLatencies

from .assignment import ShardAssignment
from .loop import ORDERS_WAIT_SECONDS, EventLoop, Notifier
from .regulator import Regulator

REPORT_SECONDS = 0.5
SOURCES_SECONDS = 2.0  # between two reports of latencies by source, which may be 112 KiB of each kind
LAST_ANSWERS_SECONDS = 2.0  # for which they are waited for,
LOOK_SECONDS = 0.01  # ... between two checks come


class Shard:
    """A shard: obeys the orders of its link and reports its progress; closes everything and ends when the link closes."""

    def __init__(self, control: socket, assignment: ShardAssignment, report_seconds: float = REPORT_SECONDS) -> None:
        """Create a shard.

        ``report_seconds`` is the time between two reports while connections are opened; it is doubled during the hold.
        """
        control.setblocking(False)
        self.control = control
        self.assignment = assignment
        self.report_seconds = report_seconds
        family = AF_INET6 if assignment.space.sources.version == 6 else AF_INET
        paced = not assignment.settings.rushes or assignment.settings.turnover is not None
        self.chance = Random(assignment.seed)
        self.connections = ClientConnections(family, assignment.descriptors, paced=paced, sources=assignment.space.sources.size)
        self.connections.half_open = bool(assignment.settings.slow and assignment.settings.slow.half_open)
        self.opener = Opener(self.connections, assignment.settings.dscp)
        reactor = Reactor(self.connections)
        self.regulator = Regulator(assignment, self.opener, reactor, self.chance)
        self.notifier = Notifier()  # something has to be reported at once
        turn_seconds = min(report_seconds, ORDERS_WAIT_SECONDS)
        self.driver = EventLoop(assignment, self.regulator, reactor, self.notifier, turn_seconds)
        self.heartbeats: Heartbeats | None = None
        self.seat_turnover: SeatTurnover | None = None
        self.pushes: PushCheck | None = None
        self.answered = False  # traffic has stopped, and what behaviours had begun is over
        self.told_sources: tuple[Phase, float] = (
            Phase.PREPARED,
            0.0,
        )  # in which phase latencies by source were sent last, and when
        self.probed: tuple[int, int] | None = None  # connections that were probed, and those of them that were ghosts

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.report)
            nursery.start_soon(self.driver.run)
            await self.obey(nursery)
            nursery.cancel_scope.cancel()
        self.close_everything()

    # -- obeying

    async def obey(self, nursery: trio.Nursery) -> None:
        """Receive and carry out the orders of the control process until its end of the link is closed, also during a slow
        close.
        """
        while True:
            await trio.lowlevel.wait_readable(self.control)
            message = link.receive(self.control)
            if message is None:
                return
            await self.follow(decode(message), nursery)

    async def follow(self, order: Order, nursery: trio.Nursery) -> None:
        """Do what an order says."""
        match order:
            case Start():
                self.begin(order.at, order.joined, order.reached)
            case Halt():
                self.driver.halt()
            case Retarget():
                self.driver.retarget(order.schedule, order.kept)
            case StopTurnover():
                if self.seat_turnover:
                    self.seat_turnover.turnover_stopped = True
                self.driver.wake()
            case StopTraffic():
                await self.stop_traffic()
            case Probe():
                self.probed = await probe(self.connections, order.most, self.assignment.settings.keepalive)
                self.notifier.ring()
            case CloseAll():
                nursery.start_soon(self.driver.close, order.reset, order.seconds_a_chunk)

    def begin(self, start: float, joined: float | None = None, reached: Mapping[int, int] | None = None) -> None:
        """Create the behaviours of connections and start the event loop.

        ``joined`` is when the shard learned of a run that had started long before, and had ``reached`` those stages.
        """
        assignment, settings, connections = self.assignment, self.assignment.settings, self.connections
        since = start if joined is None else joined
        behaviours: list[Behaviour] = []
        if settings.heartbeat:
            self.heartbeats = Heartbeats(
                settings.heartbeat, connections, assignment.index, since, sum(route.count for route in assignment.routes)
            )
        if settings.pushed:
            self.pushes = PushCheck(self.heartbeats)
            behaviours.append(self.pushes)
        elif self.heartbeats:
            behaviours.append(self.heartbeats)
        if settings.keepalive:
            behaviours.append(Keepalive(settings.keepalive, connections, since))
        if settings.slow and settings.slow.interval:
            behaviours.append(SlowSender(settings.slow, connections, since))
        if settings.turnover:
            self.seat_turnover = SeatTurnover(
                settings.turnover,
                self.opener,
                self.regulator.rotation,
                start,
                self.chance,
                reset=settings.resets,
                most_in_flight=settings.most_in_flight,
            )
            behaviours.append(self.seat_turnover)
        connections.behave(tuple(behaviours))
        self.regulator.begin(start, self.seat_turnover)
        if joined is not None:
            self.regulator.join(int((joined - start) * NANOSECONDS), reached or {})
            if self.seat_turnover:
                self.seat_turnover.storms.miss(joined - start)
        self.driver.begin(start)

    async def stop_traffic(self) -> None:
        """Stop sending heartbeats and other traffic, and wait for a limited time for answers that are still on their way."""
        self.driver.traffic_stopped = True
        with trio.move_on_after(LAST_ANSWERS_SECONDS):
            while self.heartbeats and self.heartbeats.under_way:
                await trio.sleep(LOOK_SECONDS)
        self.answered = True
        self.notifier.ring()

    def close_everything(self) -> None:
        """Close all connections with a RST, because the control process is gone. Nothing stays behind, TIME_WAIT included."""
        self.connections.close_some(0, len(self.connections.state), reset=True)

    # -- telling

    async def report(self) -> None:
        """Send a tally to the control process periodically while there is something new, and at once when the phase changes.

        Runs until cancelled.
        """
        told: object = None
        while True:
            news = (
                self.driver.phase,
                self.connections.counts(),
                self.heartbeats.missing if self.heartbeats else 0,  # where nobody answers, nothing else changes
                self.probed,
                len(self.regulator.stage_times.reached),
                self.regulator.course.scheduled,
                self.regulator.empty,
                self.turnover_stopped,
                self.answered,
            )
            if news != told or self.sources_due():
                told = news
                await self.tell()
            await self.notifier.wait(self.report_seconds * (2 if self.driver.phase is Phase.HOLDING else 1))

    async def tell(self) -> None:
        message = {
            "phase": int(self.driver.phase),
            "counted_at": time.monotonic(),
            "tally": self.tally().to_message(),
            "heard": self.connections.reader.heard,
            "cpu_seconds": time.thread_time(),
            "probed": self.probed,
            "reached": self.regulator.stage_times.reached,
            "traffic_stopped": self.answered,
            "histograms": self.histograms(),
            "waves": [astuple(wave) for wave in self.seat_turnover.storms.waves] if self.seat_turnover else [],
            "turnover_stopped": self.turnover_stopped,
        }
        if self.sources_due():  # before the message, so that they are there when the phase is reported
            await self.tell_sources()
        await self.send(message)

    async def tell_sources(self) -> None:
        """Send the latencies by source address to the control process, each kind in a message of its own, since they would not
        fit into one.
        """
        self.told_sources = self.driver.phase, time.monotonic()
        for kind, latencies in self.source_latencies().items():
            if latencies.has_rows_news:
                await self.send({"kind": kind, "sources": latencies.rows_news()})

    async def send(self, message: link.Message) -> None:
        packet = link.encode(message)
        while True:
            try:
                self.control.send(packet)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self.control)
            except ConnectionError:
                return  # the control process is gone; ``obey`` reads that, too
            else:
                return

    def sources_due(self) -> bool:
        """Return whether latencies by source address are to be sent: when there is something new, at once in a new phase,
        otherwise periodically.
        """
        phase, at = self.told_sources
        late = phase is not self.driver.phase or time.monotonic() - at >= SOURCES_SECONDS
        return late and any(latencies.has_rows_news for latencies in self.source_latencies().values())

    def tally(self) -> Tally:
        tally = replace(
            self.connections.tally(),
            heartbeats=self.heartbeats.counts() if self.heartbeats else {},
            pushes=self.pushes.counts() if self.pushes else {},
        )
        return self.seat_turnover.add_to(tally) if self.seat_turnover else tally

    @property
    def turnover_stopped(self) -> bool:
        """Whether connections are not replaced any more and none is in flight."""
        return bool(self.seat_turnover and self.seat_turnover.turnover_stopped and not self.connections.in_flight)

    def histograms(self) -> dict[str, dict[int, int]]:
        found = self.connections.histograms()
        return found | {"heartbeat_rtt_us": self.heartbeats.rtt.news()} if self.heartbeats else found

    def source_latencies(self) -> dict[str, SourceLatencies]:
        found = self.connections.source_latencies()
        return found | {"heartbeat_rtt_us": self.heartbeats.rtt} if self.heartbeats else found
