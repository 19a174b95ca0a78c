"""^C while a program is still importing its modules: end silently, as other programs do, without a traceback."""

from __future__ import annotations

import signal


def end_quietly() -> None:
    """Set SIGINT (^C) to end the process at once, without a traceback.

    Call it before anything is open that must be closed. If SIGINT is ignored, as in a background job of a shell (``&``), it
    stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def be_told() -> None:
    """Set SIGINT (^C) to raise KeyboardInterrupt again, after ``end_quietly`` had switched that off."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
