"""A node whose stream broke is watched again: it is called over fresh connections, one after the other, until it answers one.

A connection that a stall has held up goes on late, since TCP waits twice as long before each try; and one that gRPC has given
up may fail the next call as well, or stand back for a second. A fresh one is there as soon as the node is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from c1m.errors import GoneError, UnreachableError
from c1m.pace import Pace

from .fleet import Target, Told, Worker

AGAIN_SECONDS = 0.3  # between two calls; for as many nodes as have a slower pace it is that


async def watched_again(node: Worker | Target, run_id: str, pace: Pace) -> AsyncGenerator[Told]:
    """From the first call that is answered, for as long as it takes. Raises C1mError where the answer is no, and GoneError."""
    calls: dict[asyncio.Task[Told], Call] = {}
    try:
        done: set[asyncio.Task[Told]] = set()
        while not done:
            call = Call(node.anew(), run_id, pace)
            calls[asyncio.create_task(call.answered())] = call
            seconds = max(AGAIN_SECONDS, pace.sample_seconds)
            done, _ = await asyncio.wait(calls, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        answered = done.pop()
        yield answered.result()
        async with aclosing(calls[answered].samples) as samples:
            async for told in samples:
                yield told
    finally:
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.gather(*(call.node.close() for call in calls.values()))


class Call:
    """One of them, over a connection of its own."""

    def __init__(self, node: Worker | Target, run_id: str, pace: Pace) -> None:
        self.node = node
        self.samples = node.watch(run_id, pace)

    async def answered(self) -> Told:
        """The first sample. Does not return where there is none: the next call may have one."""
        try:
            return await anext(self.samples)
        except GoneError:
            raise
        except UnreachableError:
            await asyncio.Event().wait()
            raise
