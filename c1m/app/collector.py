"""Settings of Python's garbage collector for a control process."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# New objects before a collection of the youngest, such collections before one of the middle generation, and those before a
# full one. Python's defaults are 700, 10 and 10. The samples of a thousand nodes are two million objects, which a full
# collection walks for 0.2 s; 50,000 objects take 25 ms.
DEFERRED = (10_000, 4, 250)


@contextmanager
def deferred() -> Iterator[None]:
    """Return a context in which Python's garbage collector runs less often and skips all objects that exist already.

    A control process uses it while connections are open. A full collection of the existing objects, mostly modules, takes 20
    ms, in which a control process answers no call and takes CPU time from the processes that open connections. New objects are
    still collected: a run may take days, and memory must not grow.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*DEFERRED)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
