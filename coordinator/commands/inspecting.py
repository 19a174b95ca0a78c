"""Commands that ask the nodes about a run and open nothing: they take the same words, and differ in what they tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import typer

from c1m.coordinator.planning.preflight import Preflight

from .options import (
    CloseBy,
    ConfigFile,
    DataHost,
    EndpointAddress,
    HeartbeatEvery,
    Hold,
    InFlight,
    JsonFile,
    Ramp,
    Rate,
    SpecFile,
    Stages,
    TargetAddress,
    TlsDirectory,
    Total,
    Workers,
    settings,
)
from .output_file import check_writable
from .session import look


def inquiry(tell: Callable[[Preflight, str | None], int], default_total: str = "") -> Callable[..., None]:
    """A command that does what ``tell`` does with a preflight and the place for JSON; ``tell`` returns its exit code."""

    def command(
        context: typer.Context,
        total: Total = None,
        worker: Workers = None,
        target: TargetAddress = None,
        endpoint: EndpointAddress = None,
        tls: TlsDirectory = None,
        data_host: DataHost = None,
        rate: Rate = None,
        ramp: Ramp = None,
        stage: Stages = None,
        hold: Hold = None,
        in_flight: InFlight = None,
        close: CloseBy = None,
        heartbeat: HeartbeatEvery = None,
        spec: SpecFile = None,
        config: ConfigFile = None,
        json_file: JsonFile = None,
    ) -> None:
        wanted = settings(context, spec, config, default_total)
        check_writable(json_file)
        raise typer.Exit(tell(asyncio.run(look(wanted)), json_file))

    command.__doc__ = tell.__doc__
    return command
