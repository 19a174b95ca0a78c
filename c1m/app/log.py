"""A node's log: lines on stderr."""

from __future__ import annotations

import sys
from contextlib import suppress


def log(line: str) -> None:
    """Write one line to stderr, in a single write because other threads write too.

    Errors are ignored: a node must not stop because its log's reader has left (EPIPE) or the disk is full.
    """
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
