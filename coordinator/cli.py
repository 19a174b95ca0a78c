"""The c1m-coord command."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from c1m.cli import main_of, version_option
from c1m.errors import RefusedError, UsageError

from . import embedded
from .config import config_layer, read_layer
from .fleet import Target, Worker
from .live import view
from .outcome import Outcome
from .report import print_report
from .run import Run
from .spec import RunSpec, make_spec
from .summary import summarise

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)

EXAMPLES = """
[bold]Examples[/bold]

  c1m-coord run --total 100k                          # everything on this machine, over 127.0.0.0/8

  c1m-coord run --total 1M --worker a:7100 --worker b:7100 --target srv:7200

  c1m-coord run --total 1M                            # the same, with the nodes in c1m.toml

  c1m-coord run --total 50k --endpoint 10.0.0.5:80 --worker a:7100 --ramp 60s --hold 5m

  c1m-coord run --total 100k --json - > summary.json  # the summary alone on stdout

[bold]Exit codes[/bold]  0 reached, held and reconciled; 1 not so; 2 usage; 3 refused, because it cannot fit; 4 a node was
unreachable or lost; 130 interrupted.
"""

REPORT_COLUMNS = 160
NOT_SETTINGS = frozenset({"context", "spec", "config", "json_file", "version"})


@app.callback(epilog=EXAMPLES)
def coord(
    version: Annotated[bool, version_option()] = False,
) -> None:
    """Direct c1m-workers and a c1m-target, and reconcile what they and their kernels count."""


@app.command(epilog=EXAMPLES)
def run(
    context: typer.Context,
    total: Annotated[str | None, typer.Option(help="Connections to open and hold: 1000000, 1M, 250k.")] = None,
    worker: Annotated[list[str] | None, typer.Option(help="A worker's control address; repeat. None: one here.")] = None,
    target: Annotated[str | None, typer.Option(help="The target's control address. None: one here.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Any TCP server instead of a target: HOST:PORT or HOST:PORT-PORT.")
    ] = None,
    data_host: Annotated[
        str | None,
        typer.Option(help="Where workers connect to. Default: the target's --bind, or its control host."),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(help="Connections a second over the fleet, on the clock. Default: as fast as they go."),
    ] = None,
    ramp: Annotated[str | None, typer.Option(help="Instead of a rate: how long opening should take.")] = None,
    hold: Annotated[str | None, typer.Option(help="How long to hold all of them. Default: 10s.")] = None,
    in_flight: Annotated[str | None, typer.Option(help="Connects that one shard may have in flight. Default: 512.")] = None,
    connect_timeout: Annotated[str | None, typer.Option(help="When to give a connect up. Default: 10s.")] = None,
    lease: Annotated[str | None, typer.Option(help="How long nodes hold on without this coordinator. Default: 15s.")] = None,
    close: Annotated[str | None, typer.Option(help="rst: leaves no TIME_WAIT; fin: as programs close. Default: rst.")] = None,
    probe_ghosts: Annotated[
        bool,
        typer.Option("--probe-ghosts", help="At the end of the hold, prove on a sample which are ghosts: 4 s more."),
    ] = False,
    close_rate: Annotated[
        str | None,
        typer.Option(help="Connections closed a second over the fleet. Default: as fast as they go."),
    ] = None,
    spec: Annotated[Path | None, typer.Option(help="A TOML file with any of these settings, by their names.")] = None,
    config: Annotated[Path | None, typer.Option(help="The fleet's TOML file. Default: $C1M_CONFIG, then ./c1m.toml.")] = None,
    json_file: Annotated[str | None, typer.Option("--json", help="Write the summary there; - is stdout, alone.")] = None,
) -> None:
    """Open, hold, count, reconcile and close connections; say whether it all held."""
    flags = {name: value for name, value in context.params.items() if name not in NOT_SETTINGS and value}
    layers: list[tuple[str, dict[str, Any]]] = [("command line", flags)]
    if spec is not None:
        layers.append(read_layer(spec))
    if found := config_layer(config, os.environ, Path.cwd()):
        layers.append(found)
    settings = make_spec(layers)
    check_writable(json_file)
    console = Console(stderr=True, emoji=False)  # ":ab:" in an IPv6 address is no picture
    print_settings(settings, console)
    outcome = asyncio.run(conduct(settings, console))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to be stopped, and half a summary is none
    summary = summarise(outcome)
    write(summary, json_file)
    raise typer.Exit(summary["exit_code"])


def print_settings(settings: RunSpec, console: Console) -> None:
    """Every run says first what it is going to do, so that its log alone can repeat it."""
    console.print("c1m-coord run " + shlex.join(settings.to_words()), markup=False, highlight=False, soft_wrap=True)


async def conduct(settings: RunSpec, console: Console) -> Outcome:
    """The whole run, with whatever nodes it has to start. Only a refusal makes an outcome of an error."""
    interrupted = interruption()
    started_at = datetime.now(UTC)
    try:
        async with fleet(settings) as (workers, target):
            with view(console) as shown:
                return await Run(settings, workers, target, shown).go(interrupted)
    except RefusedError as error:
        return Outcome("none", settings, started_at, datetime.now(UTC), refusal=str(error))


def interruption() -> asyncio.Event:
    """Set by the first ^C or SIGTERM; from then on they do what they do by default, for whoever cannot wait."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        interrupted.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    return interrupted


@asynccontextmanager
async def fleet(settings: RunSpec) -> AsyncIterator[tuple[list[Worker], Target | None]]:
    """Clients of the named nodes, or of nodes started here where none are named."""
    if settings.worker and not settings.target and not settings.endpoint:
        raise UsageError("workers are named, and nothing for them to connect to; give --target or --endpoint")
    async with AsyncExitStack() as stack:
        addresses = list(settings.worker)
        target_address = settings.target
        if target_address is None and settings.endpoint is None:
            target_address = await stack.enter_async_context(embedded.node(embedded.TARGET))
        if not addresses:
            addresses.append(await stack.enter_async_context(embedded.node(embedded.WORKER)))
        workers = [Worker(address) for address in addresses]
        target = Target(target_address) if target_address else None
        for client in [*workers, *([target] if target else [])]:
            stack.push_async_callback(client.close)
        yield workers, target


def check_writable(json_file: str | None) -> None:
    """Before the run, not after it. Raises UsageError."""
    if json_file in (None, "-"):
        return
    try:
        Path(str(json_file)).touch()
    except OSError as error:
        raise UsageError(f"--json: cannot write {json_file}: {error.strerror}") from None


def write(summary: dict[str, Any], json_file: str | None) -> None:
    text = json.dumps(summary, indent=2)
    if json_file == "-":
        print(text)
        return
    if json_file:
        Path(json_file).write_text(text + "\n")
    stdout = Console(emoji=False)
    # A file or a pipe has no width of its own; rich would take 80 columns and break names and figures.
    print_report(summary, stdout if stdout.is_terminal else Console(width=REPORT_COLUMNS, emoji=False))


def main() -> None:
    main_of(app)
