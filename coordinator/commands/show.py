"""c1m-coord show."""

from __future__ import annotations

from typing import Annotated

import typer

from c1m.coordinator.journal.events import events
from c1m.coordinator.journal.replay import broken_told, replay
from c1m.coordinator.journal.store import shelf_of
from c1m.coordinator.report.summary_tables import print_report
from c1m.coordinator.results.summary import summarise
from c1m.coordinator.summary.json_text import lines

from .options import JournalDirectory, JsonFile
from .output import publish, write
from .output_file import check_writable

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord show                                      # the last run
  c1m-coord show 20261124T0023 --json -               # the summary of this run; c1m-coord runs lists the ids
  c1m-coord show --events | jq .event                 # what happened in it, one event a line

[bold]Exit codes[/bold]  as for c1m-coord run; 5 if the journal ends before its run did.
"""


def show(
    run: Annotated[str, typer.Argument(help="The run's id, or its unique beginning. Default: the last run.")] = "",
    journal: JournalDirectory = None,
    json_file: JsonFile = None,
    as_events: Annotated[
        bool, typer.Option("--events", help="Print the run's events instead, each as JSON in a line (c1m-coord schema events).")
    ] = False,
) -> None:
    """Print the report of an earlier run from its journal, and exit with the run's exit code.

    If the coordinator was killed, the report goes as far as the journal and says "incomplete" (exit code 5).
    """
    check_writable(json_file)
    path = shelf_of(journal).find(run)
    with broken_told(path):
        summary = summarise(replay(path))
    if as_events:
        for line in lines(events(path)):
            write(line)
        raise typer.Exit(summary.exit_code)
    publish(summary, lambda console: print_report(summary, console), json_file)
    raise typer.Exit(summary.exit_code)
