"""Output to a terminal that may be closed during a run: later output is discarded, and the run continues.

A write to a closed terminal fails with EIO. This can happen before SIGHUP arrives, which the shell sends to its jobs, or the
kernel to the foreground processes after the shell has ended.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from typing import IO, Any, TypeVar, cast

from rich.console import Console

T = TypeVar("T")

OUTPUTS = (1, 2)


def leave_terminal() -> None:
    """Redirect stdout and stderr to /dev/null if they are a closed terminal. Returns nothing.

    Files and pipes are left alone.
    """
    for descriptor in OUTPUTS:
        if stat.S_ISCHR(os.fstat(descriptor).st_mode) and not os.isatty(descriptor):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


class LastingStream:
    """A stream whose writes never fail: not after its terminal was closed, its reader has left or the disk is full.

    It is for progress messages, on which a run does not depend.
    """

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        return lasting(lambda: self.stream.write(text), len(text))

    def flush(self) -> None:
        lasting(self.stream.flush, None)


def lasting(write: Callable[[], T], otherwise: T) -> T:
    """Return the result of the function ``write``, or ``otherwise`` if it fails with an OSError.

    If it fails because the terminal was closed, it is tried once more, with the output to /dev/null.
    """
    try:
        return write()
    except OSError as error:
        if error.errno != errno.EIO:
            return otherwise
    leave_terminal()
    return write()


def stderr_console() -> Console:
    """Return a rich console on stderr whose writes never fail."""
    return Console(file=cast("IO[str]", LastingStream(sys.stderr)), emoji=False)  # ":ab:" in an IPv6 address is not an emoji
