"""What the two node programs do alike: start a zygote, serve, say where, and leave in order when told to."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import grpc
import trio

from c1m.app.log import log
from c1m.errors import UsageError
from c1m.net.control_address import ControlAddress, SocketPath
from c1m.processes.descriptors import raise_to_hard
from c1m.processes.priority import before_children
from c1m.processes.zygote_client import ZygoteClient, zygote
from c1m.security.grpc_credentials import server_credentials
from c1m.security.handshake_log import told
from c1m.security.identity import checked_identity
from c1m.wire.grpc_options import READY

from .authorization import Authorization
from .node import Node
from .rpc_server import RpcServer, serving

N = TypeVar("N", bound=Node)


async def serve(
    name: str,
    child_module: str,
    listen: ControlAddress,
    tls: Path | None,
    *,
    with_parent: bool,
    make: Callable[[ZygoteClient, trio.Nursery], N],
    add: Callable[[N, RpcServer, grpc.Server], None],
) -> None:
    """Until SIGINT, SIGTERM, or (``with_parent``) the end of standard input. Closes the run it is on before it leaves.

    ``tls``: the directory of its certificate; None: without. A node of a parent's own has no log of commands: they are its.
    """
    raise_to_hard()  # children inherit it
    async with zygote(child_module) as made, trio.open_nursery() as nursery:
        before_children()  # the zygote is there by now, and keeps its place; gRPC's threads are not, and follow this one
        control = make(made, nursery)
        gate = Authorization(name, control.owner_of, secured=bool(tls), says=not with_parent)
        rpc_server = RpcServer()
        with told(name):  # not before there is a zygote, whose children keep their stderr; from here on gRPC's core may speak
            credentials = server_credentials(name, tls) if tls else None
            async with serving(listen, lambda server: add(control, rpc_server, server), gate, credentials) as address:
                print(f"{READY}{address}", flush=True)
                await told_to_leave(with_parent=with_parent)
                log(f"{name}: leaving")
                await control.abandon()
        nursery.cancel_scope.cancel()


async def told_to_leave(*, with_parent: bool) -> None:
    async with trio.open_nursery() as nursery:
        if with_parent:
            nursery.start_soon(end_of_input, nursery.cancel_scope)
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                break
        nursery.cancel_scope.cancel()


async def end_of_input(scope: trio.CancelScope) -> None:
    """Standard input is a pipe from the program that started us, and ends when that program does, however it does."""
    descriptor = sys.stdin.fileno()
    async with trio.lowlevel.FdStream(descriptor) as pipe:
        while await pipe.receive_some():
            pass
    scope.cancel()


def check_exposure(listen: ControlAddress, tls: Path | None, *, insecure: bool) -> None:
    """Raises UsageError for a control port that strangers could reach and nobody said so."""
    if tls and insecure:
        raise UsageError("--insecure is control without TLS, and --tls is with it; give one of them")
    if isinstance(listen, SocketPath):
        if tls:
            raise UsageError(
                f"--listen {listen} takes calls of this machine only, by its mode and without TLS; leave --tls out"
            )
        return
    if not (tls or insecure or listen.is_loopback):
        raise UsageError(
            f"--listen {listen} is not loopback: without TLS whoever reaches that port can command this node. Give it a "
            f"certificate with --tls DIR (c1m-coord pki --help), or, on a network that you trust, say so with --insecure"
        )


def warn_of_end(name: str, tls: Path | None) -> None:
    """On stderr, of certificates that will end soon. Raises UsageError for those that cannot be used."""
    for warning in checked_identity(tls).warnings(datetime.now(UTC)) if tls else ():
        log(f"{name}: {warning}")
