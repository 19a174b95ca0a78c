"""c1m-coord plan."""

from __future__ import annotations

import asyncio

import typer

from ..forecast import plan_document
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
from ..preflight_report import plan_report
from ..session import look

REFUSED = 3


def plan(
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
    """Say, without opening a connection, who would open what, what it takes, and what stops this fleet next."""
    wanted = settings(context, spec, config)
    check_writable(json_file)
    preflight = asyncio.run(look(wanted))
    made, refused = preflight.plan()
    document = plan_document(preflight, made, refused)
    publish(document, lambda console: console.print(plan_report(document, preflight)), json_file)
    raise typer.Exit(REFUSED if refused else 0)
