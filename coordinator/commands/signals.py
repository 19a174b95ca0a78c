"""^C, SIGTERM and SIGHUP of a command that has a run, as one event."""

from __future__ import annotations

import asyncio
import signal

from .terminal import leave_terminal


def interruption() -> asyncio.Event:
    """Set by the first ^C, SIGTERM or, when its terminal is closed, SIGHUP. From then on ^C and SIGTERM do what they do by
    default, for whoever cannot wait; that the terminal is closed may well be said twice, by a shell and by the kernel."""
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
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup(1) has it, for runs that outlive their terminals
        loop.add_signal_handler(signal.SIGHUP, hang_up)
    return interrupted


def leave() -> None:
    """By ^C, as it is by default; but from the loop itself, since a task that ends of it in the middle has its end told."""
    raise KeyboardInterrupt
