"""A node's log: a line on stderr, for whoever reads it there."""

from __future__ import annotations

import sys
from contextlib import suppress


def log(line: str) -> None:
    """In one write, as other threads write, too.

    Nothing depends on it: a reader that is gone (EPIPE) or a full disk is no reason to stop, least of all while leaving.
    """
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
