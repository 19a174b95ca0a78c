"""The driver: the loop of a shard, from the start of the run to the last close.

It goes in steps that no await interrupts. A step opens what is due, takes in what happened, closes what is too much, gives
up on what took too long, and says how long the shard can sleep.
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

CHUNK = 64  # openings between two looks at the epoll: bounds how much a busy shard adds to the latency it measures, 1 ms
STEP_CHUNKS = 4  # chunks before the other tasks get a turn: about 5 ms
OFTEN_SECONDS = 0.02  # with less than this between two openings, they follow one another
DRAIN_SECONDS = 0.01  # for which a shard then waits for its connections alone, and orders wait
EXPIRY_SECONDS = 0.25  # between two looks for connects that took too long
ANSWERS_SECONDS = 0.01  # for which a shard stays awake after a burst
ORDERS_WAIT_SECONDS = 0.1  # for a shard that sleeps in its own epoll; trio takes some 100 us for each wakeup


class EventLoop:
    """Owns the phase and the shard's time: gives openings, events and behaviours their turns, and sleeps between them.

    Times are seconds on the monotonic clock, ``elapsed`` those since the start of the run.
    """

    def __init__(self, assignment: ShardAssignment, regulator: Regulator, reactor: Reactor, notifier: Notifier) -> None:
        """``notifier`` is rung when the phase has changed."""
        self.assignment = assignment
        self.regulator = regulator
        self.reactor = reactor
        self.connections = reactor.connections
        self.notifier = notifier
        # Where in a tick the shard does what is due: each somewhere else, spread evenly, so that they take turns.
        self.offset = assignment.tick * assignment.share.first / assignment.share.peak
        self.phase = Phase.PREPARED
        self.start = 0.0
        self.started = trio.Event()
        self.next_expiry = 0.0
        self.quiet = False  # behaviours do nothing more
        self.idle = math.inf  # seconds until the schedule wants something
        self.nap = trio.CancelScope()  # while there is nothing to do

    # -- orders

    def begin(self, start: float) -> None:
        self.start = start
        self.enter(Phase.OPENING)
        self.started.set()

    def halt(self) -> None:
        """Open and close nothing more for the schedule's sake."""
        self.regulator.halt()
        self.wake()

    def retarget(self, schedule: Schedule, kept: int) -> None:
        """Follow another schedule, of which the first ``kept`` stages are those of the one before."""
        self.regulator.retarget(schedule, kept, int((time.monotonic() - self.start) * NANOSECONDS))
        if self.phase is Phase.HOLDING:
            self.enter(Phase.OPENING)
        self.wake()

    async def close(self, reset: bool, seconds_a_chunk: float) -> None:
        """Close everything, a chunk at a time, never faster than the node asked."""
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
        """There is something to do that was not to be foreseen."""
        self.nap.cancel()

    # -- the loop

    async def run(self) -> None:
        await self.started.wait()
        await trio.sleep(max(self.start - time.monotonic(), 0))
        connections, reactor, nested, next_turn = self.connections, self.reactor, False, 0.0
        while True:
            sleep = self.step(time.monotonic())
            if self.is_opening(sleep):
                # Not by trio while descriptors are added: an epoll inside of another one takes a mutex of the whole host for
                # each of them (fs/eventpoll.c: epnested_mutex), and to put it there walks all that it has already.
                if nested:
                    trio.lowlevel.notify_closing(connections.epoll)
                    nested = False
                await trio.lowlevel.checkpoint()
                reactor.drain(min(sleep, DRAIN_SECONDS))
            elif connections.behaviours and sleep <= ORDERS_WAIT_SECONDS:
                if (now := time.monotonic()) >= next_turn:
                    next_turn = now + ORDERS_WAIT_SECONDS
                    await trio.lowlevel.checkpoint()
                self.live(now, min(self.idle, ORDERS_WAIT_SECONDS))
            else:
                nested = True
                if connections.behaviours:  # most answers to a burst come at once
                    reactor.attend(time.monotonic() + min(sleep, ANSWERS_SECONDS))
                with trio.move_on_after(sleep) as self.nap:
                    await trio.lowlevel.wait_readable(connections.epoll)

    def is_opening(self, sleep: float) -> bool:
        """Whether connections are opened one after another, and not one now and then."""
        regulator, often = self.regulator, sleep < OFTEN_SECONDS
        return bool(regulator.course.waiting) or (
            often and (regulator.course.next_ns != NEVER or regulator.seat_turnover is not None)
        )

    def step(self, now: float) -> float:
        """Do what is due; the seconds until there is more, unless a connection has something to say before."""
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
            reactor.expire(now - self.assignment.connect_timeout, now)
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
        """Nothing but what behaviours do, for so long: a step in between is half of what a burst of heartbeats costs."""
        end = now + seconds
        while now < end:
            self.reactor.attend(min(now + self.act(now), end))
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
            self.reactor.drain()
        return 0

    # -- sleep

    def sleep(self, elapsed: float) -> float:
        """Seconds until the schedule wants something, or connects may have taken too long."""
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
        """Seconds to sleep: to the moment itself when it is further away than a tick, otherwise to the tick it falls in."""
        tick = self.assignment.tick
        if due - elapsed > tick:
            return due - elapsed
        return math.ceil((due - self.offset) / tick) * tick + self.offset - elapsed


class Notifier:
    """Rung while nobody listens, it is heard by who listens next."""

    def __init__(self) -> None:
        self.rung = trio.Event()

    def ring(self) -> None:
        self.rung.set()

    async def wait(self, seconds: float) -> None:
        """Until it rings, and so long at most."""
        with trio.move_on_after(seconds):
            await self.rung.wait()
        self.rung = trio.Event()
