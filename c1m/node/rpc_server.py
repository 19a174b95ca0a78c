"""Connects gRPC and trio: threads of the gRPC server call into a node's trio loop. No other module uses both.

gRPC's synchronous server runs each call in a thread of a small pool. A call enters the loop, gets an answer from what the
node already knows, and leaves. A Watch keeps its thread as long as it lasts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import NoReturn, TypeVar

import grpc
import trio

from c1m.errors import C1mError, RefusedError, UsageError
from c1m.measure.phase import Phase
from c1m.measure.sample import Host, Sample
from c1m.measure.sampling import SamplingInterval
from c1m.net.control_address import ControlAddress, SocketPath
from c1m.processes.address_space import why_no_thread
from c1m.security.socket_file import claimed
from c1m.text.escapes import escaped
from c1m.wire.grpc_options import SERVER_OPTIONS

from .authorization import Authorization
from .node_run import NodeRun

T = TypeVar("T")

# A watcher keeps a thread; watchers beyond MOST_WATCHERS are refused with a sentence. A few other calls are served at once, and
# more of them wait. gRPC itself refuses calls beyond MOST_CALLS, watchers included, before it has read them.
MOST_WATCHERS = 12
THREADS = 16
MOST_CALLS = 64
CODE_OF = {
    UsageError: grpc.StatusCode.INVALID_ARGUMENT,
    RefusedError: grpc.StatusCode.FAILED_PRECONDITION,
}


class RpcServer:
    """Lets the threads of a node's gRPC server call functions in the node's trio loop."""

    def __init__(self) -> None:
        self.token = trio.lowlevel.current_trio_token()
        self.seats = threading.Semaphore(MOST_WATCHERS)

    def call(self, context: grpc.ServicerContext, function: Callable[..., Awaitable[T]], *args: object) -> T:
        """Run an async function in the node's trio loop and return its result.

        If it raises C1mError, the gRPC call is aborted with that error's status and message.
        """
        with refusals(context):
            return trio.from_thread.run(function, *args, trio_token=self.token)

    def watch(
        self, context: grpc.ServicerContext, find: Callable[[], Awaitable[NodeRun]], pace: SamplingInterval
    ) -> Iterator[Sample]:
        """Yield a run's samples for one watcher, until the run is closed or the watcher is gone.

        The run's lease does not end meanwhile. Aborts the call if there are MOST_WATCHERS already.
        """
        if not self.seats.acquire(blocking=False):
            sentence = f"{MOST_WATCHERS} watchers are connected, which is the limit; try again when one of them has left"
            refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, sentence)
        try:
            yield from self.samples(context, find, pace)
        finally:
            self.seats.release()

    def samples(
        self, context: grpc.ServicerContext, find: Callable[[], Awaitable[NodeRun]], pace: SamplingInterval
    ) -> Iterator[Sample]:
        """Yield a run's samples for one watcher, as ``watch`` does, but without a limit on watchers.

        A revision of the schedule is sent once.
        """
        node_run = self.call(context, find)
        self.call(context, _synchronously, node_run.watch_begins)
        try:
            seen, read, sent = -1, -pace.reading_every, 1  # readings are numbered from 0, and the first is always sent
            while context.is_active():
                seen, sample = self.call(context, node_run.next_sample, seen, read, pace)
                read = sample.reading.number if sample.reading else read
                version = sample.schedule_version
                yield sample if version != sent else replace(sample, revision=None)
                sent = version
                if sample.phase is Phase.CLOSED:
                    return
        finally:
            with suppress(trio.RunFinishedError):  # the node has left, and this watcher is forgotten only now
                trio.from_thread.run_sync(node_run.watch_ends, trio_token=self.token)


def stamped(host: Host, began_ns: int) -> Host:
    """Return the description of a host with the current time added to it.

    ``began_ns`` is the monotonic time at which the call for it arrived.
    """
    return replace(host, wall_clock_ns=time.time_ns(), answered_within_ns=time.monotonic_ns() - began_ns)


async def _synchronously(function: Callable[[], T]) -> T:
    return function()


@contextmanager
def refusals(context: grpc.ServicerContext) -> Iterator[None]:
    """Return a context that aborts a gRPC call if a C1mError is raised inside it, with the status for that error and its
    message. Checks that need only the message can run in this context without entering the loop.
    """
    try:
        yield
    except C1mError as error:
        refuse(context, CODE_OF.get(type(error), grpc.StatusCode.INTERNAL), str(error))
    except (trio.RunFinishedError, trio.Cancelled):
        refuse(context, grpc.StatusCode.UNAVAILABLE, "the node is shutting down")


def refuse(context: grpc.ServicerContext, code: grpc.StatusCode, sentence: str) -> NoReturn:
    """Abort a gRPC call with a status and a sentence for the caller. Never returns."""
    context.abort(code, escaped(sentence))
    raise AssertionError("abort raises")


def started(pool: ThreadPoolExecutor) -> ThreadPoolExecutor:
    """Return the thread pool of a gRPC server with all of its threads started, because a call that could get no thread would
    end gRPC's own loop. Raises RefusedError if the threads cannot be started.
    """
    together = threading.Barrier(THREADS + 1)
    try:
        for _ in range(THREADS):
            pool.submit(together.wait)
    except RuntimeError as error:
        together.abort()
        raise RefusedError(f"cannot start {THREADS} threads: {error}; {why_no_thread()}") from None
    together.wait()
    return pool


@asynccontextmanager
async def serving(
    address: ControlAddress, add: Callable[[grpc.Server], None], gate: Authorization, credentials: grpc.ServerCredentials | None
) -> AsyncIterator[ControlAddress]:
    """Return a context in which a gRPC server runs at ``address``; its value is that address with the port in use.

    Without credentials there is no TLS. Raises UsageError if the address cannot be bound, and RefusedError if its threads
    cannot be started.
    """
    pool = started(ThreadPoolExecutor(THREADS, "rpc"))
    server = grpc.server(pool, interceptors=[gate], options=SERVER_OPTIONS, maximum_concurrent_rpcs=MOST_CALLS)
    add(server)
    uri = address.uri
    try:
        with claimed(address.path) if isinstance(address, SocketPath) else nullcontext():
            port = server.add_secure_port(uri, credentials) if credentials else server.add_insecure_port(uri)
    except RuntimeError:
        raise UsageError(
            f"cannot listen on {address}: the port is in use or the address is not this machine's; give another --listen"
        ) from None
    server.start()
    try:
        yield address.bound(port)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(server.stop(grace=None).wait)
