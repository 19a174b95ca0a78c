"""c1m-coord retarget."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from c1m.coordinator.fleet.clients import WorkerClient
from c1m.coordinator.fleet.fleet_retarget import Retargeted
from c1m.coordinator.fleet.fleet_retarget import retarget as retarget_run
from c1m.coordinator.fleet.opening import operator_of
from c1m.coordinator.ledger.schedule_stages import way
from c1m.coordinator.spec.config_files import config_layer
from c1m.coordinator.spec.settings import parsed
from c1m.errors import UsageError
from c1m.net.control_address import ControlAddress
from c1m.schedule.schedule import NANOSECONDS
from c1m.schedule.shapes import Shape, parse_shape
from c1m.security.identity import Renewals
from c1m.text.units import format_duration

from .options import ConfigFile, TlsDirectory

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord retarget --total 300k --within 30s --worker a:7100 --worker b:7100
  c1m-coord retarget --stage 300k@30s --stage 100k@30s --worker a:7100     # stages, as for run
"""


def retarget(
    run: Annotated[
        str | None, typer.Argument(help="Its id. Default: the one that the workers are on.", show_default=False)
    ] = None,
    total: Annotated[str | None, typer.Option(help="Connections that should be open then: 300k. No more than planned.")] = None,
    within: Annotated[str | None, typer.Option(help="The time to get there, along a straight line. Default: at once.")] = None,
    stage: Annotated[list[str] | None, typer.Option(help="Instead of both: stages as for run; repeat.")] = None,
    worker: Annotated[
        list[str] | None, typer.Option("--worker", help="All workers of the run; repeat. Default: those of c1m.toml.")
    ] = None,
    tls: TlsDirectory = None,
    config: ConfigFile = None,
) -> None:
    """Give a running run another schedule from now on. Its coordinator follows, and its summary says so."""
    shapes = wanted(total, within, stage)
    addresses, directory = whom(worker, tls, config)
    told = asyncio.run(call(addresses, operator_of(directory), run, shapes))
    print(sentence(told))


def wanted(total: str | None, within: str | None, stages: Sequence[str] | None) -> Sequence[Shape]:
    """Raises UsageError."""
    if bool(total) == bool(stages) or (stages and within):
        raise UsageError("say what to go to, by --total (and --within) or by stages, such as --total 300k --within 30s")
    words = stages or [f"{total}@{within or '0s'}"]
    try:
        return [parse_shape(word) for word in words]
    except ValueError as error:
        raise UsageError(f"{'--stage' if stages else '--total, --within'}: {error}") from None


def whom(workers: Sequence[str] | None, tls: str | None, config: Path | None) -> tuple[Sequence[ControlAddress], Path | None]:
    """The workers and the certificate to call them with, of the flags, or else of the fleet's file. Raises UsageError when
    there are no workers."""
    flags = {name: value for name, value in {"worker": workers, "tls": tls}.items() if value}
    found: dict[str, Any] = {}
    for where, layer in (config_layer(config, os.environ) or ("", {}), ("command line", flags)):
        found |= {name: parsed(where, name, layer[name]) for name in ("worker", "tls") if layer.get(name)}
    if "worker" not in found:
        raise UsageError("whose run? Name its workers with --worker, or in c1m.toml")
    return found["worker"], found.get("tls")


async def call(
    addresses: Sequence[ControlAddress], operator: Renewals | None, run: str | None, shapes: Sequence[Shape]
) -> Retargeted:
    async with AsyncExitStack() as stack:
        workers = [WorkerClient(address, operator) for address in addresses]
        for worker in workers:
            stack.push_async_callback(worker.close)
        return await retarget_run(workers, run, shapes)


def sentence(told: Retargeted) -> str:
    ways = ", ".join(way(stage.total, stage.within_ns / NANOSECONDS) for stage in told.stages if stage.named)
    workers = "one worker" if told.workers == 1 else f"{told.workers} workers"
    return f"run {told.run_id}: from {told.origin:,} at {format_duration(told.at_seconds)} to {ways}; told to {workers}"
