"""c1m-coord doctor."""

from __future__ import annotations

import asyncio

import typer

from ..forecast import doctor_document
from ..options import (
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
    Total,
    Workers,
    check_writable,
    settings,
)
from ..output import publish
from ..preflight_report import doctor_report
from ..session import look

REFUSED = 3


def doctor(
    context: typer.Context,
    total: Total = None,
    worker: Workers = None,
    target: TargetAddress = None,
    endpoint: EndpointAddress = None,
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
    """Look at every limit of every node, for a total or in general: ok, tight, or will stop you; and what lifts it."""
    wanted = settings(context, spec, config, default_total="1")  # in general: whether there can be any connection at all
    check_writable(json_file)
    preflight = asyncio.run(look(wanted))
    publish(doctor_document(preflight), lambda console: console.print(doctor_report(preflight)), json_file)
    raise typer.Exit(REFUSED if preflight.stops else 0)
