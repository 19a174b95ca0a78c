"""Watches a node again whose stream broke: calls it over fresh connections, one after the other, until one is answered.

A connection that a stall has held up recovers late, since TCP doubles its wait before each try. One that gRPC has given up
may fail the next call as well, or back off for a second. A fresh one works as soon as the node does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from c1m.errors import GoneError, UnreachableError
from c1m.measure.sampling import SamplingInterval

from .nodes import ReceivedSample, TargetNode, WorkerNode

AGAIN_SECONDS = 0.3  # between two calls; with a longer sampling interval, that interval


async def watched_again(node: WorkerNode | TargetNode, run_id: str, pace: SamplingInterval) -> AsyncGenerator[ReceivedSample]:
    """Yield a node's samples over a new connection, from the first of several calls that the node answers, until it ends.

    Raises C1mError when the node refuses the call, and GoneError when no process listens any more.
    """
    calls: list[Call] = []
    try:
        while not (answered := [call for call in calls if call.first.done()]):
            calls.append(Call(node.anew(), run_id, pace))
            first = [call.first for call in calls]
            seconds = max(AGAIN_SECONDS, pace.sample_seconds)
            await asyncio.wait(first, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        chosen = answered[0]
        calls.remove(chosen)
        async with aclosing(chosen):
            await hang_up(calls)
            yield chosen.first.result()
            async for received in chosen.samples:
                yield received
    finally:
        await hang_up(calls)


class Call:
    """One call that asks a node for samples, over a connection of its own."""

    def __init__(self, node: WorkerNode | TargetNode, run_id: str, pace: SamplingInterval) -> None:
        self.node = node
        self.samples = node.watch(run_id, pace)
        self.first = asyncio.create_task(self.answer())

    async def answer(self) -> ReceivedSample:
        """Return the first sample that the node sends.

        Waits for ever when the node cannot be reached: the next call may reach it. Raises every other error of the call, among
        them GoneError, which means that no process listens any more.
        """
        try:
            return await anext(self.samples)
        except GoneError:
            raise
        except UnreachableError:
            await asyncio.Event().wait()
            raise

    async def aclose(self) -> None:
        """Cancel the call, and close its connection. Returns nothing."""
        self.first.cancel()
        await asyncio.gather(self.first, return_exceptions=True)
        await self.samples.aclose()
        await self.node.close()


async def hang_up(calls: Iterable[Call]) -> None:
    """Cancel all given calls, and close their connections. Returns nothing."""
    await asyncio.gather(*(call.aclose() for call in calls))
