"""^C, SIGTERM and SIGHUP during a run, as one event."""

from __future__ import annotations

import asyncio
import signal

from .terminal import leave_terminal


def interruption() -> asyncio.Event:
    """Install the signal handlers of a run. Return an event that the first ^C, SIGTERM or SIGHUP sets.

    After that a second ^C or SIGTERM ends the process at once. SIGHUP is ignored from then on: when a terminal closes, both the
    shell and the kernel may send it.
    """
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        interrupted.set()
        loop.add_signal_handler(signal.SIGINT, leave)
        loop.remove_signal_handler(signal.SIGTERM)

    def hang_up() -> None:
        leave_terminal()
        interrupted.set()
        loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup(1) ignores it
        loop.add_signal_handler(signal.SIGHUP, hang_up)
    return interrupted


def leave() -> None:
    """Raise KeyboardInterrupt from the event loop: raised inside a task, asyncio would log the task's traceback."""
    raise KeyboardInterrupt
