"""c1m-coord run."""

from __future__ import annotations

import asyncio
import shlex
from typing import Annotated

import typer
from rich.console import Console

from c1m.coordinator.journal.store import shelf_of
from c1m.coordinator.spec.spec import RunSpec

from .finish import tell_end
from .options import (
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
from .output_file import check_writable
from .session import conduct
from .terminal import stderr_console

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord run --total 100k                                            # everything on this machine, over 127.0.0.0/8
  c1m-coord run --total 1M --worker a:7100 --worker b:7100 --target srv:7200
  c1m-coord run --total 1M                                              # the same, with the nodes in c1m.toml
  c1m-coord run --total 50k --endpoint 10.0.0.5:80 --worker a:7100 --ramp 60s --hold 5m
  c1m-coord run --total 100k --json - > summary.json                    # the summary alone on stdout
  c1m-coord run --total 100k --require 'connect_latency.p99 < 50ms' --require 'always dropped == 0'
  c1m-coord run --total 1M --on-loss redistribute                       # the other workers take a lost one's share
  c1m-coord run --total 100k --heartbeat 10s --hold 1m                  # every connection sends, every echo is compared
  c1m-coord run --total 10k --endpoint srv:6379 --heartbeat 5s --send 'PING\\r\\n' --expect +PONG
  c1m-coord run --total 200k --lifetime exp:40s --storm at=60s,drop=100%,return=5s     # docs/shapes.md

[bold]Stages[/bold]
  c1m-coord run --stage 100k@10s --stage 1M@60s --stage 1M@10m --stage 0@30s           # lines: up, up, level, down
  c1m-coord run --stage step:50k@30s --stage spike:200k@5s --stage stairs:100k/5@5m --stage sine:50k-150k/60s@10m

[bold]Exit codes[/bold]  0 reached, held, reconciled and all as --require says; 1 not so; 2 usage; \
3 refused before anything was opened, because it cannot fit; 4 a node was unreachable, or lost and not made \
up for; 130 interrupted.
"""


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
        str | None,
        typer.Option(help="How openings on the clock are spaced: constant, or poisson (random gaps). Default: constant."),
    ] = None,
    hold: Hold = None,
    in_flight: InFlight = None,
    connect_timeout: Annotated[str | None, typer.Option(help="How long a connect may take. Default: 10s.")] = None,
    lease: Annotated[str | None, typer.Option(help="How long nodes go on without a coordinator. Default: 15s.")] = None,
    on_loss: Annotated[
        str | None,
        typer.Option(help="When a node is lost: continue without its share, redistribute it, or abort. Default: continue."),
    ] = None,
    close: CloseBy = None,
    close_order: Annotated[
        str | None, typer.Option(help="Which leave when stages go down: oldest or random. Default: oldest.")
    ] = None,
    seed: Annotated[str | None, typer.Option(help="Repeats what is random. Default: another one each time.")] = None,
    probe_ghosts: Annotated[
        bool,
        typer.Option(
            "--probe-ghosts",
            help="At the end of the hold, ask the server's kernel about a sample of connections; takes 1 to 10 s.",
        ),
    ] = False,
    close_rate: Annotated[
        str | None,
        typer.Option(help="Connections that the fleet closes a second. Default: as many as it can."),
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
        typer.Option(help="TCP keepalive after this many seconds; only the peer's kernel answers: 60s. Default: none."),
    ] = None,
    server_push: Annotated[
        str | None, typer.Option(help="Messages that the target sends to each connection unasked: 10/s, 1/m. Default: none.")
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(help="What a figure of the summary has to be, or the run fails: 'established >= 999k'; repeat."),
    ] = None,
    lifetime: Annotated[
        str | None,
        typer.Option(help="How long a connection lives before another replaces it: exp:2m, uniform:30s-90s, fixed:60s."),
    ] = None,
    downtime: Annotated[str | None, typer.Option(help="How long the next one waits, in the same forms. Default: none.")] = None,
    reopen: Annotated[
        bool, typer.Option("--reopen", help="Try dropped and failed connections again, after a wait that grows.")
    ] = False,
    backoff: Annotated[
        str | None, typer.Option(help="What bounds the first and the longest wait of --reopen. Default: 100ms-30s.")
    ] = None,
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
    no_journal: Annotated[
        bool, typer.Option("--no-journal", help="Keep no journal; c1m-coord show and attach need one.")
    ] = False,
    json_file: Annotated[
        str | None, typer.Option("--json", help="Write the summary to this file; with - to stdout, and nothing else.")
    ] = None,
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
