"""The watch over a run: samples of all nodes into the ledger as they come, and waiting for what they will say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from c1m.errors import C1mError
from c1m.phase import Phase
from c1m.reading import Reading

from .fleet import Target, Told, Worker
from .gauges import Gauges
from .ledger import Entry, Ledger
from .scribe import Scribe

SETTLE_SECONDS = 3.0  # without news, until what a node counts is taken for its last word
SHOW_SECONDS = 0.25


class View(Protocol):
    """Where a person looks while the run goes on."""

    def say(self, sentence: str) -> None:
        """Something happened."""

    def show(self, ledger: Ledger, doing: str, progress: float) -> None:
        """The state now, called often. ``progress`` of what is being done is 0 to 1."""


class Watch:
    """The ledger of a run, kept up to date."""

    def __init__(self, view: View, scribe: Scribe) -> None:
        self.view = view
        self.scribe = scribe
        self.ledger = Ledger((), None)
        self.gauges = Gauges()
        self.news = asyncio.Event()
        self.streams: dict[str, asyncio.Task[None]] = {}

    def say(self, sentence: str) -> None:
        """To a person, and to the journal."""
        self.scribe.said(sentence)
        self.view.say(sentence)

    def follow(self, entry: Entry, node: Worker | Target, run_id: str) -> None:
        """Take in a node's samples, for as long as they come. Saying it twice changes nothing."""
        if entry.name not in self.streams:
            self.follow_stream(entry, node.watch(run_id))

    def follow_stream(self, entry: Entry, samples: AsyncIterator[Told]) -> None:
        self.streams[entry.name] = asyncio.create_task(self.take_in(entry, samples))

    async def take_in(self, entry: Entry, samples: AsyncIterator[Told]) -> None:
        try:
            async for told in samples:
                self.hear(entry, told)
        except C1mError as error:
            self.lose(entry, str(error))
        else:
            if entry.sample.phase is not Phase.CLOSED:
                self.lose(entry, f"{entry.name} ended its samples before the run was over")

    def hear(self, entry: Entry, told: Told) -> None:
        now = time.monotonic()
        self.scribe.sample(now, entry.name, told.message)
        self.ledger.hear(entry, told.sample, now)
        for sentence in self.gauges.look(entry.name, entry.history.first, entry.history.last):
            self.say(sentence)
        self.news.set()

    def read(self, entry: Entry, reading: Reading) -> None:
        now = time.monotonic()
        self.scribe.reading(now, entry.name, reading)
        self.ledger.read(entry, reading, now)

    def lose(self, entry: Entry, reason: str) -> None:
        self.ledger.lose(entry, reason)
        self.scribe.lost(entry.name, reason)
        self.say(f"lost: {reason}")
        self.news.set()

    async def wait(
        self,
        doing: str,
        done: Callable[[], bool],
        progress: Callable[[], float],
        seconds: float | None = None,
    ) -> bool:
        """Until ``done``, looking at every sample; False when the time was over first."""
        now = time.monotonic()
        self.scribe.turn(now, doing)
        self.ledger.timeline.turn(now, doing)
        deadline = None if seconds is None else time.monotonic() + seconds
        while not done():
            if trouble := self.scribe.notice(time.monotonic()):
                self.view.say(trouble)
            self.view.show(self.ledger, doing, progress())
            left = SHOW_SECONDS if deadline is None else min(SHOW_SECONDS, deadline - time.monotonic())
            if left <= 0:
                return False
            await event_within(self.news, left)
        self.view.show(self.ledger, doing, progress())
        return True

    async def settle(self, doing: str, count: Callable[[], int], goal: Callable[[], int]) -> None:
        """Until a count has reached its goal, or stopped moving."""
        while count() != goal():
            seen = count()
            moved = await self.wait(doing, lambda: count() != seen, lambda: 0.0, SETTLE_SECONDS)  # noqa: B023
            if not moved:
                return

    async def end(self) -> None:
        now = time.monotonic()
        self.scribe.over(now)
        self.ledger.timeline.end(now, self.ledger.moment)
        for stream in self.streams.values():
            stream.cancel()
        await asyncio.gather(*self.streams.values(), return_exceptions=True)


async def event_within(event: asyncio.Event, seconds: float) -> None:
    """Until the event, which is then unset again, or the time is over."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
