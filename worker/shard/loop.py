"""The event loop of a shard, from the start of the run to the last close.

It runs in steps that no await interrupts. A step opens what is due, takes the kernel's events, closes the surplus, gives up
connects that took too long, and says how long the shard can sleep.
"""

from __future__ import annotations

import math
import time

import trio

from c1m.measure.phase import Phase
from c1m.schedule.schedule import NANOSECONDS, Schedule
from c1m.worker.sockets.reactor import Reactor

from .assignment import ShardAssignment
from .pacer import NEVER
from .regulator import CLOSE_CHUNK, Regulator

CHUNK = 64  # openings between two polls of the epoll: bounds what a busy shard adds to the latency it measures, 1 ms
STEP_CHUNKS = 4  # chunks before the other tasks get a turn: about 5 ms
OFTEN_SECONDS = 0.02  # with less than this between two openings, opening counts as continuous
DRAIN_SECONDS = 0.01  # for which a shard then waits only for its connections, while orders wait
EXPIRY_SECONDS = 0.25  # between two looks for connects that took too long
ANSWERS_SECONDS = 0.01  # for which a shard stays awake after a burst
ORDERS_WAIT_SECONDS = 0.1  # for a shard that sleeps in its own epoll; trio takes some 100 us for each wakeup


class EventLoop:
    """The event loop of a shard: gives openings, events and behaviours their turns, and sleeps between them.

    Times are seconds on the monotonic clock; ``elapsed`` are seconds since the start of the run.
    """

    def __init__(
        self,
        assignment: ShardAssignment,
        regulator: Regulator,
        reactor: Reactor,
        notifier: Notifier,
        turn_seconds: float = ORDERS_WAIT_SECONDS,
    ) -> None:
        """Create the event loop of a shard.

        ``notifier`` is notified when the phase changes; ``turn_seconds`` is how long the shard's other tasks wait for a turn.
        """
        self.assignment = assignment
        self.regulator = regulator
        self.reactor = reactor
        self.connections = reactor.connections
        self.notifier = notifier
        self.turn_seconds = turn_seconds
        # Where in a tick this shard does what is due. Shards are spread evenly over a tick, so that they take turns.
        self.offset = assignment.tick * assignment.share.first / assignment.share.peak
        self.phase = Phase.PREPARED
        self.start = 0.0
        self.started = trio.Event()
        self.next_expiry = 0.0
        self.traffic_stopped = False  # behaviours do nothing more
        self.idle = math.inf  # seconds until the schedule wants something
        self.nap = trio.CancelScope()  # while there is nothing to do

    # -- orders

    def begin(self, start: float) -> None:
        self.start = start
        self.enter(Phase.OPENING)
        self.started.set()

    def halt(self) -> None:
        """Stop opening and closing connections for the schedule; those that are open stay open."""
        self.regulator.halt()
        self.wake()

    def retarget(self, schedule: Schedule, kept: int) -> None:
        """Make the shard follow another schedule, whose first ``kept`` stages are those of the schedule before."""
        self.regulator.retarget(schedule, kept, int((time.monotonic() - self.start) * NANOSECONDS))
        if self.phase is Phase.HOLDING:
            self.enter(Phase.OPENING)
        self.wake()

    async def close(self, reset: bool, seconds_a_chunk: float) -> None:
        """Close all connections of the shard, a chunk at a time, and enter the phase CLOSED.

        A chunk takes ``seconds_a_chunk`` at least.
        """
        self.regulator.course.halt()
        self.enter(Phase.CLOSING)
        position = 0
        while position >= 0:
            began = trio.current_time()
            position = self.connections.close_some(position, CLOSE_CHUNK, reset=reset)
            await trio.sleep_until(began + seconds_a_chunk)
        self.enter(Phase.CLOSED)

    def enter(self, phase: Phase) -> None:
        self.phase = phase
        self.notifier.ring()

    def wake(self) -> None:
        """End the event loop's sleep at once, because something has to be done that could not be foreseen."""
        self.nap.cancel()

    # -- the loop

    async def run(self) -> None:
        await self.started.wait()
        await trio.sleep(max(self.start - time.monotonic(), 0))
        connections, reactor, nested, next_turn = self.connections, self.reactor, False, 0.0
        while True:
            sleep = self.step(time.monotonic())
            if self.is_opening(sleep):
                # Not through trio while descriptors are added: an epoll inside another one takes a mutex of the whole host for
                # each of them (fs/eventpoll.c: epnested_mutex), and nesting it walks all descriptors that it has already.
                if nested:
                    trio.lowlevel.notify_closing(connections.epoll)
                    nested = False
                await trio.lowlevel.checkpoint()
                reactor.drain(min(sleep, DRAIN_SECONDS))
            elif connections.behaviours and sleep <= self.turn_seconds:
                if (now := time.monotonic()) >= next_turn:
                    next_turn = now + self.turn_seconds
                    await trio.lowlevel.checkpoint()
                self.live(now, min(self.idle, self.turn_seconds))
            else:
                nested = True
                if connections.behaviours:  # most answers to a burst come at once
                    reactor.attend(time.monotonic() + min(sleep, ANSWERS_SECONDS))
                with trio.move_on_after(sleep) as self.nap:
                    await trio.lowlevel.wait_readable(connections.epoll)

    def is_opening(self, sleep: float) -> bool:
        """Return whether the shard opens connections continuously, and not one now and then."""
        regulator, often = self.regulator, sleep < OFTEN_SECONDS
        return bool(regulator.course.waiting) or (
            often and (regulator.course.next_ns != NEVER or regulator.seat_turnover is not None)
        )

    def step(self, now: float) -> float:
        """Do what is due in the shard, and return the seconds until the next thing is due, if no connection has an event
        before.
        """
        regulator, reactor = self.regulator, self.reactor
        elapsed = now - self.start
        elapsed_ns = int(elapsed * NANOSECONDS)
        regulator.advance(elapsed_ns)
        if regulator.course.waiting:
            self.open_due()
        reactor.drain()
        if self.phase is Phase.OPENING:
            regulator.note(elapsed_ns)
        if self.connections.in_flight and elapsed >= self.next_expiry:
            self.next_expiry = elapsed + EXPIRY_SECONDS
            reactor.expire(now - self.assignment.settings.connect_timeout, now)
        if self.phase is Phase.OPENING and regulator.is_done(elapsed_ns):
            self.enter(Phase.HOLDING)
        acting = self.act(now)
        self.idle = self.sleep(elapsed)
        return min(self.idle, acting)

    def open_due(self) -> None:
        for _ in range(STEP_CHUNKS):
            chunk = min(self.regulator.openable, CHUNK)
            if chunk <= 0:
                return
            self.regulator.open_chunk(chunk)
            self.reactor.drain()

    def live(self, now: float, seconds: float) -> None:
        """Run only the behaviours of connections for ``seconds``: a full step in between costs half as much as a burst of
        heartbeats.
        """
        end = now + seconds
        while now < end:
            self.reactor.attend(min(now + self.act(now), end))
            now = time.monotonic()

    def act(self, now: float) -> float:
        """Let the behaviours of connections do what is due, until closing begins, and return the seconds until more is due;
        infinite for never.
        """
        behaviours = self.connections.behaviours
        if not behaviours or self.traffic_stopped or self.phase >= Phase.CLOSING:
            return math.inf
        for _ in range(STEP_CHUNKS):
            sleep = min(behaviour.act(now) for behaviour in behaviours) - now
            if sleep > 0:
                return sleep
            self.reactor.drain()
        return 0

    # -- sleep

    def sleep(self, elapsed: float) -> float:
        """Return the seconds that the event loop may sleep: until the schedule opens or closes something, or until connects
        time out.
        """
        connections, regulator = self.connections, self.regulator
        if regulator.openable > 0:
            return 0
        if connections.established and regulator.surplus > 0:
            return 0
        waits = [math.inf]
        if connections.in_flight:
            waits.append(EXPIRY_SECONDS)
        if regulator.course.next_ns != NEVER:
            waits.append(self.until(regulator.course.next_ns / NANOSECONDS, elapsed))
        elif self.phase is Phase.OPENING and regulator.end_ns > elapsed * NANOSECONDS:
            waits.append(regulator.end_ns / NANOSECONDS - elapsed)
        return min(waits)

    def until(self, due: float, elapsed: float) -> float:
        """Return the seconds to sleep until the time ``due``: to that moment itself if it is more than a tick away, otherwise
        to the end of its tick.
        """
        tick = self.assignment.tick
        if due - elapsed > tick:
            return due - elapsed
        return math.ceil((due - self.offset) / tick) * tick + self.offset - elapsed


class Notifier:
    """Wakes one waiting task. A notification without a waiting task wakes the next one that waits."""

    def __init__(self) -> None:
        self.rung = trio.Event()

    def ring(self) -> None:
        self.rung.set()

    async def wait(self, seconds: float) -> None:
        """Wait for a notification, at most ``seconds``."""
        with trio.move_on_after(seconds):
            await self.rung.wait()
        self.rung = trio.Event()
