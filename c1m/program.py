"""What the two node programs do alike: start a zygote, serve, say where, and leave in order when told to."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import TypeVar

import grpc
import trio

from c1m.control import Control
from c1m.crew import Zygote, zygote
from c1m.descriptors import raise_to_hard
from c1m.endpoints import HostPort
from c1m.errors import UsageError
from c1m.rpc import READY
from c1m.seam import Seam, serving

N = TypeVar("N", bound=Control)


async def serve(
    name: str,
    child_module: str,
    listen: HostPort,
    *,
    with_parent: bool,
    make: Callable[[Zygote, trio.Nursery], N],
    add: Callable[[N, Seam, grpc.Server], None],
) -> None:
    """Until SIGINT, SIGTERM, or (``with_parent``) the end of standard input. Closes the run it is on before it leaves."""
    raise_to_hard()  # children inherit it
    async with zygote(child_module) as made, trio.open_nursery() as nursery:
        control = make(made, nursery)
        seam = Seam()
        async with serving(str(listen), lambda server: add(control, seam, server)) as port:
            print(f"{READY}{HostPort(listen.host, port)}", flush=True)
            await told_to_leave(with_parent=with_parent)
            print(f"{name}: leaving", file=sys.stderr)
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


def check_exposure(listen: HostPort, *, insecure: bool) -> None:
    """Raises UsageError for a control port that strangers could reach and nobody said so."""
    if not listen.is_loopback and not insecure:
        raise UsageError(
            f"--listen {listen} is not loopback, and control has no TLS yet: whoever reaches that port can command this "
            f"node. On a network that you trust, say so with --insecure"
        )
