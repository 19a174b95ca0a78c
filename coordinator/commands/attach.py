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
  c1m-coord attach                                    # the newest run that lost its coordinator before its end
  c1m-coord attach 20261124T0023                      # that one; c1m-coord runs lists them
  c1m-coord attach 20261124T0023 --json whole.json    # one summary of the whole run
  c1m-coord attach --tls c1m-pki/alice                     # with this certificate; it has to be the run's operator's

[bold]Exit codes[/bold]  as c1m-coord run; 2 also for a run that is over or has a coordinator, 4 where its nodes have let it go.
"""


def attach(
    run: Annotated[
        str,
        typer.Argument(help="The run's id, or enough of its beginning to tell it apart. Default: the newest unfinished one."),
    ] = "",
    tls: TlsDirectory = None,
    journal: JournalDirectory = None,
    json_file: JsonFile = None,
) -> None:
    """Take over a run whose coordinator is gone, within the lease of its nodes, and go on where it was.

    For runs over nodes that were named with --worker and --target: those that a coordinator starts itself end with it.
    Without --tls, the operator's certificate is the one that the run had.
    """
    check_writable(json_file)
    path = chosen(shelf_of(journal), run)
    console = stderr_console()
    outcome, kept = asyncio.run(attach_to(path, Path(tls) if tls else None, console))
    raise typer.Exit(tell_end(outcome, kept, json_file))


def chosen(shelf: JournalStore, prefix: str) -> Path:
    """Raises UsageError where there is none that could be taken over, or where a person has to say which."""
    if prefix:
        found = contents_of(shelf.find(prefix))
        if found.state == ENDED:
            raise UsageError(f"run {found.run_id} is over; c1m-coord show {found.run_id} has what came of it")
        return shelf.path_of(found.run_id)
    left = [found for path in shelf.journals() if (found := contents_of(path)).state == INCOMPLETE]
    if not left:
        raise UsageError(f"no run in {shelf.directory} is without a coordinator before its end; c1m-coord runs lists them all")
    within = [found for found in left if within_lease(shelf.path_of(found.run_id), found)]
    if len(within) > 1:
        raise UsageError(f"{len(within)} runs are without a coordinator: {commands(within)}; say which one")
    return shelf.path_of((within or left)[0].run_id)


def within_lease(path: Path, found: JournalIndex) -> bool:
    """By when the journal was written last: what is older than the lease has no nodes any more, unless its disk was full."""
    try:
        lease = make_spec([("its journal", found.settings)]).lease
    except UsageError:  # there is nothing in it, or nothing that this version knows
        return False
    written = 0.0
    for each in files_of(path):
        with suppress(FileNotFoundError):
            written = max(written, each.stat().st_mtime)
    return time.time() - written <= lease


def commands(found: Sequence[JournalIndex]) -> str:
    return ", ".join(f"{each.run_id} ({each.command})" for each in found)
