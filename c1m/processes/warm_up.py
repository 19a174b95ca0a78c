"""Warms up a zygote before it forks: runs what every child will run until CPython has specialised the bytecode."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

TIMES = 20  # CPython specialises bytecode that has run several times, and then does not change it again
# The time limit. If connections over loopback hang (a packet filter, or net.core.somaxconn below their number), the warm-up
# stops early and children copy some more pages. A node waits only 20 s for its zygote.
MOST_SECONDS = 5.0


def specialise(perform: Callable[[], object]) -> None:
    """Call a function TIMES times, but for MOST_SECONDS at most, so that CPython specialises its code. OSErrors are ignored."""
    end = time.monotonic() + MOST_SECONDS
    for _ in range(TIMES):
        with suppress(OSError):  # if loopback has no address, less can be warmed up
            perform()
        if time.monotonic() > end:
            return
