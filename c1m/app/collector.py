"""Python's garbage collector, kept out of the way of a control process."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

DEFERRED = 20_000  # new objects before a collection; walking them takes about a millisecond, and Python waits for 700


@contextmanager
def deferred() -> Iterator[None]:
    """Fewer and shorter collections meanwhile: for a control process while connections are open.

    The objects that exist already, above all the modules, are frozen: no collection walks them. A collection of all of them
    takes 20 ms, during which a control process answers nobody and takes a processor from those that open connections.
    New objects are collected, however long it lasts, so that memory does not grow; the collector is not disabled, since a
    run may go on for days.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(DEFERRED, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
