"""c1m-coord show."""

from __future__ import annotations

from typing import Annotated

import typer

from c1m.coordinator.journal.replay import broken_told, replay
from c1m.coordinator.journal.store import shelf_of
from c1m.coordinator.report.summary_tables import print_report
from c1m.coordinator.results.summary import summarise

from .options import JournalDirectory, JsonFile
from .output import publish
from .output_file import check_writable

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord show                                      # the last run
  c1m-coord show 20261124T0023 --json -               # that one's summary; c1m-coord runs lists them

[bold]Exit codes[/bold]  as c1m-coord run; 5 shown from a journal that ends before its run did.
"""


def show(
    run: Annotated[
        str, typer.Argument(help="The run's id, or enough of its beginning to tell it apart. Default: the last one.")
    ] = "",
    journal: JournalDirectory = None,
    json_file: JsonFile = None,
) -> None:
    """Show a run again from its journal, as it was shown when it ended, and end with the same exit code.

    One whose coordinator was killed is shown as far as its journal goes, and is "incomplete" (exit code 5).
    """
    check_writable(json_file)
    path = shelf_of(journal).find(run)
    with broken_told(path):
        summary = summarise(replay(path))
    publish(summary, lambda console: print_report(summary, console), json_file)
    raise typer.Exit(summary["exit_code"])
