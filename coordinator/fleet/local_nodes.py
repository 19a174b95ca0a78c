"""Nodes on this machine for one run: real processes over real gRPC, started and ended by the coordinator."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from c1m.app.interpreter import module_command
from c1m.errors import UnreachableError
from c1m.net.endpoints import Endpoint, HostPort, parse_host_port
from c1m.wire.grpc_options import READY

START_SECONDS = 60.0  # a machine may be slow and full of work; a node that has ended is noticed at once
LEAVE_SECONDS = 30.0  # closing a million connections takes about ten

WORKER = ("c1m.worker", "--listen", "127.0.0.1:0", "--with-parent")
TARGET = ("c1m.target", "--listen", "127.0.0.1:0", "--with-parent", "--bind", "127.0.0.1")


def worker_for(endpoint: Endpoint | None) -> Sequence[str]:
    """Return the command that starts a local worker: a module and its options.

    With an ``endpoint``, the options allow the worker to load that server, which the user named.
    """
    return (*WORKER, "--allow", str(endpoint)) if endpoint else WORKER


@asynccontextmanager
async def node(command: Sequence[str]) -> AsyncIterator[HostPort]:
    """Context manager that starts a node program on this machine and yields the node's control address.

    The node ends with the block, and when this process dies. It has a session of its own, so that ^C in a terminal reaches only
    the coordinator, which then closes in order. Raises UnreachableError when the node does not start.
    """
    process = await asyncio.create_subprocess_exec(
        *module_command(*command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield await address_of(process, command[0])
    finally:
        await leave(process)


async def address_of(process: asyncio.subprocess.Process, name: str) -> HostPort:
    """Return the control address that a node program prints when it listens.

    Raises UnreachableError when the program ends before that, or prints nothing within START_SECONDS.
    """
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), START_SECONDS)).decode()
    except TimeoutError:
        raise UnreachableError(f"{name} did not start within {START_SECONDS:.0f} s on this machine") from None
    if not line.startswith(READY):
        raise UnreachableError(f"{name} ended on this machine before it listened; its reason is above")
    return parse_host_port(line.removeprefix(READY).strip())


async def leave(process: asyncio.subprocess.Process) -> None:
    """End a node program by closing its standard input; kill it if it has not ended after LEAVE_SECONDS. Returns nothing."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), LEAVE_SECONDS)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)  # the node leads its session, which its children are in
        await process.wait()
