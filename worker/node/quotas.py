"""The quotas of a worker: the most that its operator lets any run do. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from c1m.errors import RefusedError
from c1m.limits.limit import NO_LIMIT
from c1m.schedule.node_schedule import NodeSchedule
from c1m.schedule.schedule import Arrival, Schedule
from c1m.text.units import format_bits
from c1m.traffic.bandwidth import ConnectionTraffic, bits_each, close_rate, per_second, rising
from c1m.traffic.turnover import Turnover
from c1m.worker.shard.assignment import ShardAssignment

T = TypeVar("T", int, float)


def of_one_at_least(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return a parser that parses a quota as ``parse`` does, but raises ValueError for values below one, with which no run
    could do anything.
    """

    def parsed(text: str) -> T:
        if (most := parse(text)) < 1:
            raise ValueError(f"{text!r} is less than 1, and lets no run open anything here; give 1 or more, or leave it out")
        return most

    return parsed


@dataclass(frozen=True, slots=True)
class Quotas:
    """The most that a worker's operator lets any run do; None stands for no quota.

    ``rate`` is in connections a second that a schedule has due, ``bandwidth`` in bits a second that ``c1m.traffic.bandwidth``
    counts as sent.
    """

    connections: int | None = None
    rate: float | None = None
    bandwidth: float | None = None

    def to_limits(self) -> dict[str, int]:
        """Return the quotas as {name: number}, as Host.limits has them, for the planner. No quota is NO_LIMIT."""
        return {
            "most_connections": NO_LIMIT if self.connections is None else self.connections,
            "most_rate": NO_LIMIT if self.rate is None else int(self.rate),
            "most_bandwidth": NO_LIMIT if self.bandwidth is None else int(self.bandwidth),
        }

    def check(self, following: NodeSchedule, turnover: Turnover | None, bits: float) -> None:
        """Raise RefusedError if a run exceeds a quota. ``bits`` are the bits a second that the node sends, from ``bits_of``."""
        self.check_size(following.size)
        self.check_openings(following, turnover)
        self.check_bandwidth(bits)

    def check_size(self, size: int) -> None:
        if self.connections is not None and size > self.connections:
            raise RefusedError(
                f"is to open {size:,} connections, and may open {self.connections:,} (--most-connections); ask for fewer, or "
                f"add workers"
            )

    def check_openings(self, following: NodeSchedule, turnover: Turnover | None) -> None:
        if self.rate is None:
            return
        if following.arrival is Arrival.CLOSED_LOOP:
            raise RefusedError(
                f"may open {self.rate:,.0f} connections a second (--most-rate), and the run opens as fast as it can; give it "
                f"--rate or --ramp"
            )
        self.check_rate(following, following.revision.schedule)
        self.check_turnover(following.size, turnover)

    def check_rate(self, following: NodeSchedule, schedule: Schedule) -> None:
        """Raise RefusedError if a schedule opens more connections a second than the quota."""
        wanted = rising(schedule) * following.size / following.peak
        if self.rate is not None and math.isinf(wanted):
            raise RefusedError(
                f"is to open connections at once, and may open {self.rate:,.0f} a second (--most-rate); give it time, such as "
                f"--within 30s or a stage with @30s"
            )
        if self.rate is not None and wanted > self.rate:
            raise RefusedError(
                f"is to open {wanted:,.0f} connections a second at times, and may open {self.rate:,.0f} (--most-rate); open "
                f"more slowly, or add workers"
            )

    def check_turnover(self, size: int, turnover: Turnover | None) -> None:
        """Raise RefusedError if replaced connections exceed the quota of connections a second on average, or their rate is
        unknown.
        """
        if turnover is None or self.rate is None:
            return
        if turnover.backoff:
            raise RefusedError(
                f"may open {self.rate:,.0f} connections a second (--most-rate), and how often --reopen tries is not known "
                f"before the run; leave it out"
            )
        returns = [per_second(size * storm.share, storm.return_seconds) for storm in turnover.storms]
        lives = turnover.lifetime.mean + turnover.downtime.mean if turnover.lifetime else math.inf
        wanted = max([size / lives, *returns])
        if wanted > self.rate:
            raise RefusedError(
                f"is to replace {wanted:,.0f} connections a second at times, and may open {self.rate:,.0f} (--most-rate); "
                f"give them longer lifetimes, or storms a longer return"
            )

    def check_bandwidth(self, bits: float) -> None:
        """Raise RefusedError if ``bits``, the bits a second of a run, are more than the quota, or infinite."""
        if self.bandwidth is None or bits <= self.bandwidth or math.isclose(bits, self.bandwidth):  # plans use all of it
            return
        most = f"may send {format_bits(self.bandwidth)} (--most-bandwidth)"
        if math.isinf(bits):
            raise RefusedError(
                f"{most}, and what a run sends that opens as fast as it can, or uses --reopen, is not known before it; "
                f"give it --rate or --ramp, a storm a return, and leave --reopen out"
            )
        raise RefusedError(
            f"is to send {format_bits(bits)} at times, and {most}; let connections speak more seldom (--heartbeat), open more "
            f"slowly, or add workers"
        )

    def close_rate(self, wanted: float, *, reset: bool, version: int) -> float:
        """Return how many connections a second a run may close if it asks for ``wanted``; 0 is unlimited.

        With a quota the result is at least one a second, because a run has to end.
        """
        if self.bandwidth is None:
            return wanted
        return min(wanted or math.inf, max(close_rate(self.bandwidth, reset=reset, version=version), 1.0))


def bits_of(following: NodeSchedule, like: ShardAssignment) -> float:
    """Return how many bits a second the node sends at most, with shards like this one; infinite where that is unknown."""
    if following.arrival is Arrival.CLOSED_LOOP:
        return math.inf
    settings, version = like.settings, like.space.sources.version or 4
    talk = ConnectionTraffic(settings.heartbeat, settings.slow, settings.keepalive, settings.push_rate)
    each = bits_each(
        following.revision.schedule, following.peak, settings.turnover, talk, reset=settings.resets, version=version
    )
    return following.size * each
