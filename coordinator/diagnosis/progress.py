"""Whether a run still makes the progress that its schedule asks for. A fold over moments; time is an argument.

A run is in trouble when it has *stalled* (more is asked for, and nothing more is established), is *late* (a connection
that was due long ago has not even been tried), when attempts have *failed*, connections were *dropped*, or the server has
not *accepted* what clients hold. Slow growth is no trouble, nor is standing still when the schedule asks for no more.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass

# Samples come every 0.25 to 1 s, and a SYN that was lost by chance is sent again after 1 s: shorter pauses mean nothing.
PATIENCE_SECONDS = 3.0


class Trouble(enum.Enum):
    """Kinds of trouble that a run can be in: stalled, late, failed, dropped or unaccepted connections."""

    STALLED = "stalled"
    LATE = "late"
    FAILED = "failed"
    DROPPED = "dropped"
    UNACCEPTED = "unaccepted"


@dataclass(frozen=True, slots=True)
class Progress:
    """The connection counts of all workers together ``at`` seconds after the start of the run."""

    at: float
    scheduled: int  # connections that should be open
    open: int
    in_flight: int = 0
    opened: int = 0  # so far, as the counts below
    failed: int = 0
    dropped: int = 0
    reopened: int = 0  # attempts in place of failed and dropped ones
    away: int = 0  # of those that should be open, how many the run has sent away for a while
    asked_to_drop: bool = False  # the run has the server drop connections, so that drops are no trouble
    paced: bool = False  # openings are due at times; False: they go as fast as they can, and cannot be late

    @property
    def tried(self) -> int:
        """The number of scheduled connections that are open, in flight, away, or were lost and are not tried again yet."""
        lost = max(self.failed + self.dropped - self.reopened, 0)
        return self.open + self.in_flight + self.away + lost


class ProgressDetector:
    """Detects, from connection counts of successive moments, which troubles a run is in and since when."""

    def __init__(self) -> None:
        self.last = Progress(0.0, 0, 0)
        self.waiting_since: float | None = None  # since when the next connection is awaited; None: none is asked for
        self.due: deque[tuple[float, int]] = deque()  # (when, how many were scheduled then), until as many were tried
        self.lost_since: dict[Trouble, float] = {}  # FAILED or DROPPED -> since when

    def take(self, now: Progress) -> None:
        """Process the connection counts of the next moment, which is later than the one before. Returns nothing."""
        if now.scheduled <= now.tried - now.in_flight:
            self.waiting_since = None
        elif self.waiting_since is None or now.opened > self.last.opened:
            self.waiting_since = now.at
        if not now.paced or now.scheduled < self.last.scheduled:
            self.due.clear()
        elif now.scheduled > self.last.scheduled:
            self.due.append((now.at, now.scheduled))
        while self.due and self.due[0][1] <= now.tried:
            self.due.popleft()
        if now.failed:
            self.lost_since.setdefault(Trouble.FAILED, self.last.at)
        if now.dropped and not now.asked_to_drop:
            self.lost_since.setdefault(Trouble.DROPPED, self.last.at)
        self.last = now

    def troubles(self) -> dict[Trouble, float]:
        """Return the troubles that the run is in now, each with the time since when, in seconds after the start."""
        found = dict(self.lost_since)
        if self.waiting_since is not None and self.last.at - self.waiting_since >= PATIENCE_SECONDS:
            found[Trouble.STALLED] = self.waiting_since
        if self.due and self.last.at - self.due[0][0] >= PATIENCE_SECONDS:
            found[Trouble.LATE] = self.due[0][0]
        return found
