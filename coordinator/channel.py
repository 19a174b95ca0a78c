"""A channel to a node: a grpc.aio client with the operator's certificate, whose errors are sentences."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import grpc

from c1m.control_address import ControlAddress, SocketPath
from c1m.credentials import channel_credentials
from c1m.errors import C1mError, RefusedError, UnreachableError, UsageError
from c1m.identity import Identity
from c1m.node import Host
from c1m.rpc import CHANNEL_OPTIONS, PROTOCOL

from .handshake import cause

T = TypeVar("T")

CALL_SECONDS = 10.0  # for an answer to what takes no time


@contextmanager
def sentences(name: str) -> Iterator[None]:
    """gRPC's errors as ours: what it says, of which node, and what to do."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise translated(name, error.code(), error.details() or "") from None


def translated(name: str, code: grpc.StatusCode, details: str) -> C1mError:
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return UsageError(f"{name}: {details}")
    if code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.PERMISSION_DENIED):
        return RefusedError(f"{name}: {details}")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return RefusedError(f"{name} takes no more at the moment: {details}")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return UsageError(f"{name} is another program or version of c1m: {details}")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return UnreachableError(f"{name} did not answer in time; is it stopped, or its machine overloaded?")
    if code is grpc.StatusCode.UNAVAILABLE:
        return UnreachableError(f"{name} is unreachable ({details}); is it started, and its port open?")
    return C1mError(f"{name}: {details} ({code.name})")


def check_protocol(name: str, host: Host) -> None:
    if host.protocol != PROTOCOL:
        raise UsageError(
            f"{name} speaks protocol {host.protocol} (c1m {host.version}), this coordinator speaks {PROTOCOL}; "
            f"install the same version of c1m on both"
        )


class Node:
    """A channel to one node."""

    def __init__(self, role: str, address: ControlAddress, identity: Identity | None) -> None:
        """``identity``: the operator's; None is without TLS, as is a Unix socket whoever calls."""
        self.name = f"{role} {address}"
        self.address = address
        self.identity = None if isinstance(address, SocketPath) else identity
        self.channel = self.open_channel()

    def open_channel(self) -> grpc.aio.Channel:
        if self.identity is None:
            return grpc.aio.insecure_channel(self.address.uri, options=CHANNEL_OPTIONS)
        return grpc.aio.secure_channel(self.address.uri, channel_credentials(self.identity), options=CHANNEL_OPTIONS)

    async def first(self, call: Awaitable[T]) -> T:
        """The answer to the first call, or why there can be none."""
        try:
            with sentences(self.name):
                return await call
        except UnreachableError:
            if why := await asyncio.to_thread(cause, self.address, self.identity):
                raise UnreachableError(f"{self.name} {why}") from None
            raise

    async def close(self) -> None:
        await self.channel.close()
