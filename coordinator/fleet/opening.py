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
    """Return the operator's certificate from a directory, renewed as its files change; None without a directory.

    Prints a warning to stderr if the certificate expires soon. Raises UsageError if it cannot be used or has expired.
    """
    if directory is None:
        return None
    operator = Renewals(directory)
    for warning in operator.identity.warnings(datetime.now(UTC)):
        print(f"warning: {warning}", file=sys.stderr)
    return operator


@asynccontextmanager
async def fleet(settings: RunSpec, *words: str) -> AsyncIterator[tuple[list[WorkerClient], TargetClient | None]]:
    """Context manager that yields the clients of a run's workers, and the client of its target; None without a target.

    Nodes that the settings do not name are started on this machine, with the options ``words``; they listen on loopback,
    without TLS. Raises UsageError if workers are named, but neither a target nor an endpoint.
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
