"""The clock of a run. Waits are the event loop's, and every moment is read from here, so that both can be virtual in a test."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A clock of the machine. Its seconds pass as those of the event loop's timers do."""

    def now(self) -> float:
        """Return the seconds of a monotonic clock, which nobody sets."""

    def wall(self) -> datetime:
        """Return the date and time, which may be set at any moment."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Return the seconds of CLOCK_MONOTONIC."""
        return time.monotonic()

    def wall(self) -> datetime:
        """Return the date and time in UTC."""
        return datetime.now(UTC)


SYSTEM_CLOCK = SystemClock()
