"""A command's output: the JSON document to the file of --json, the report to stdout unless the JSON goes there."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.console import Console

from c1m.app.cli import drop_stdout
from c1m.coordinator.summary.json_text import written
from c1m.coordinator.summary.records import Record

from .output_file import STDOUT, write_whole

REPORT_COLUMNS = 160


def publish(document: Record, report: Callable[[Console], None], json_file: str | None) -> None:
    """Write the document as JSON and print the report.

    With ``json_file`` "-" only the JSON goes to stdout. Call ``check_writable`` first. Raises C1mError if the file cannot be
    written any more; the report is printed nevertheless.
    """
    text = written(document)
    if json_file == STDOUT:
        write(text + "\n")
        return
    try:
        if json_file:
            write_whole(json_file, text + "\n")
    finally:
        tell(report)


def tell(report: Callable[[Console], None]) -> None:
    """Print a report to stdout: the function ``report`` prints it on the console that it gets. Returns nothing.

    A file or a pipe has no width. rich would assume 80 columns, which breaks names and figures, and pad each table row.
    """
    stdout = Console(emoji=False)  # ":ab:" in an IPv6 address is not an emoji
    if stdout.is_terminal:
        report(stdout)
        return
    console = Console(width=REPORT_COLUMNS, emoji=False)
    with console.capture() as captured:
        report(console)
    write("\n".join(line.rstrip() for line in captured.get().split("\n")))


def write(text: str) -> None:
    """Write a text to stdout. Returns nothing.

    A reader that closes the pipe early (``| head``) does not change the exit code.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()
