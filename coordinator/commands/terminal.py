"""A hang-up: the terminal is closed while a run goes on. What is said after that goes nowhere, and is no reason to fall over.

The kernel answers EIO to whoever writes to it, and that may be before SIGHUP comes, which a shell sends its jobs, or the kernel
those in the foreground once the shell has ended.
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
    """Say on no terminal any more that has been hung up; files and pipes stay what they are."""
    for descriptor in OUTPUTS:
        if stat.S_ISCHR(os.fstat(descriptor).st_mode) and not os.isatty(descriptor):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


class LastingStream:
    """A stream that can be written to after its terminal has been hung up, its reader has left or its disk is full.

    What is said there is for people, and a run does not depend on it.
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
    try:
        return write()
    except OSError as error:
        if error.errno != errno.EIO:
            return otherwise
    leave_terminal()
    return write()


def stderr_console() -> Console:
    return Console(file=cast("IO[str]", LastingStream(sys.stderr)), emoji=False)  # ":ab:" in an IPv6 address is no picture
