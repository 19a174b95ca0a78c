"""Whether a run still gets what its schedule asks for. A fold over moments; time is an argument.

A run is in trouble when it has *stalled* (more is asked for, and nothing more is established), is *late* (a connection
that was due long ago has not even been tried), when attempts have *failed*, connections were *dropped*, or the server has
not *accepted* what clients hold. One that grows slowly, or does not grow because nobody asks for more, is in none.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass

# Samples come every 0.25 to 1 s, and a SYN that was lost by chance is sent again after 1 s: less than this is no news.
PATIENCE_SECONDS = 3.0


class Trouble(enum.Enum):
    STALLED = "stalled"
    LATE = "late"
    FAILED = "failed"
    DROPPED = "dropped"
    UNACCEPTED = "unaccepted"


@dataclass(frozen=True, slots=True)
class Progress:
    """A run ``at`` seconds after its start, by the newest samples of its workers."""

    at: float
    scheduled: int  # connections that should be open
    open: int
    in_flight: int = 0
    opened: int = 0  # so far, as the following
    failed: int = 0
    dropped: int = 0
    reopened: int = 0  # tries in place of failed and dropped ones
    away: int = 0  # of those that should be open, as many as the run has sent away for a while
    asked_to_drop: bool = False  # the run has the server drop connections: that they are dropped is no trouble
    paced: bool = False  # openings are due on the clock; otherwise as fast as they go, and nothing can be late

    @property
    def tried(self) -> int:
        """Of what is scheduled, how many are open, on the way, away, or lost and not tried again yet."""
        lost = max(self.failed + self.dropped - self.reopened, 0)
        return self.open + self.in_flight + self.away + lost


class ProgressDetector:
    def __init__(self) -> None:
        self.last = Progress(0.0, 0, 0)
        self.waiting_since: float | None = None  # for the next connection to be established; None: none is asked for
        self.due: deque[tuple[float, int]] = deque()  # when so many were scheduled, as far as they were not tried yet
        self.lost_since: dict[Trouble, float] = {}  # since when connections failed, or were dropped

    def take(self, now: Progress) -> None:
        """The next moment; none that is not later than the last."""
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
        """What is wrong now, and since when."""
        found = dict(self.lost_since)
        if self.waiting_since is not None and self.last.at - self.waiting_since >= PATIENCE_SECONDS:
            found[Trouble.STALLED] = self.waiting_since
        if self.due and self.last.at - self.due[0][0] >= PATIENCE_SECONDS:
            found[Trouble.LATE] = self.due[0][0]
        return found
