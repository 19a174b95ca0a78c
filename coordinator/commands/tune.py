"""c1m-coord tune."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from c1m.app.frame import in_panel
from c1m.coordinator.planning.advice import advice_of, changed, script
from c1m.coordinator.run.fleet_tuning import Tuning
from c1m.coordinator.run.fleet_tuning import apply as apply_through_nodes
from c1m.coordinator.run.fleet_tuning import undo as undo_through_nodes
from c1m.coordinator.spec.spec import RunSpec
from c1m.errors import UsageError
from c1m.limits.files import deploy_files

from . import options
from .output import publish
from .output_file import check_writable
from .session import look

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord tune --total 1M --worker a:7100 --target srv:7200             # commands to type on each node
  c1m-coord tune --total 1M --worker a:7100 --target srv:7200 --apply     # nodes with --allow-tune run them
  c1m-coord tune --worker a:7100 --target srv:7200 --undo                 # restore the old values
  c1m-coord tune --files DIR                                              # files for sysctl.d, limits.d and systemd

[bold]Exit codes[/bold]  0 done; 1 something was not applied or restored, or needs manual work; 2 usage error; \
3 refused, and nothing was changed; 4 a node was unreachable.
"""


TUNING = "Tuning"


@options.takes(options.FITTING)
def tune(
    context: typer.Context,
    apply: Annotated[
        bool, in_panel(TUNING, "Let the nodes change their limits. They need --allow-tune and must be idle.", "--apply")
    ] = False,
    undo: Annotated[
        bool, in_panel(TUNING, "Let the nodes restore what --apply has changed since their machines booted.", "--undo")
    ] = False,
    files: Annotated[
        Path | None,
        in_panel(
            TUNING,
            "Only write files for sysctl.d, limits.d and systemd to this directory, for any machine.",
            "--files",
        ),
    ] = None,
    json_file: options.JsonFile = None,
) -> None:
    """Print the commands that raise each node's tight or blocking limits for a total; --apply runs them."""
    if apply + undo + (files is not None) > 1:
        raise UsageError("--apply, --undo and --files exclude each other; give one of them")
    if files is not None:
        write_files(files)
        return
    wanted = options.settings(context, default_total="1")
    check_writable(json_file)
    if apply or undo:
        tuning = asyncio.run(apply_through_nodes(wanted) if apply else undo_through_nodes(wanted))
        publish(tuning.document, lambda console: say(console, told(tuning)), json_file)
        raise typer.Exit(tuning.exit_code)
    advised = asyncio.run(advice_for(wanted))
    publish(advised.document, lambda console: say(console, script(wanted.total, advised.advice)), json_file)


async def advice_for(wanted: RunSpec) -> Tuning:
    """Return the advice on settings for a run, after surveying the nodes; nothing is changed. Raises C1mError."""
    return Tuning(wanted.total, advice_of(await look(wanted)))


def told(tuning: Tuning) -> list[str]:
    """Return the lines of the report on changed settings.

    They are: each change, the commands left to type, errors, and nodes without --allow-tune.
    """
    lines = [changed(node, change) for node, changes in tuning.changes.items() for change in changes]
    by_hand = [each for each in tuning.advice if not each.is_tunable]
    lines += script(tuning.total or 0, by_hand) if by_hand else []
    lines += [f"error: {error}" for error in tuning.lost]
    lines = lines or ["nothing to change"]
    return lines + [f"{name} was skipped: it was started without --allow-tune" for name in tuning.closed]


def say(console: Console, lines: list[str]) -> None:
    """Print lines on the console without wrapping them: a wrapped command could not be pasted. Returns nothing."""
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def write_files(directory: Path) -> None:
    """Write the files of deploy/ to a directory and print their paths. Returns nothing. Raises UsageError if that fails."""
    for name, text in deploy_files().items():
        path = directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        except OSError as error:
            raise UsageError(f"--files: cannot write {path}: {error.strerror}") from None
        print(path)
