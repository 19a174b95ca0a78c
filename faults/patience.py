"""Waiting for something to become true, for so long and no longer, and not when a person has had enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PAUSE_SECONDS = 0.02  # neither /proc nor a namespace's table of sockets tells when it changes

interrupted = threading.Event()


class Interrupted(Exception):
    """The operator has had enough."""


class TooLong(Exception):
    """What was waited for did not come; the sentence says what."""


def eventually(true: Callable[[], bool], seconds: float, pause: float = PAUSE_SECONDS) -> bool:
    """Whether it became true in time. Raises Interrupted."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        if interrupted.wait(pause):
            raise Interrupted
    return True


def surely(true: Callable[[], object], what: str, over: Callable[[], bool] = lambda: False, seconds: float = 60.0) -> None:
    """``over``: it cannot become true any more. Raises TooLong, and Interrupted."""
    if not eventually(lambda: bool(true()) or over(), seconds) or not true():
        raise TooLong(f"{what} did not come within {seconds:.0f} s, or before the end of who was to bring it")
