"""c1m-coord attach."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from c1m.coordinator.journal.index import ENDED, INCOMPLETE, JournalIndex, contents_of
from c1m.coordinator.journal.journal import files_of
from c1m.coordinator.journal.store import JournalStore, shelf_of
from c1m.coordinator.spec.layers import make_spec
from c1m.errors import UsageError

from .finish import tell_end
from .options import JournalDirectory, JsonFile, TlsDirectory
from .output_file import check_writable
from .session import attach as attach_to
from .terminal import stderr_console

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord attach                                    # the newest run whose coordinator died before its end
  c1m-coord attach 20261124T0023                      # this run; c1m-coord runs lists the ids
  c1m-coord attach 20261124T0023 --json whole.json    # one summary of the whole run
  c1m-coord attach --tls c1m-pki/alice                # with this certificate, of the operator who started the run

[bold]Exit codes[/bold]  as for c1m-coord run; 2 also if the run is over or has a coordinator; 4 if its nodes have ended it.
"""


def attach(
    run: Annotated[
        str,
        typer.Argument(help="The run's id, or its unique beginning. Default: the newest unfinished run."),
    ] = "",
    tls: TlsDirectory = None,
    journal: JournalDirectory = None,
    json_file: JsonFile = None,
) -> None:
    """Resume a run whose coordinator has died. Must be started before the nodes' leases expire.

    The run must have used --worker and --target: nodes that a coordinator starts itself end with it.
    Without --tls, the certificate is the one that the run was started with.
    """
    check_writable(json_file)
    path = chosen(shelf_of(journal), run)
    console = stderr_console()
    outcome, kept = asyncio.run(attach_to(path, Path(tls) if tls else None, console))
    raise typer.Exit(tell_end(outcome, kept, json_file))


def chosen(shelf: JournalStore, prefix: str) -> Path:
    """Return the path of the journal of the run to take over.

    ``prefix`` is the beginning of the run's id, or empty for the newest unfinished run. Raises UsageError if there is no such
    run, or if several unfinished runs are within their leases.
    """
    if prefix:
        found = contents_of(shelf.find(prefix))
        if found.state == ENDED:
            raise UsageError(f"run {found.run_id} is over; c1m-coord show {found.run_id} prints its report")
        return shelf.path_of(found.run_id)
    left = [found for path in shelf.journals() if (found := contents_of(path)).state == INCOMPLETE]
    if not left:
        raise UsageError(f"no run in {shelf.directory} is unfinished; c1m-coord runs lists all runs")
    within = [found for found in left if within_lease(shelf.path_of(found.run_id), found)]
    if len(within) > 1:
        raise UsageError(f"{len(within)} unfinished runs could be resumed: {commands(within)}; give the id of one")
    return shelf.path_of((within or left)[0].run_id)


def within_lease(path: Path, found: JournalIndex) -> bool:
    """Return True if a run's journal was last written less than the run's lease ago, else False.

    After that its nodes have ended the run, unless the journal stopped earlier because the disk was full.
    """
    try:
        lease = make_spec([("its journal", found.settings)]).lease
    except UsageError:  # empty, or written by a version with other settings
        return False
    written = 0.0
    for each in files_of(path):
        with suppress(FileNotFoundError):
            written = max(written, each.stat().st_mtime)
    return time.time() - written <= lease


def commands(found: Sequence[JournalIndex]) -> str:
    """Return the ids and command lines of runs as text: "ID (COMMAND LINE), ID (COMMAND LINE)"."""
    return ", ".join(f"{each.run_id} ({each.command})" for each in found)
