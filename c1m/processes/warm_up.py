"""What a zygote does before it forks any child: what every child will do, so often that CPython leaves its bytecode alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

TIMES = 20  # CPython specialises what has run some times, and then leaves it alone
# Where connections over loopback hang (a filter, net.core.somaxconn below their number), children that write some pages of
# their own are better than a node that can start none for that long: it waits 20 s for its zygote.
MOST_SECONDS = 5.0


def specialise(perform: Callable[[], object]) -> None:
    end = time.monotonic() + MOST_SECONDS
    for _ in range(TIMES):
        with suppress(OSError):  # where loopback has no address, there is less to rehearse
            perform()
        if time.monotonic() > end:
            return
