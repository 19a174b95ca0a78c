"""The watch over a run: samples of all nodes into the ledger as they come, and waiting for what they will say."""

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
    """Where a person looks while the run goes on."""

    def say(self, sentence: str) -> None:
        """Something happened."""

    def show(self, ledger: Ledger, doing: str, progress: float | None) -> None:
        """The state now, called often. ``progress`` of what is being done is 0 to 1; None: nobody knows how long it takes."""


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
        """To a person, and to the journal."""
        self.recorder.said(sentence)
        self.view.say(sentence)

    def follow(
        self,
        entry: NodeRecord,
        node: WorkerClient | TargetClient,
        run_id: str,
        samples: AsyncGenerator[ReceivedSample] | None = None,
    ) -> None:
        """Take in a node's samples, for as long as they come. Saying it twice changes nothing.

        ``samples``: where it is being watched already.
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
        """A stream to its end; whether it broke, and another one is worth a try.

        A connection breaks where the network or the node hiccups, and where this coordinator stood still for longer than
        keepalive (c1m/wire/grpc_options.py) lets it; the node is none the worse for it. ``feel`` decides
        how long it may be silent.
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
        """A node closes, though nobody here has asked it to. What it counts from then on is its closing, and nothing else's."""
        entry.left = True
        self.lose(entry, f"{entry.name} {LEFT}: {because}{self.meanwhile(entry)}")

    def meanwhile(self, entry: NodeRecord) -> str:
        """What this coordinator did since it last heard of a node, if that was to stand still; empty: it did not."""
        self.detector.wake(time.monotonic())
        pause, began = self.detector.pause, self.ledger.timeline.began
        if pause is None or (entry.trail.sample and entry.name not in self.detector.unheard):
            return ""
        told = f"; this coordinator did not run meanwhile, for {format_duration(round(pause.seconds, 1))}"
        if began is None or pause.began < began:
            return told
        return f"{told}, from {format_duration(round(pause.began - began, 1))} into the run on"

    async def feel(self) -> None:
        """Who has been silent for too long is lost."""
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
        """For good; saying it twice changes nothing."""
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
        """What of a lost worker's share others have taken over, and why not all of it."""
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
        """Until ``done``, looking whenever samples have come; False when the time was over first."""
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
        """Until every node has said how it is since this coordinator last stood still, or is lost."""
        self.detector.wake(time.monotonic())
        if self.detector.unheard:
            await self.wait("waking", lambda: not self.detector.unheard, lambda: None)

    async def settle(self, doing: str, count: Callable[[], int], goal: Callable[[], int]) -> None:
        """Until a count has reached its goal, or stopped moving."""
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
    """Nodes that did not do as they were told, and why. Raises what else went wrong."""
    failed = [(entry, answer) for entry, answer in zip(entries, answers, strict=True) if answer is not None]
    for _, answer in failed:
        if not isinstance(answer, C1mError):
            raise answer
    return [(entry, answer) for entry, answer in failed if isinstance(answer, C1mError)]


async def event_within(event: asyncio.Event, seconds: float) -> None:
    """Until the event, which is then unset again, or the time is over."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
