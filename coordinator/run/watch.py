"""The watch over a run: folds samples of all nodes into the ledger as they come, and waits for conditions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Protocol

from c1m.coordinator.fleet.clients import ReceivedSample, TargetClient, WorkerClient
from c1m.coordinator.fleet.failure_detector import SILENCE_SECONDS, TICK_SECONDS, FailureDetector
from c1m.coordinator.fleet.resubscribe import watched_again
from c1m.coordinator.journal.recorder import Recorder
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.limit_usage import LimitUsages
from c1m.coordinator.ledger.node_loss import LEFT
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.errors import C1mError, GoneError, UnreachableError
from c1m.measure.phase import Phase
from c1m.measure.sample import Reading
from c1m.measure.sampling import pace_of
from c1m.text.units import format_duration

SETTLE_SECONDS = 3.0  # without news, until what a node counts is taken for its last word
SHOW_SECONDS = 0.25
LOOK_SHARE = 0.2  # of the coordinator's time, for looking whether what is waited for has come, and showing it


class View(Protocol):
    """What shows the state of the run to a person."""

    def say(self, sentence: str) -> None:
        """Show that something happened."""

    def show(self, ledger: Ledger, doing: str, progress: float | None) -> None:
        """Show the present state; called often. ``progress`` of the present step is 0 to 1; None: unknown."""


class Watch:
    """The ledger of a run, kept up to date."""

    def __init__(self, view: View, recorder: Recorder) -> None:
        self.view = view
        self.recorder = recorder
        self.ledger = Ledger((), None)
        self.limit_usages = LimitUsages()
        self.news = asyncio.Event()
        self.streams: dict[str, asyncio.Task[None]] = {}
        self.detector = FailureDetector()
        self.pulse: asyncio.Task[None] | None = None
        self.closing = False  # what is open is being closed, or about to be: a node that closes does as it is asked
        self.on_loss: Callable[[NodeRecord], None] = lambda _: None

    def say(self, sentence: str) -> None:
        """Report something to a person and to the journal."""
        self.recorder.said(sentence)
        self.view.say(sentence)

    def follow(
        self,
        entry: NodeRecord,
        node: WorkerClient | TargetClient,
        run_id: str,
        samples: AsyncGenerator[ReceivedSample] | None = None,
    ) -> None:
        """Take in a node's samples for as long as they come. A second call for one node changes nothing.

        ``samples``: the stream, where the node is being watched already.
        """
        if entry.name not in self.streams and not entry.lost:
            self.detector.hear(entry.name)
            self.streams[entry.name] = asyncio.create_task(self.take_in(entry, node, run_id, samples))
            self.pulse = self.pulse or asyncio.create_task(self.feel())

    async def take_in(
        self, entry: NodeRecord, node: WorkerClient | TargetClient, run_id: str, samples: AsyncGenerator[ReceivedSample] | None
    ) -> None:
        pace = pace_of(len(self.ledger.entries))
        try:
            while await self.broke(entry, samples or node.watch(run_id, pace)):
                samples = watched_again(node, run_id, pace)
        except C1mError as error:
            self.lose(entry, f"{error}{self.meanwhile(entry)}")
        else:
            if entry.sample.phase is not Phase.CLOSED:
                self.lose(entry, f"{entry.name} ended its samples before the run was over")
        finally:
            self.detector.forget(entry.name)

    async def broke(self, entry: NodeRecord, samples: AsyncGenerator[ReceivedSample]) -> bool:
        """Read a stream to its end. Return whether it broke, and subscribing again is worth a try.

        A connection breaks where the network or the node stalls, and where this coordinator stood still for longer than
        keepalive (c1m/wire/grpc_options.py) permits; the node itself may be well. ``feel`` decides how long it may be
        silent.
        """
        try:
            async with aclosing(samples):
                async for told in samples:
                    if told.sample.closing_because and not self.closing:
                        self.leave(entry, told.sample.closing_because)
                        return False
                    self.detector.wake(time.monotonic())
                    self.detector.hear(entry.name)
                    self.hear(entry, told)
        except GoneError:
            raise
        except UnreachableError:
            return entry.sample.phase is not Phase.CLOSED
        return False

    def leave(self, entry: NodeRecord, because: str) -> None:
        """Note that a node closes although this coordinator did not ask it to. From then on its counts are those of its
        closing.
        """
        entry.left = True
        self.lose(entry, f"{entry.name} {LEFT}: {because}{self.meanwhile(entry)}")

    def meanwhile(self, entry: NodeRecord) -> str:
        """Return a clause if this coordinator itself stood still since it last heard of a node; empty: it did not."""
        self.detector.wake(time.monotonic())
        pause, began = self.detector.pause, self.ledger.timeline.began
        if pause is None or (entry.trail.sample and entry.name not in self.detector.unheard):
            return ""
        told = f"; this coordinator did not run meanwhile, for {format_duration(round(pause.seconds, 1))}"
        if began is None or pause.began < began:
            return told
        return f"{told}, from {format_duration(round(pause.began - began, 1))} into the run on"

    async def feel(self) -> None:
        """Declare nodes lost that have been silent for too long."""
        while True:
            for name in self.detector.tick(time.monotonic()):
                self.lose(
                    self.ledger.entry(name),
                    f"{name} has said nothing for {SILENCE_SECONDS:g} s; is it stopped, its machine overloaded or off, or "
                    f"the network between cut?",
                )
            await asyncio.sleep(TICK_SECONDS)

    def hear(self, entry: NodeRecord, told: ReceivedSample) -> None:
        now, mourned = time.monotonic(), len(entry.sample.exit_reasons)
        self.recorder.sample(now, entry.name, told.message)
        self.ledger.hear(entry, told.sample, now)
        for exit_reason in told.sample.exit_reasons[mourned:]:
            self.say(f"{entry.name}: {exit_reason}")
        for sentence in self.limit_usages.look(entry.name, entry.history.first, entry.history.last):
            self.say(sentence)
        self.news.set()

    def read(self, entry: NodeRecord, reading: Reading) -> None:
        now = time.monotonic()
        self.recorder.reading(now, entry.name, reading)
        self.ledger.read(entry, reading, now)

    def lose(self, entry: NodeRecord, reason: str) -> None:
        """Declare a node lost for good. A second call changes nothing."""
        if entry.lost:
            return
        now = time.monotonic()
        self.ledger.lose(entry, reason, now)
        self.recorder.lost(now, entry.name, reason)
        self.say(f"lost: {reason}")
        stream = self.streams.get(entry.name)
        if stream and stream is not asyncio.current_task():
            stream.cancel()
        self.on_loss(entry)
        self.news.set()

    def move(self, entry: NodeRecord, taken_by: Mapping[str, int], not_taken: str) -> None:
        """Record what others have taken over of a lost worker's share, and why not all of it."""
        self.ledger.move(entry.name, taken_by, not_taken)
        self.recorder.moved(time.monotonic(), entry.name, taken_by, not_taken)
        self.say(self.ledger.losses[entry.name].sentence())
        self.news.set()

    async def wait(
        self,
        doing: str,
        done: Callable[[], bool],
        progress: Callable[[], float | None],
        seconds: float | None = None,
    ) -> bool:
        """Wait until ``done``, and check whenever samples have come. Return False if the time was over first."""
        now = time.monotonic()
        # What was found out before the turn is written before it: who takes the run over at "closing" can compare no more.
        if trouble := self.recorder.notice(now, at_once=True):
            self.view.say(trouble)
        self.recorder.turn(now, doing)
        self.ledger.timeline.turn(now, doing)
        deadline = None if seconds is None else time.monotonic() + seconds
        began = now
        while not done():
            if trouble := self.recorder.notice(time.monotonic()):
                self.view.say(trouble)
            self.view.show(self.ledger, doing, progress())
            left = SHOW_SECONDS if deadline is None else min(SHOW_SECONDS, deadline - time.monotonic())
            if left <= 0:
                return False
            # Of a thousand nodes a look takes milliseconds, and there is news all the time.
            rest = min((time.monotonic() - began) * (1 / LOOK_SHARE - 1), left)
            await asyncio.sleep(rest)
            await event_within(self.news, left - rest)
            began = time.monotonic()
        self.view.show(self.ledger, doing, progress())
        return True

    async def heard_again(self) -> None:
        """Wait until every node has sent a sample since this coordinator last stood still, or is lost."""
        self.detector.wake(time.monotonic())
        if self.detector.unheard:
            await self.wait("waking", lambda: not self.detector.unheard, lambda: None)

    async def settle(self, doing: str, count: Callable[[], int], goal: Callable[[], int]) -> None:
        """Wait until a count has reached its goal or stopped moving."""
        while count() != goal():
            seen = count()
            moved = await self.wait(doing, lambda: count() != seen, lambda: None, SETTLE_SECONDS)  # noqa: B023
            if not moved:
                return

    async def end(self) -> None:
        now = time.monotonic()
        self.recorder.over(now)
        self.ledger.timeline.end(now, self.ledger.moment)
        tasks = [*self.streams.values(), *([self.pulse] if self.pulse else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def silent(entries: Sequence[NodeRecord], answers: Sequence[BaseException | None]) -> list[tuple[NodeRecord, C1mError]]:
    """Return the nodes that did not do what they were asked, and why. Raises every other error."""
    failed = [(entry, answer) for entry, answer in zip(entries, answers, strict=True) if answer is not None]
    for _, answer in failed:
        if not isinstance(answer, C1mError):
            raise answer
    return [(entry, answer) for entry, answer in failed if isinstance(answer, C1mError)]


async def event_within(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, and clear it; return when the time is over in any case."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
