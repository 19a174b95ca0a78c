"""What a command leaves: its document where --json says, and its report on stdout unless the document is there."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console

from c1m.app.cli import drop_stdout

from .output_file import STDOUT, write_whole

REPORT_COLUMNS = 160


def publish(document: Any, report: Callable[[Console], None], json_file: str | None) -> None:
    """``json_file`` was found writable before; "-" is stdout, alone. Raises C1mError when it is so no longer."""
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
    """On stdout. A file or a pipe has no width of its own: rich would take 80 columns, and break names and figures, and
    pads each row of a table to its width."""
    stdout = Console(emoji=False)  # ":ab:" in an IPv6 address is no picture
    if stdout.is_terminal:
        report(stdout)
        return
    console = Console(width=REPORT_COLUMNS, emoji=False)
    with console.capture() as captured:
        report(console)
    write("\n".join(line.rstrip() for line in captured.get().split("\n")))


def write(text: str) -> None:
    """A reader who leaves early (| head) has seen enough: the exit code is still the verdict's."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()


INDENT = "  "


def written(document: Any) -> str:
    """Indented JSON. A column of the time line has hundreds of numbers; one a line, nobody would scroll past them."""
    return "".join(pieces(document, "\n"))


def pieces(value: Any, newline: str) -> Iterator[str]:
    """``newline`` ends a line and indents the next one."""
    deeper = newline + INDENT
    if isinstance(value, dict) and value:
        for index, (name, item) in enumerate(value.items()):
            yield from (("," if index else "{") + deeper, json.dumps(name), ": ", *pieces(item, deeper))
        yield newline + "}"
    elif isinstance(value, (list, tuple)) and any(isinstance(item, (dict, list, tuple)) for item in value):
        for index, item in enumerate(value):
            yield from (("," if index else "[") + deeper, *pieces(item, deeper))
        yield newline + "]"
    else:
        yield json.dumps(value)
