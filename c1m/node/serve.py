"""The main function of both node programs: start a zygote, serve, print the address, and leave in order on request."""

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
from c1m.security.handshake_log import handshakes_logged
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
    """Run a worker or target node until SIGINT, SIGTERM, or, if ``with_parent``, the end of standard input.

    Then close the current run and return. ``tls`` is the directory of the node's certificate; None means no TLS. A node with a
    parent does not log calls, because its parent makes them.
    """
    raise_to_hard()  # children inherit the limit
    async with zygote(child_module) as made, trio.open_nursery() as nursery:
        before_children()  # the zygote exists and keeps its priority; gRPC's threads do not exist yet and inherit the new one
        control = make(made, nursery)
        gate = Authorization(name, control.owner_of, secured=bool(tls), says=not with_parent)
        rpc_server = RpcServer()
        with handshakes_logged(name):  # after the zygote, whose children keep their stderr, and before gRPC's core starts
            credentials = server_credentials(name, tls) if tls else None
            async with serving(listen, lambda server: add(control, rpc_server, server), gate, credentials) as address:
                await told_to_leave(with_parent=with_parent, listening=f"{READY}{address}")
                if not with_parent:
                    log(f"{name}: leaving")
                await control.abandon()
        nursery.cancel_scope.cancel()


async def told_to_leave(*, with_parent: bool, listening: str = "") -> None:
    """Wait until the program should end: SIGINT, SIGTERM, or, if ``with_parent``, the end of standard input.

    ``listening``: a line that is printed as soon as a signal is taken as that; before, SIGTERM would kill the program.
    """
    async with trio.open_nursery() as nursery:
        if with_parent:
            nursery.start_soon(end_of_input, nursery.cancel_scope)
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            if listening:
                print(listening, flush=True)
            async for _ in signals:
                break
        nursery.cancel_scope.cancel()


async def end_of_input(scope: trio.CancelScope) -> None:
    """Wait for the end of standard input, then cancel the scope.

    Standard input is a pipe from the parent. It ends when the parent ends, for any reason.
    """
    descriptor = sys.stdin.fileno()
    async with trio.lowlevel.FdStream(descriptor) as pipe:
        while await pipe.receive_some():
            pass
    scope.cancel()


def check_exposure(listen: ControlAddress, tls: Path | None, *, insecure: bool) -> None:
    """Raise UsageError for a control address that others can reach without TLS, unless --insecure permits it."""
    if tls and insecure:
        raise UsageError("--insecure means control without TLS and --tls means with TLS; give one of them")
    if isinstance(listen, SocketPath):
        if tls:
            raise UsageError(
                f"--listen {listen} is a Unix socket, which only this machine can call and which has no TLS; leave --tls out"
            )
        return
    if not (tls or insecure or listen.is_loopback):
        raise UsageError(
            f"--listen {listen} is not loopback: without TLS everyone who can reach that port can command this node. Give it a "
            f"certificate with --tls DIR (c1m-coord pki --help), or permit this with --insecure on a network that you trust"
        )


def warn_of_end(name: str, tls: Path | None) -> None:
    """Log a warning for each certificate in the directory ``tls`` that expires soon.

    Raises UsageError for certificates that cannot be used. Without a directory it does nothing.
    """
    for warning in checked_identity(tls).warnings(datetime.now(UTC)) if tls else ():
        log(f"{name}: {warning}")
