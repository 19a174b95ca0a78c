"""Settings of Python's garbage collector for a control process."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

DEFERRED = 20_000  # new objects before a collection, which then takes about 1 ms; Python's default is 700


@contextmanager
def deferred() -> Iterator[None]:
    """Make collections fewer and shorter inside the block: for a control process while connections are open.

    Existing objects, above all modules, are frozen: no collection walks them. A full collection of them takes 20 ms, in which
    a control process answers nobody and takes CPU time from the processes that open connections.
    New objects are still collected: a run may take days, and memory must not grow.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(DEFERRED, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
