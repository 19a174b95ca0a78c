"""How far a node's wall clock is from this machine's, computed as NTP does from four times of a call, two of them the node's.
Pure.

No figure is made of two wall clocks: a run measures by one monotonic clock. But people compare logs, and certificates are
valid from one wall time to another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from c1m.schedule.schedule import NANOSECONDS
from c1m.text.units import format_duration

FAR_SECONDS = 1.0  # a larger offset is reported
NEAR_SECONDS = 0.005  # an uncertainty that no other call has to make better


@dataclass(frozen=True, slots=True)
class Clock:
    """The offset of a node's wall clock from this machine's, and the uncertainty of the offset, in seconds."""

    offset_seconds: float  # positive: the node's is ahead of ours
    uncertainty_seconds: float  # the error of the offset is no larger, however unequal both ways were

    def sentence(self, name: str) -> str:
        """Return a sentence for people that the node's clock differs from this machine's.

        It is empty unless the clock is certainly off by FAR_SECONDS or more.
        """
        if abs(self.offset_seconds) - self.uncertainty_seconds < FAR_SECONDS:
            return ""
        by, which = format_duration(abs(round(self.offset_seconds, 1))), "ahead of" if self.offset_seconds > 0 else "behind"
        return (
            f"{name}: its clock is {by} {which} this machine's, so times in its log differ from those here, and certificates "
            f"may look expired or not yet valid; let chronyd or systemd-timesyncd set it (timedatectl set-ntp true)"
        )


def clock_of(sent_ns: int, round_trip_ns: int, wall_clock_ns: int, answered_within_ns: int) -> Clock | None:
    """Return the offset of a node's wall clock, computed from one call; None if the node does not report its clock.

    The call was sent at ``sent_ns`` of our wall clock, and answered ``round_trip_ns`` later by our monotonic one. The node
    reports ``wall_clock_ns``, its wall clock when it answered (0: not reported), and ``answered_within_ns``, how long answering
    took. All are nanoseconds.
    """
    if not wall_clock_ns:
        return None
    way_ns = max(round_trip_ns - answered_within_ns, 0)  # there and back
    answered_ns = sent_ns + round_trip_ns - way_ns / 2
    return Clock((wall_clock_ns - answered_ns) / NANOSECONDS, way_ns / 2 / NANOSECONDS)


def best(clocks: Iterable[Clock | None]) -> Clock | None:
    """Return the one of several measurements of a clock that has the least uncertainty; None if all are None."""
    return min((clock for clock in clocks if clock), key=lambda clock: clock.uncertainty_seconds, default=None)
