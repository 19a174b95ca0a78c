"""A shard: one process that opens its part of a node's assignment and keeps it open. trio, never gRPC.

One task drives everything that has to do with connections, in steps that no await interrupts; a second one listens to the
link, a third one reports. A step opens what is due, takes in what happened, closes what is too much, gives up on what took
too long, and says how long it can sleep.
"""

from __future__ import annotations

import math
import time
from _socket import AF_INET, AF_INET6, socket
from collections.abc import Iterator
from dataclasses import astuple, replace
from itertools import repeat
from random import Random

import trio

from c1m import link
from c1m.phase import Phase
from c1m.schedule import NANOSECONDS, Schedule
from c1m.tally import Tally

from .assignment import ShardAssignment, schedule_from_message
from .behaviour import Behaviour
from .connections import Connections
from .course import NEVER, Course, Edge, Rush, scattered, steady
from .departures import AnyOf, Departures, Oldest
from .heartbeat import Heartbeats
from .itinerary import Itinerary
from .keepalive import Keepalive
from .milestones import Milestones
from .probe import probe
from .pushes import Pushes
from .succession import Succession
from .trickle import Trickle

CHUNK = 64  # openings between two looks at the epoll: bounds how much a busy shard adds to the latency it measures, 1 ms
STEP_CHUNKS = 4  # chunks before the other tasks get a turn: about 5 ms
OFTEN_SECONDS = 0.02  # with less than this between two openings, they follow one another
DRAIN_SECONDS = 0.01  # for which a shard then waits for its connections alone, and orders wait
REPORT_SECONDS = 0.5
EXPIRY_SECONDS = 0.25  # between two looks for connects that took too long
CLOSE_CHUNK = 64
LAST_ANSWERS_SECONDS = 2.0
ANSWERS_SECONDS = 0.01
ORDERS_WAIT_SECONDS = 0.1  # for a shard that sleeps in its own epoll; trio takes some 100 us for each wakeup


