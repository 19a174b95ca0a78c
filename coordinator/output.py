"""What a command leaves: its document where --json says, and its report on stdout unless the document is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from .document import written

REPORT_COLUMNS = 160


def publish(document: Any, report: Callable[[Console], None], json_file: str | None) -> None:
    """``json_file`` was found writable before; "-" is stdout, alone."""
    text = written(document)
    if json_file == "-":
        print(text)
        return
    if json_file:
        Path(json_file).write_text(text + "\n")
    report(stdout_console())


def stdout_console() -> Console:
    """A file or a pipe has no width of its own; rich would take 80 columns and break names and figures."""
    stdout = Console(emoji=False)  # ":ab:" in an IPv6 address is no picture
    return stdout if stdout.is_terminal else Console(width=REPORT_COLUMNS, emoji=False)
