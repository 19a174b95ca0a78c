"""c1m-coord tune."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from c1m.coordinator.planning.advice import advice_of, changed, script
from c1m.coordinator.run.fleet_tuning import Tuning
from c1m.coordinator.run.fleet_tuning import apply as apply_through_nodes
from c1m.coordinator.run.fleet_tuning import undo as undo_through_nodes
from c1m.coordinator.spec.spec import RunSpec
from c1m.errors import UsageError
from c1m.limits.files import deploy_files

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
from .output import publish
from .output_file import check_writable
from .session import look

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord tune --total 1M --worker a:7100 --target srv:7200             # what to type on each node
  c1m-coord tune --total 1M --worker a:7100 --target srv:7200 --apply     # nodes with --allow-tune do it
  c1m-coord tune --worker a:7100 --target srv:7200 --undo                 # as it was before
  c1m-coord tune --files DIR                                              # files of sysctl.d, limits.d and systemd

[bold]Exit codes[/bold]  0 all done; 1 something could not be applied or restored, or is left for people; 2 usage; \
3 refused, and nothing was changed; 4 a node was unreachable.
"""


def tune(
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
    apply: Annotated[
        bool, typer.Option("--apply", help="Let the nodes do it: those that were started with --allow-tune, and are free.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Let the nodes restore what --apply changed since their machines started.")
    ] = False,
    files: Annotated[
        Path | None, typer.Option(help="Only write deploy's files there (sysctl.d, limits.d, systemd), for any machine.")
    ] = None,
    spec: SpecFile = None,
    config: ConfigFile = None,
    json_file: JsonFile = None,
) -> None:
    """Print what to type on each node so that no limit is tight for a total, or in general; --apply does it."""
    if apply + undo + (files is not None) > 1:
        raise UsageError("--apply, --undo and --files are three different things; say one of them")
    if files is not None:
        write_files(files)
        return
    wanted = settings(context, spec, config, default_total="1")
    check_writable(json_file)
    if apply or undo:
        tuning = asyncio.run(apply_through_nodes(wanted) if apply else undo_through_nodes(wanted))
        publish(tuning.document, lambda console: say(console, told(tuning)), json_file)
        raise typer.Exit(tuning.exit_code)
    advised = asyncio.run(advice_for(wanted))
    publish(advised.document, lambda console: say(console, script(wanted.total, advised.advice)), json_file)


async def advice_for(wanted: RunSpec) -> Tuning:
    return Tuning(wanted.total, advice_of(await look(wanted)))


def told(tuning: Tuning) -> list[str]:
    """What became of each setting, and what is left to people."""
    lines = [changed(node, change) for node, changes in tuning.changes.items() for change in changes]
    by_hand = [each for each in tuning.advice if not each.is_tunable]
    lines += script(tuning.total or 0, by_hand) if by_hand else []
    lines += [f"error: {error}" for error in tuning.lost]
    lines = lines or ["nothing to change"]
    return lines + [f"{name} was not asked: it was started without --allow-tune" for name in tuning.closed]


def say(console: Console, lines: list[str]) -> None:
    """As they are: commands that a terminal's width breaks cannot be pasted."""
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def write_files(directory: Path) -> None:
    """Raises UsageError where it cannot."""
    for name, text in deploy_files().items():
        path = directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        except OSError as error:
            raise UsageError(f"--files: cannot write {path}: {error.strerror}") from None
        print(path)
