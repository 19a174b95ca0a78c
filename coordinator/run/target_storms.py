"""Storms made by the target, which is asked to drop connections at the time of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from c1m.coordinator.fleet.nodes import TargetNode
from c1m.coordinator.results.outcome import TakeoverRecord
from c1m.errors import C1mError
from c1m.text.units import format_duration
from c1m.traffic.storm import TARGET, Storm

from .state import RunState


class TargetStorms:
    """Asks the target to drop connections for each storm of a run, when the storm is due."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.tasks: list[asyncio.Task[None]] = []

    def begin(self, after: float = 0.0) -> None:
        """Wait for the storms of the run, which has started. Those that are due less than ``after`` seconds from its start are
        skipped.
        """
        if target := self.state.nodes.target:
            due = [storm for storm in self.state.spec.storm if storm.by == TARGET and storm.at >= after]
            self.tasks = [asyncio.create_task(self.make(storm, target)) for storm in due]

    async def make(self, storm: Storm, target: TargetNode) -> None:
        """Wait for a storm, then ask the target to drop its share. Raises C1mError."""
        await asyncio.sleep(storm.at - self.state.elapsed)
        await target.storm(self.state.run_id, storm.share)

    async def end(self) -> None:
        """Cancel the storms that are still to come. Record each one that failed."""
        for task in self.tasks:
            task.cancel()
        ended = await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = []
        for broken in ended:
            if isinstance(broken, Exception) and not isinstance(broken, C1mError):
                raise broken
        self.state.outcome.trouble(*(f"a storm could not be made: {error}" for error in ended if isinstance(error, C1mError)))


def missed(storms: Sequence[Storm], takeover: TakeoverRecord) -> list[str]:
    """Return a sentence for each storm that was due while no coordinator was there to ask the target for the storm."""
    due = [storm for storm in storms if storm.by == TARGET and takeover.silent_from <= storm.at < takeover.silent_to]
    return [
        f"a storm could not be made: it was due {format_duration(storm.at)} after the start, when there was no coordinator"
        for storm in due
    ]
