"""A call whose connection breaks is made once more over another one, as streams are (``resubscribe.py``).

The kernel gives up a connection on which nothing was acknowledged for ANSWER_MS, which gRPC sets as TCP_USER_TIMEOUT. A
node may be silent for longer before it counts as lost, and is called again if it returns by then. It may then be asked
twice: a node knows by the run's id what it was asked before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, Self, TypeVar

from c1m.errors import BrokenError, GoneError, UnreachableError
from c1m.wire.grpc_options import ANSWER_MS, KEEPALIVE_MS

from .channel import sentences
from .failure_detector import SILENCE_SECONDS

# For the node to answer again, after the connection broke. The node may have been silent for KEEPALIVE_MS and ANSWER_MS by
# then, and one that does not come back has to be noticed within 5 s.
BACK_SECONDS = SILENCE_SECONDS - (KEEPALIVE_MS + ANSWER_MS) / 1000
AGAIN_SECONDS = 0.3  # between two attempts: one whose SYN was lost goes on only a second later


class Pingable(Protocol):
    """Interface of a node's client that can be pinged, and made again with a new connection."""

    @property
    def name(self) -> str: ...

    def anew(self) -> Self:
        """Return a new client of the same node, with a connection of its own."""

    async def ping(self) -> None:
        """Call the node, and return nothing once it has answered. Raises C1mError if it does not answer."""

    async def close(self) -> None: ...


N = TypeVar("N", bound=Pingable)
T = TypeVar("T")


async def with_retry(node: N, ask: Callable[[N], Awaitable[T]]) -> T:
    """Return a node's answer to the call that ``ask`` makes.

    A call whose connection breaks is made once more, over a new connection. Raises C1mError if that fails, too.
    """
    try:
        with sentences(node.name):
            return await ask(node)
    except BrokenError:
        again = await reached(node)
        if again is None:
            raise
    try:
        with sentences(node.name):
            return await ask(again)
    finally:
        await again.close()


async def reached(node: N) -> N | None:
    """Return a new client of the same node that has been answered; None if there is no answer within BACK_SECONDS.

    Raises GoneError when no process listens any more.
    """
    tries: dict[asyncio.Task[None], N] = {}
    chosen: N | None = None
    try:
        async with asyncio.timeout(BACK_SECONDS):
            while chosen is None:
                fresh = node.anew()
                tries[asyncio.create_task(fresh.ping())] = fresh
                done, _ = await asyncio.wait(tries, timeout=AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                chosen = next((tries[each] for each in done if answered(each)), None)
    except TimeoutError:
        return None
    finally:
        for each in tries:
            each.cancel()
        await asyncio.gather(*tries, return_exceptions=True)
        await asyncio.gather(*(fresh.close() for fresh in tries.values() if fresh is not chosen))
    return chosen


def answered(ping: asyncio.Task[None]) -> bool:
    """Return True if a finished ping was answered, False if the node could not be reached.

    Raises every other error, among them GoneError, which means that no process listens.
    """
    error = ping.exception()
    if isinstance(error, UnreachableError) and not isinstance(error, GoneError):
        return False
    if error:
        raise error
    return True
