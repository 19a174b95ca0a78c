"""c1m-coord runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from c1m.app.cli import option
from c1m.coordinator.journal.index import contents_of
from c1m.coordinator.journal.store import JournalStore, shelf_of, stems
from c1m.coordinator.summary.documents import RunsDocument
from c1m.text.units import format_bytes, parse_count

from .options import JournalDirectory, JsonFile
from .output import publish
from .output_file import check_writable

SCHEMA = "c1m.runs/1"


EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord runs
  c1m-coord runs --keep 20                            # delete all but the newest 20
"""


def runs(
    keep: Annotated[str | None, typer.Option(help="Delete all journals except this many of the newest.")] = None,
    delete: Annotated[
        list[str] | None,
        typer.Option(help="Delete the journal of this run: its id or a unique beginning. Repeat for more."),
    ] = None,
    journal: JournalDirectory = None,
    json_file: JsonFile = None,
) -> None:
    """List the runs that have journals, newest first, and delete journals."""
    check_writable(json_file)
    shelf = shelf_of(journal)
    for path in {shelf.find(prefix) for prefix in delete or ()}:
        shelf.delete(path)
        print(f"deleted {path.stem}", file=sys.stderr)
    if keep is not None and (gone := shelf.keep(option("--keep", parse_count, keep))):
        print(f"deleted {stems(gone)}", file=sys.stderr)
    document = runs_document(shelf)
    publish(document, lambda console: print_runs(document, console), json_file)


def runs_document(shelf: JournalStore) -> RunsDocument:
    """Return the document: the directory, and the run of each journal."""
    return RunsDocument(SCHEMA, str(shelf.directory), tuple(contents_of(path).to_summary() for path in shelf.journals()))


def print_runs(document: RunsDocument, console: Console) -> None:
    """Print the table of runs."""
    if not document.runs:
        console.print(f"there are no journals in {document.directory}", markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("run", "labels", "what came of it", "journal", "command"):
        table.add_column(column, justify="right" if column == "journal" else "left", no_wrap=column == "run")
    for run in document.runs:
        result, labels, size = run.verdict or run.state, " ".join(run.labels), format_bytes(run.journal_bytes)
        table.add_row(run.run_id, escape(labels), escape(result), size, escape(run.command or "unknown"))
    console.print(table)
