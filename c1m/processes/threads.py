"""Work in a thread beside a trio loop, as long as the machine has one to give.

A node that runs out of processes and threads in the middle of a run (pids.max of its cgroup, RLIMIT_NPROC, kernel.pid_max) goes
on without: what would have been done beside the loop is done in it, and the loop waits, a second at worst. What hit the limit
stands among the run's evidence (``kernel.cgroup_events``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")

NO_THREAD = "can't start new thread"  # a RuntimeError of CPython's with no errno in it: Modules/_threadmodule.c


async def in_thread(function: Callable[..., T], *args: object) -> T:
    """What the function returns, and raises."""
    try:
        return await trio.to_thread.run_sync(function, *args)
    except RuntimeError as error:
        if str(error) != NO_THREAD:
            raise
        return function(*args)
