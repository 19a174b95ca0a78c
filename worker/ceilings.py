"""What the operator of a worker allows it to do at most, whatever it is told. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from c1m.errors import RefusedError
from c1m.following import Following
from c1m.limits.limit import NO_LIMIT
from c1m.schedule import Arrival, Schedule
from c1m.turnover import Turnover


@dataclass(frozen=True, slots=True)
class Ceilings:
    """None: there is none. ``rate`` is in connections a second, as a schedule has them due."""

    connections: int | None = None
    rate: float | None = None

    def to_limits(self) -> dict[str, int]:
        """As Host.limits has them, for the planner to keep within."""
        return {
            "most_connections": NO_LIMIT if self.connections is None else self.connections,
            "most_rate": NO_LIMIT if self.rate is None else int(self.rate),
        }

    def check(self, following: Following, turnover: Turnover | None) -> None:
        """Raises RefusedError for a run that is to go beyond."""
        size = following.size
        if self.connections is not None and size > self.connections:
            raise RefusedError(
                f"is to open {size:,} connections, and may open {self.connections:,} (--most-connections); ask for fewer, or "
                f"add workers"
            )
        if self.rate is None:
            return
        if following.arrival is Arrival.RUSH:
            raise RefusedError(
                f"may open {self.rate:,.0f} connections a second (--most-rate), and the run opens as fast as it can; give it "
                f"--rate or --ramp"
            )
        self.check_rate(following, following.revision.schedule)
        self.check_turnover(size, turnover)

    def check_rate(self, following: Following, schedule: Schedule) -> None:
        """Raises RefusedError for a schedule that is too steep."""
        wanted = schedule.steepest * following.size / following.peak
        if self.rate is not None and wanted > self.rate:
            raise RefusedError(
                f"is to open {wanted:,.0f} connections a second at times, and may open {self.rate:,.0f} (--most-rate); open "
                f"more slowly, or add workers"
            )

    def check_turnover(self, size: int, turnover: Turnover | None) -> None:
        """What comes in place of others has to keep within, too, on the average."""
        if turnover is None or self.rate is None:
            return
        if turnover.backoff:
            raise RefusedError(
                f"may open {self.rate:,.0f} connections a second (--most-rate), and how often --reopen tries nobody can say "
                f"before; leave it out"
            )
        returns = [per_second(size * storm.share, storm.return_seconds) for storm in turnover.storms]
        lives = turnover.lifetime.mean + turnover.downtime.mean if turnover.lifetime else math.inf
        wanted = max([size / lives, *returns])
        if wanted > self.rate:
            raise RefusedError(
                f"is to replace {wanted:,.0f} connections a second at times, and may open {self.rate:,.0f} (--most-rate); "
                f"give them longer lifetimes, or storms a longer return"
            )


def per_second(count: float, seconds: float) -> float:
    return count / seconds if seconds else math.inf