class Shard:
    """Opens, holds and closes as its link says; dies, closing everything, when the link does."""

    def __init__(self, control: socket, assignment: ShardAssignment) -> None:
        control.setblocking(False)
        self.control = control
        self.assignment = assignment
        family = AF_INET6 if assignment.space.sources.version == 6 else AF_INET
        self.itinerary = Itinerary(assignment.space, assignment.routes)
        self.chance = Random(assignment.seed)
        self.course = self.first_course()
        paced = self.course.paced or assignment.turnover is not None
        self.connections = Connections(family, assignment.descriptors, paced=paced)
        self.connections.half_open = bool(assignment.slow and assignment.slow.half_open)
        self.milestones = Milestones(assignment.share, assignment.schedule)
        self.departures: Departures = Oldest() if assignment.oldest_first else AnyOf(self.chance)
        # Where in a tick the shard does what is due: each somewhere else, spread evenly, so that they take turns.
        self.offset = assignment.tick * assignment.share.first / assignment.share.peak
        self.end_ns = 0 if assignment.rushes else assignment.schedule.end_ns
        self.phase = Phase.PREPARED
        self.start = 0.0
        self.next_expiry = 0.0
        self.heartbeats: Heartbeats | None = None
        self.succession: Succession | None = None
        self.pushes: Pushes | None = None
        self.quiet = False  # behaviours do nothing more
        self.answered = False  # ... and what they had begun is over
        self.probed: tuple[int, int] | None = None  # connections that were asked about, and that were ghosts
        self.started = trio.Event()
        self.idle = math.inf  # seconds until the schedule wants something
        self.nap = trio.CancelScope()  # while there is nothing to do
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
                self.course.halt()
                self.end_ns = 0
                self.wake()
            elif "retarget" in order:
                self.retarget(schedule_from_message(order["retarget"]), order["kept"])
            elif "calm" in order:
                if self.succession:
                    self.succession.calm = True
                self.wake()
            elif "quiet" in order:
                await self.quieten()
            elif "probe" in order:
                self.probed = await probe(self.connections, order["probe"], self.assignment.keepalive)
                self.changed.set()
            elif "close" in order:
                await self.close(reset=order["close"] == "rst", seconds_a_chunk=order["seconds_a_chunk"])

    def begin(self, start: float) -> None:
        self.start = start
        assignment, connections = self.assignment, self.connections
        behaviours: list[Behaviour] = []
        if assignment.heartbeat:
            self.heartbeats = Heartbeats(
                assignment.heartbeat, connections, assignment.index, start, sum(route.count for route in assignment.routes)
            )
        if assignment.pushed:
            self.pushes = Pushes(self.heartbeats)
            behaviours.append(self.pushes)
        elif self.heartbeats:
            behaviours.append(self.heartbeats)
        if assignment.keepalive:
            behaviours.append(Keepalive(assignment.keepalive, connections, start))
        if assignment.slow and assignment.slow.interval:
            behaviours.append(Trickle(assignment.slow, connections, start))
        if assignment.turnover:
            self.succession = Succession(
                assignment.turnover,
                connections,
                self.itinerary,
                start,
                self.chance,
                reset=assignment.reset,
                most_in_flight=assignment.most_in_flight,
            )
            behaviours.append(self.succession)
        connections.behave(tuple(behaviours))

    async def report(self) -> None:
        """A tally now and then while there is something new, and at once when the phase changes."""
        told: object = None
        while True:
            self.changed = trio.Event()
            news = (
                self.phase,
                self.connections.counts(),
                self.probed,
                len(self.milestones.reached),
                self.empty,
                self.calm,
                self.answered,
            )
            if news != told:
                told = news
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
            "reached": self.milestones.reached,
            "quiet": self.answered,
            "histograms": self.histograms(),
            "waves": [astuple(wave) for wave in self.succession.storms.waves] if self.succession else [],
            "calm": self.calm,
        }
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

    def tally(self) -> Tally:
        tally = replace(
            self.connections.tally(),
            heartbeats=self.heartbeats.counts() if self.heartbeats else {},
            pushes=self.pushes.counts() if self.pushes else {},
        )
        return self.succession.add_to(tally) if self.succession else tally

    @property
    def calm(self) -> bool:
        """Nothing is replaced any more, and nothing is in flight."""
        return bool(self.succession and self.succession.calm and not self.connections.in_flight)

    def turns(self) -> tuple[int, int]:
        """Openings and closings for the schedule's sake."""
        connections = self.connections
        if not self.succession:
            return connections.opened, connections.closed
        return connections.opened - self.succession.seats.arrived, connections.closed - self.succession.seats.vacated

    @property
    def empty(self) -> int:
        """Seats that are the schedule's, and whose connection is away or waits for another try."""
        return self.succession.seats.empty if self.succession else 0

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
        connections, nested, next_turn = self.connections, False, 0.0
        while True:
            sleep = self.step(time.monotonic())
            if self.is_opening(sleep):
                # Not by trio while descriptors are added: an epoll inside of another one takes a mutex of the whole host for
                # each of them (fs/eventpoll.c: epnested_mutex), and to put it there walks all that it has already.
                if nested:
                    trio.lowlevel.notify_closing(connections.epoll)
                    nested = False
                await trio.lowlevel.checkpoint()
                connections.drain(min(sleep, DRAIN_SECONDS))
            elif connections.behaviours and sleep <= ORDERS_WAIT_SECONDS:
                if (now := time.monotonic()) >= next_turn:
                    next_turn = now + ORDERS_WAIT_SECONDS
                    await trio.lowlevel.checkpoint()
                self.live(now, min(self.idle, ORDERS_WAIT_SECONDS))
            else:
                nested = True
                if connections.behaviours:  # most answers to a burst come at once
                    connections.attend(time.monotonic() + min(sleep, ANSWERS_SECONDS))
                with trio.move_on_after(sleep) as self.nap:
                    await trio.lowlevel.wait_readable(connections.epoll)

    def is_opening(self, sleep: float) -> bool:
        """Whether connections are opened one after another, and not one now and then."""
        often = sleep < OFTEN_SECONDS
        return bool(self.course.waiting) or (often and (self.course.next_ns != NEVER or self.succession is not None))

    def wake(self) -> None:
        """There is something to do that was not to be foreseen."""
        self.nap.cancel()

    def step(self, now: float) -> float:
        """Do what is due; the seconds until there is more, unless a connection has something to say before."""
        connections = self.connections
        elapsed = now - self.start
        elapsed_ns = int(elapsed * NANOSECONDS)
        self.course.advance(elapsed_ns)
        if self.surplus > 0:
            self.close_surplus()
        if connections.lost and not (self.succession and self.succession.backoff):
            self.reclaim()
        if self.course.waiting:
            self.open_due()
        connections.drain()
        if elapsed_ns >= self.milestones.next_ns and self.phase is Phase.OPENING:
            self.milestones.look(elapsed_ns, *self.turns(), connections.established + self.empty)
        if connections.in_flight and elapsed >= self.next_expiry:
            self.next_expiry = elapsed + EXPIRY_SECONDS
            connections.expire(now - self.assignment.connect_timeout)
        if self.phase is Phase.OPENING and elapsed_ns >= self.end_ns and self.is_done():
            self.enter(Phase.HOLDING)
        acting = self.act(now)
        self.idle = self.sleep(elapsed)
        return min(self.idle, acting)

    def live(self, now: float, seconds: float) -> None:
        """Nothing but what behaviours do, for so long: a step in between is half of what a burst of heartbeats costs."""
        end = now + seconds
        while now < end:
            self.connections.attend(min(now + self.act(now), end))
            now = time.monotonic()

    def act(self, now: float) -> float:
        """Let behaviours do what is due, until closing begins; the seconds until there is more."""
        behaviours = self.connections.behaviours
        if not behaviours or self.quiet or self.phase >= Phase.CLOSING:
            return math.inf
        for _ in range(STEP_CHUNKS):
            sleep = min(behaviour.act(now) for behaviour in behaviours) - now
            if sleep > 0:
                return sleep
            self.connections.drain()
        return 0

    def sleep(self, elapsed: float) -> float:
        connections, course = self.connections, self.course
        if self.openable > 0:
            return 0
        if connections.established and self.surplus > 0:
            return 0
        waits = [math.inf]
        if connections.in_flight:
            waits.append(EXPIRY_SECONDS)
        if course.next_ns != NEVER:
            waits.append(self.until(course.next_ns / NANOSECONDS, elapsed))
        elif self.phase is Phase.OPENING and self.end_ns > elapsed * NANOSECONDS:
            waits.append(self.end_ns / NANOSECONDS - elapsed)
        return min(waits)

    def until(self, due: float, elapsed: float) -> float:
        """Seconds to sleep: to the moment itself when it is further away than a tick, otherwise to the tick it falls in."""
        tick = self.assignment.tick
        if due - elapsed > tick:
            return due - elapsed
        return math.ceil((due - self.offset) / tick) * tick + self.offset - elapsed

    # -- up

    def open_due(self) -> None:
        for _ in range(STEP_CHUNKS):
            chunk = min(self.openable, CHUNK)
            if chunk <= 0:
                return
            self.open_chunk(chunk)
            self.connections.drain()

    @property
    def openable(self) -> int:
        """Connections that are due, and for which there is room: in flight, and where others have to be closed before."""
        room = self.assignment.most_in_flight - self.connections.in_flight
        return min(self.course.waiting - max(self.surplus, 0), room)

    def open_chunk(self, chunk: int) -> None:
        leg = self.itinerary.next_leg()
        assert leg, "what the schedule wants has a place in the plan"
        wanted = min(chunk, leg.wanted)
        leg.wanted -= wanted
        opened = self.connections.open(leg, wanted, self.due_times(wanted))
        if opened < wanted:  # the tuples ran out: every other port of the route is somebody else's
            self.connections.unplaced(leg, wanted - opened)

    def due_times(self, count: int) -> Iterator[float]:
        """Begin so many of those that wait; when each was due, on the monotonic clock."""
        times = self.course.take(count)
        if not self.course.paced:
            return repeat(time.monotonic())
        return (self.start + when / NANOSECONDS for when in times)

    # -- down

    @property
    def surplus(self) -> int:
        """Connections that are open, on the way or away beyond what the schedule wants."""
        connections, course = self.connections, self.course
        return connections.established + connections.in_flight + self.empty + course.waiting - course.scheduled

    def close_surplus(self) -> None:
        """What is in flight is closed when it has arrived."""
        chosen = self.departures.choose(self.connections, min(self.surplus, CLOSE_CHUNK))
        for place in self.connections.close(chosen, reset=self.assignment.reset):
            self.itinerary.give_back(place)
        if self.succession and not self.connections.established:
            self.succession.seats.forgo(max(self.surplus, 0))

    def reclaim(self) -> None:
        """Places of connections that were lost, as far as the schedule does not count on them any more.

        A connection that failed or was dropped is not opened again, and keeps its place: it would be taken from another one.
        """
        lost = self.connections.lost
        for _ in range(len(lost) + min(self.surplus, 0)):
            self.itinerary.give_back(lost.popleft())

    # -- the schedule

    def first_course(self) -> Rush | Course:
        assignment = self.assignment
        if assignment.rushes:
            return Rush(assignment.share.size)
        return Course(self.edges(assignment.schedule))

    def edges(self, schedule: Schedule, since_ns: int = -1) -> Iterator[Edge]:
        if self.assignment.scattered:
            return scattered(self.assignment.share, schedule, self.chance, since_ns)
        return steady(self.assignment.share, schedule, since_ns)

    def is_done(self) -> bool:
        """Whether everything that the schedule asked for is."""
        if self.course.waiting or self.surplus > 0:
            return False
        return not self.connections.in_flight or (
            self.succession is not None and not self.succession.seats.is_first_in_flight()
        )

    def retarget(self, schedule: Schedule, kept: int) -> None:
        """Follow another schedule, of which the first ``kept`` stages are those of the one before."""
        elapsed_ns = int((time.monotonic() - self.start) * NANOSECONDS)
        self.course.advance(elapsed_ns)
        if not self.connections.paced:
            self.itinerary.recount(self.connections.begin_to_pace(self.itinerary.by_destination()))
        scheduled = self.assignment.share.count(schedule.at(elapsed_ns))
        self.course = self.course.turn(self.edges(schedule, elapsed_ns), scheduled, elapsed_ns)
        self.milestones.follow(schedule, kept)
        self.end_ns = schedule.end_ns
        if self.phase is Phase.HOLDING:
            self.enter(Phase.OPENING)
        self.wake()

    async def close(self, *, reset: bool, seconds_a_chunk: float) -> None:
        """Close everything, a chunk at a time, never faster than the node asked."""
        self.course.halt()
        self.enter(Phase.CLOSING)
        position = 0
        while position >= 0:
            began = trio.current_time()
            position = self.connections.close_some(position, CLOSE_CHUNK, reset=reset)
            await trio.sleep_until(began + seconds_a_chunk)
        self.enter(Phase.CLOSED)

    async def quieten(self) -> None:
        """Send nothing more, and give answers that are still on their way some time to come."""
        self.quiet = True
        with trio.move_on_after(LAST_ANSWERS_SECONDS):
            while self.heartbeats and self.heartbeats.under_way:
                await trio.sleep(DRAIN_SECONDS)
        self.answered = True
        self.changed.set()

    def close_everything(self) -> None:
        """The control process is gone: leave nothing behind, TIME_WAIT included."""
        self.connections.close_some(0, len(self.connections.state), reset=True)
