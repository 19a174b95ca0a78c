"""Runs work in a thread beside a trio loop, or in the loop if the machine cannot start a thread.

If a node runs out of processes and threads during a run (pids.max of its cgroup, RLIMIT_NPROC, kernel.pid_max), it
continues without: the work runs in the loop, which blocks for a second at most. The limit that was hit appears in the run's
evidence (``c1m.kernel.cgroup_events``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")

NO_THREAD = "can't start new thread"  # CPython raises a RuntimeError without an errno (Modules/_threadmodule.c)


async def in_thread(function: Callable[..., T], *args: object) -> T:
    """Call ``function`` in a thread and return what it returns. It raises what ``function`` raises."""
    try:
        return await trio.to_thread.run_sync(function, *args)
    except RuntimeError as error:
        if str(error) != NO_THREAD:
            raise
        return function(*args)
