"""c1m-coord run."""

from __future__ import annotations

import asyncio
import shlex
from typing import Annotated

import typer
from rich.console import Console

from ..ending import tell_end
from ..hangup import stderr_console
from ..json_file import check_writable
from ..options import (
    CloseBy,
    ConfigFile,
    DataHost,
    EndpointAddress,
    HeartbeatEvery,
    Hold,
    InFlight,
    JournalDirectory,
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
from ..session import conduct
from ..shelf import shelf_of
from ..spec import RunSpec


def run(
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
    arrival: Annotated[
        str | None, typer.Option(help="Of what is opened on the clock: constant, or poisson (random gaps). Default: constant.")
    ] = None,
    hold: Hold = None,
    in_flight: InFlight = None,
    connect_timeout: Annotated[str | None, typer.Option(help="When to give a connect up. Default: 10s.")] = None,
    lease: Annotated[str | None, typer.Option(help="How long nodes hold on without this coordinator. Default: 15s.")] = None,
    on_loss: Annotated[
        str | None,
        typer.Option(help="When a node is lost: continue without its share, redistribute it, or abort. Default: continue."),
    ] = None,
    close: CloseBy = None,
    close_order: Annotated[
        str | None, typer.Option(help="Which leave when stages go down: oldest or random. Default: oldest.")
    ] = None,
    seed: Annotated[
        str | None, typer.Option(help="Of whatever is random, to repeat it. Default: another one each time.")
    ] = None,
    probe_ghosts: Annotated[
        bool,
        typer.Option("--probe-ghosts", help="At the end of the hold, prove on a sample which are ghosts: 4 s more."),
    ] = False,
    close_rate: Annotated[
        str | None,
        typer.Option(help="Connections closed a second over the fleet. Default: as fast as they go."),
    ] = None,
    heartbeat: HeartbeatEvery = None,
    payload: Annotated[str | None, typer.Option(help="Bytes of a heartbeat. Default: 64.")] = None,
    send: Annotated[
        str | None, typer.Option(help=r"A heartbeat of your own, such as 'PING\r\n'; any answer is right, unless --expect.")
    ] = None,
    send_hex: Annotated[str | None, typer.Option(help="The same in hexadecimal.")] = None,
    expect: Annotated[
        str | None, typer.Option(help="What answers a heartbeat: echo, none, any, or how it begins, such as +PONG.")
    ] = None,
    keepalive: Annotated[
        str | None,
        typer.Option(help="TCP keepalive after so long, in whole seconds. Proves the peer's kernel only. Default: none."),
    ] = None,
    server_push: Annotated[
        str | None, typer.Option(help="Messages that the target sends to each connection unasked: 10/s, 1/m. Default: none.")
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(help="A figure of the summary and what it has to be, or the run fails: 'established >= 999k'. Repeat."),
    ] = None,
    lifetime: Annotated[
        str | None,
        typer.Option(help="How long a connection lives before another replaces it: exp:2m, uniform:30s-90s, fixed:60s."),
    ] = None,
    downtime: Annotated[str | None, typer.Option(help="Between the two, in the same forms. Default: none.")] = None,
    reopen: Annotated[bool, typer.Option("--reopen", help="Try dropped and failed connections again, with backoff.")] = False,
    backoff: Annotated[str | None, typer.Option(help="Bounds of the first and the longest wait. Default: 100ms-30s.")] = None,
    storm: Annotated[
        list[str] | None,
        typer.Option(help="Many leave at once and come back: at=60s,drop=100%,return=5s, or by=target; repeat."),
    ] = None,
    trickle: Annotated[
        str | None,
        typer.Option(help="Slow clients: each sends its request (--send, or a filler) a byte at a time: 1/s."),
    ] = None,
    half_open: Annotated[
        bool, typer.Option("--half-open", help="Slow clients: stay when the server has closed its side, and never close ours.")
    ] = False,
    spec: SpecFile = None,
    config: ConfigFile = None,
    journal: JournalDirectory = None,
    no_journal: Annotated[bool, typer.Option("--no-journal", help="Keep none, and do without c1m-coord show.")] = False,
    json_file: Annotated[str | None, typer.Option("--json", help="Write the summary there; - is stdout, alone.")] = None,
) -> None:
    """Open, hold, count, reconcile and close connections; say whether it all held."""
    wanted = settings(context, spec, config)
    check_writable(json_file)
    console = stderr_console()
    print_settings(wanted, console)
    shelf = None if no_journal else shelf_of(journal)
    outcome, kept = asyncio.run(conduct(wanted, console, shelf))
    raise typer.Exit(tell_end(outcome, kept, json_file))


def print_settings(wanted: RunSpec, console: Console) -> None:
    """Every run says first what it is going to do, so that its log alone can repeat it."""
    console.print("c1m-coord run " + shlex.join(wanted.to_words()), markup=False, highlight=False, soft_wrap=True)
