"""Virtual time: an event loop whose clock jumps to the next timer as soon as nothing is left to do.

Code that waits with asyncio needs no change. An hour of waiting takes as long as the code that runs in it, and happens in the
same order each time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # the date and time at which virtual time is 0
BEGIN = 1000.0  # seconds; not 0, so that code that confuses a moment with a duration fails


class StuckError(Exception):
    """Every task waits for something that nothing will bring about."""


class JumpingSelector(selectors.DefaultSelector):
    """A selector that does not wait: it tells its loop how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.jump: Callable[[float], None] = lambda _: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now. Raises StuckError if nothing is and no timer is set."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise StuckError("nothing is ready, and no timer is set: the code under test would wait for ever")
        self.jump(timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time. What it is asked to do in a thread, it does at once and by itself."""

    def __init__(self, begin: float = BEGIN) -> None:
        """``begin``: what the clock shows first, in seconds."""
        self.virtual = begin
        selector = JumpingSelector()
        super().__init__(selector)
        selector.jump = self.pass_by

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.virtual += seconds

    def time(self) -> float:
        """Return the seconds of the virtual clock."""
        return self.virtual

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Return a future that is done: the function is called here and now."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class VirtualClock:
    """The clock of the virtual loop that runs now."""

    def now(self) -> float:
        """Return the seconds of the virtual clock."""
        return asyncio.get_running_loop().time()

    def wall(self) -> datetime:
        """Return the virtual date and time."""
        return EPOCH + timedelta(seconds=self.now())


def run_virtually(work: Coroutine[Any, Any, T], begin: float = BEGIN) -> T:
    """Run a coroutine to its end in virtual time, which begins at ``begin`` seconds. Return what it returns."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(begin)) as runner:
        return runner.run(work)
