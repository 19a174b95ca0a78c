"""^C while a program is still being imported ends it, as it ends any other, and no traceback tells where that was."""

from __future__ import annotations

import signal


def end_quietly() -> None:
    """As long as there is nothing to close. Where ^C is ignored, as of what a shell has put aside (&), it stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def be_told() -> None:
    """From here on it is KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
