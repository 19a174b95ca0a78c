"""c1m-coord retarget."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from c1m.app.frame import in_panel
from c1m.coordinator.fleet.clients import WorkerClient
from c1m.coordinator.fleet.fleet_retarget import Retargeted
from c1m.coordinator.fleet.fleet_retarget import retarget as retarget_run
from c1m.coordinator.fleet.opening import operator_of
from c1m.coordinator.ledger.schedule_stages import way
from c1m.coordinator.spec.config_files import config_layer
from c1m.coordinator.spec.layers import parsed
from c1m.coordinator.spec.setting import FLEET, SCHEDULE
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
        str | None, typer.Argument(help="The run's id. Default: the run that the workers are on.", show_default=False)
    ] = None,
    total: Annotated[str | None, in_panel(SCHEDULE, "Connections to have open then: 300k. At most the planned total.")] = None,
    within: Annotated[str | None, in_panel(SCHEDULE, "How long the change to --total takes: 30s. Default: at once.")] = None,
    stage: Annotated[
        list[str] | None, in_panel(SCHEDULE, "A stage as for run, instead of --total and --within. Repeat for more.")
    ] = None,
    worker: Annotated[
        list[str] | None, in_panel(FLEET, "Every worker of the run. Repeat for each. Default: those in c1m.toml.", "--worker")
    ] = None,
    tls: TlsDirectory = None,
    config: ConfigFile = None,
) -> None:
    """Replace the schedule of a running run. Its coordinator follows, and its summary records the change."""
    shapes = wanted(total, within, stage)
    addresses, directory = whom(worker, tls, config)
    told = asyncio.run(call(addresses, operator_of(directory), run, shapes))
    print(sentence(told))


def wanted(total: str | None, within: str | None, stages: Sequence[str] | None) -> Sequence[Shape]:
    """Return the stages that the options of retarget ask for.

    Raises UsageError for no stages, for --stage beside --total or --within, and for texts that are no stages.
    """
    if bool(total) == bool(stages) or (stages and within):
        raise UsageError("give --total (and --within) or --stage, such as --total 300k --within 30s")
    words = stages or [f"{total}@{within or '0s'}"]
    try:
        return [parse_shape(word) for word in words]
    except ValueError as error:
        raise UsageError(f"{'--stage' if stages else '--total, --within'}: {error}") from None


def whom(workers: Sequence[str] | None, tls: str | None, config: Path | None) -> tuple[Sequence[ControlAddress], Path | None]:
    """Return the addresses of the workers and the operator's directory (None: no TLS), from the options or else c1m.toml.

    Raises UsageError if neither names a worker.
    """
    flags = {name: value for name, value in {"worker": workers, "tls": tls}.items() if value}
    found: dict[str, Any] = {}
    for where, layer in (config_layer(config, os.environ) or ("", {}), ("command line", flags)):
        found |= {name: parsed(where, name, layer[name]) for name in ("worker", "tls") if layer.get(name)}
    if "worker" not in found:
        raise UsageError("no worker is named; give every worker of the run with --worker, or in c1m.toml")
    return found["worker"], found.get("tls")


async def call(
    addresses: Sequence[ControlAddress], operator: Renewals | None, run: str | None, shapes: Sequence[Shape]
) -> Retargeted:
    """Connect to the workers and replace the schedule of their run. Return the run and its new schedule.

    ``run``: the run's id; None: the only one that the workers are on. Raises C1mError.
    """
    async with AsyncExitStack() as stack:
        workers = [WorkerClient(address, operator) for address in addresses]
        for worker in workers:
            stack.push_async_callback(worker.close)
        return await retarget_run(workers, run, shapes)


def sentence(told: Retargeted) -> str:
    """Return the line that the command prints on a retarget: from which total the run goes to which, and when."""
    ways = ", ".join(way(stage.total, stage.within_ns / NANOSECONDS) for stage in told.stages if stage.named)
    workers = "one worker" if told.workers == 1 else f"{told.workers} workers"
    return f"run {told.run_id}: from {told.origin:,} at {format_duration(told.at_seconds)} to {ways}; told to {workers}"
