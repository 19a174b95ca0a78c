"""Storms that the target makes: it is told of each at its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from c1m.errors import C1mError
from c1m.storm import TARGET, Storm

from .fleet import Target


class TargetStorms:
    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def begin(self, storms: Sequence[Storm], target: Target | None, run_id: str) -> None:
        """From the start of the run, which is now."""
        began = time.monotonic()
        if target:
            self.tasks = [asyncio.create_task(make(storm, target, run_id, began)) for storm in storms if storm.by == TARGET]

    async def end(self) -> list[str]:
        """Those that have not come by now do not come any more. Why others could not be made, a sentence each."""
        for task in self.tasks:
            task.cancel()
        ended = await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = []
        for broken in ended:
            if isinstance(broken, Exception) and not isinstance(broken, C1mError):
                raise broken
        return [f"a storm could not be made: {error}" for error in ended if isinstance(error, C1mError)]


async def make(storm: Storm, target: Target, run_id: str, began: float) -> None:
    await asyncio.sleep(began + storm.at - time.monotonic())
    await target.storm(run_id, storm.share)
