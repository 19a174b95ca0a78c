"""A coordinator at work for one command: its nodes, its run, and what ^C means meanwhile."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from rich.console import Console

from c1m.errors import RefusedError, UsageError

from . import embedded
from .fleet import Target, Worker
from .live import view
from .muster import muster, preflight_of
from .outcome import Outcome
from .preflight import Preflight
from .run import Run
from .spec import RunSpec


async def conduct(settings: RunSpec, console: Console) -> Outcome:
    """The whole run, with whatever nodes it has to start. Only a refusal makes an outcome of an error."""
    interrupted = interruption()
    started_at = datetime.now(UTC)
    try:
        async with fleet(settings) as (workers, target):
            with view(console) as shown:
                return await Run(settings, workers, target, shown).go(interrupted)
    except RefusedError as error:  # a node of our own, before there was a run
        return Outcome("none", settings, started_at, datetime.now(UTC), refusals=error.reasons)


async def look(settings: RunSpec) -> Preflight:
    """What the nodes say of themselves, and what that means for these settings; nothing is opened. Raises C1mError."""
    async with fleet(settings) as (workers, target):
        return preflight_of(settings, await muster(settings, workers, target))


def interruption() -> asyncio.Event:
    """Set by the first ^C or SIGTERM; from then on they do what they do by default, for whoever cannot wait."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        interrupted.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    return interrupted


@asynccontextmanager
async def fleet(settings: RunSpec) -> AsyncIterator[tuple[list[Worker], Target | None]]:
    """Clients of the named nodes, or of nodes started here where none are named."""
    if settings.worker and not settings.target and not settings.endpoint:
        raise UsageError("workers are named, and nothing for them to connect to; give --target or --endpoint")
    async with AsyncExitStack() as stack:
        addresses = list(settings.worker)
        target_address = settings.target
        if target_address is None and settings.endpoint is None:
            target_address = await stack.enter_async_context(embedded.node(embedded.TARGET))
        if not addresses:
            addresses.append(await stack.enter_async_context(embedded.node(embedded.WORKER)))
        workers = [Worker(address) for address in addresses]
        target = Target(target_address) if target_address else None
        for client in [*workers, *([target] if target else [])]:
            stack.push_async_callback(client.close)
        yield workers, target
