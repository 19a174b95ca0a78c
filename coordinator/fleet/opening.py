"""The nodes of a command: clients of those that are named, or of nodes started for it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from c1m.coordinator.spec.spec import RunSpec
from c1m.errors import UsageError
from c1m.security.identity import Renewals

from . import local_nodes
from .clients import TargetClient, WorkerClient


def operator_of(directory: Path | None) -> Renewals | None:
    """Return the operator's identity, and warn on stderr if it expires soon. Raises UsageError for one that cannot be used or
    has expired.
    """
    if directory is None:
        return None
    operator = Renewals(directory)
    for warning in operator.identity.warnings(datetime.now(UTC)):
        print(f"warning: {warning}", file=sys.stderr)
    return operator


@asynccontextmanager
async def fleet(settings: RunSpec, *words: str) -> AsyncIterator[tuple[list[WorkerClient], TargetClient | None]]:
    """Yield clients of the named nodes, or of nodes started here with the options ``words``. Local nodes listen on loopback,
    without TLS.
    """
    if settings.worker and not settings.target and not settings.endpoint:
        raise UsageError("workers are named, and nothing for them to connect to; give --target or --endpoint")
    operator = operator_of(settings.tls)
    async with AsyncExitStack() as stack:
        target = TargetClient(settings.target, operator) if settings.target else None
        if target is None and settings.endpoint is None:
            target = TargetClient(await stack.enter_async_context(local_nodes.node((*local_nodes.TARGET, *words))))
        workers = []
        for address in settings.worker:
            workers.append(WorkerClient(address, operator))
            await asyncio.sleep(0)  # a channel takes 0.2 ms, and a fleet has a thousand
        if not workers:
            command = (*local_nodes.worker_for(settings.endpoint), *words)
            workers.append(WorkerClient(await stack.enter_async_context(local_nodes.node(command))))
        for client in [*workers, *([target] if target else [])]:
            stack.push_async_callback(client.close)
        yield workers, target
