"""What a command leaves: its document where --json says, and its report on stdout unless the document is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console

from .document import written
from .json_file import STDOUT, write_whole

REPORT_COLUMNS = 160


def publish(document: Any, report: Callable[[Console], None], json_file: str | None) -> None:
    """``json_file`` was found writable before; "-" is stdout, alone. Raises C1mError when it is so no longer."""
    text = written(document)
    if json_file == STDOUT:
        print(text)
        return
    try:
        if json_file:
            write_whole(json_file, text + "\n")
    finally:
        report(stdout_console())


def stdout_console() -> Console:
    """A file or a pipe has no width of its own; rich would take 80 columns and break names and figures."""
    stdout = Console(emoji=False)  # ":ab:" in an IPv6 address is no picture
    return stdout if stdout.is_terminal else Console(width=REPORT_COLUMNS, emoji=False)
