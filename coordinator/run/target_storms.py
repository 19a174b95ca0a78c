"""Storms made by the target, which is asked to drop connections at the time of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from c1m.coordinator.fleet.clock import Clock
from c1m.coordinator.fleet.nodes import TargetNode
from c1m.coordinator.results.outcome import TakeoverRecord
from c1m.errors import C1mError
from c1m.text.units import format_duration
from c1m.traffic.storm import TARGET, Storm


class TargetStorms:
    """Asks the target for its storms, each when it is due."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.tasks: list[asyncio.Task[None]] = []

    def begin(self, storms: Sequence[Storm], target: TargetNode | None, run_id: str, began: float, after: float = 0.0) -> None:
        """Wait for the storms. ``began``: the start of the run, on the monotonic clock. Storms that are due less than ``after``
        seconds from it are skipped.
        """
        if target:
            due = [storm for storm in storms if storm.by == TARGET and storm.at >= after]
            self.tasks = [asyncio.create_task(self.make(storm, target, run_id, began)) for storm in due]

    async def make(self, storm: Storm, target: TargetNode, run_id: str, began: float) -> None:
        """Wait for a storm, then ask the target to drop its share. Raises C1mError."""
        await asyncio.sleep(began + storm.at - self.clock.now())
        await target.storm(run_id, storm.share)

    async def end(self) -> list[str]:
        """Cancel the storms that are still to come. Return a sentence for each one that failed."""
        for task in self.tasks:
            task.cancel()
        ended = await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = []
        for broken in ended:
            if isinstance(broken, Exception) and not isinstance(broken, C1mError):
                raise broken
        return [f"a storm could not be made: {error}" for error in ended if isinstance(error, C1mError)]


def missed(storms: Sequence[Storm], takeover: TakeoverRecord) -> list[str]:
    """Return a sentence for each storm that was due while no coordinator was there to ask the target for it."""
    due = [storm for storm in storms if storm.by == TARGET and takeover.silent_from <= storm.at < takeover.silent_to]
    return [
        f"a storm could not be made: it was due {format_duration(storm.at)} after the start, when there was no coordinator"
        for storm in due
    ]
