"""A channel to a node: a grpc.aio client with the operator's certificate, whose errors are sentences."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import grpc

from c1m import __version__
from c1m.errors import C1mError, RefusedError, UnreachableError, UsageError
from c1m.measure.sample import Host
from c1m.net.control_address import ControlAddress, SocketPath
from c1m.security.grpc_credentials import channel_credentials
from c1m.security.identity import Renewals
from c1m.v1 import node_pb2
from c1m.wire.grpc_options import CHANNEL_OPTIONS, PROTOCOL

from .clock_offset import NEAR_SECONDS, Clock, best, clock_of
from .unavailable import unreachable
from .unreachable import cause

T = TypeVar("T")

CALL_SECONDS = 10.0  # for calls that a node answers at once
CLOCK_CALLS = 3
OURS = f"protocol {PROTOCOL} (c1m {__version__})"
RAISED = "Exception calling application: "  # what gRPC writes before the text of an exception that a servicer raised


class DescribesHost(Protocol):
    """Interface of a node's answer that includes a description of the node's host."""

    @property
    def host(self) -> node_pb2.Host: ...


D = TypeVar("D", bound=DescribesHost)


@contextmanager
def sentences(name: str, *, first: bool = False) -> Iterator[None]:
    """Convert gRPC's errors to C1mErrors, with the node's name, the reason and the cure. ``first``: no call was answered."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise translated(name, error.code(), error.details() or "", first=first) from None


def translated(name: str, code: grpc.StatusCode, details: str, *, first: bool = False) -> C1mError:
    """Return the C1mError for a failed gRPC call: its class decides the exit code, its text names the node and the reason."""
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return UsageError(f"{name}: {details}")
    if code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.PERMISSION_DENIED):
        return RefusedError(f"{name}: {details}")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return RefusedError(f"{name} takes no more at the moment: {details}")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return UsageError(
            f"{name} is another program or version of c1m ({details}), and this coordinator speaks {OURS}; "
            f"correct the address, or install the same version of c1m on both"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return UnreachableError(f"{name} did not answer in time; is it stopped, or its machine overloaded?")
    if code is grpc.StatusCode.UNAVAILABLE:
        return unreachable(name, details, first=first)
    if code is grpc.StatusCode.INTERNAL:  # the node could not go on, and ``details`` is its reason: c1m/node/rpc_server.py
        return UnreachableError(f"{name}: {details}")
    if code is grpc.StatusCode.UNKNOWN and details.startswith(RAISED):
        return C1mError(f"{name} failed, which is a bug of c1m: {details.removeprefix(RAISED)}; its log has the traceback")
    return C1mError(f"{name}: {details} ({code.name})")


def check_protocol(name: str, host: Host) -> None:
    """Raise UsageError, with both versions and the cure, if a node does not speak the coordinator's protocol.

    Returns nothing.
    """
    if host.protocol != PROTOCOL:
        cure = "upgrade c1m on that node and restart it" if host.protocol < PROTOCOL else "upgrade c1m on this machine"
        raise UsageError(
            f"{name} speaks protocol {host.protocol} (c1m {host.version}), and this coordinator speaks {OURS}; {cure}"
        )


class NodeClient:
    """The coordinator's gRPC channel to one node, with the node's name and address."""

    def __init__(self, role: str, address: ControlAddress, operator: Renewals | None) -> None:
        """Create the client of the node at ``address``, whose name is ``role`` and address. It connects with the first call.

        ``operator``: the certificate to call with, renewed as its files change; None: without TLS. A Unix socket is always
        without TLS.
        """
        self.name = f"{role} {address}"
        self.address = address
        self.operator = operator
        self.identity = None if operator is None or isinstance(address, SocketPath) else operator.newest()
        self.channel = self.open_channel()

    def open_channel(self) -> grpc.aio.Channel:
        """Return a new gRPC channel to the node, which connects with its first call."""
        if self.identity is None:
            return grpc.aio.insecure_channel(self.address.uri, options=CHANNEL_OPTIONS)
        return grpc.aio.secure_channel(self.address.uri, channel_credentials(self.identity), options=CHANNEL_OPTIONS)

    async def first(self, call: Awaitable[T]) -> T:
        """Return the node's answer to ``call``, the first one to that node.

        Raises C1mError, with the reason why the node cannot be called.
        """
        try:
            with sentences(self.name, first=True):
                return await call
        except UnreachableError:
            if why := await asyncio.to_thread(cause, self.address, self.identity):
                raise UnreachableError(f"{self.name} {why}") from None
            raise

    async def clocked(self, ask: Callable[[], Awaitable[D]]) -> tuple[D, Clock | None]:
        """Return the node's answer to the call that ``ask`` makes, and the node's clock; None if the node does not report it.

        The call is made up to CLOCK_CALLS times, since the first one has to connect. The answer is the first one's, the clock
        the one with the least uncertainty.
        """
        answer, clock = await timed(lambda: self.first(ask()))
        for _ in range(CLOCK_CALLS - 1):
            if clock is None or clock.uncertainty_seconds <= NEAR_SECONDS:
                break
            _, again = await timed(lambda: self.first(ask()))
            clock = best((clock, again))
        return answer, clock

    async def close(self) -> None:
        """Close the channel to the node. Returns nothing."""
        await self.channel.close()


async def timed(ask: Callable[[], Awaitable[D]]) -> tuple[D, Clock | None]:
    """Return a node's answer to the call that ``ask`` makes, and the node's clock by that call; None if it reports none."""
    sent_ns, began_ns = time.time_ns(), time.monotonic_ns()
    answer = await ask()
    round_trip_ns, host = time.monotonic_ns() - began_ns, answer.host
    return answer, clock_of(sent_ns, round_trip_ns, host.wall_clock_ns, host.answered_within_ns)
