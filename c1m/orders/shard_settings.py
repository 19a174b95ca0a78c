"""The settings of a run that all its shards have, as coordinator, worker and shard have them. Pure.

Each field is carried by the field of PrepareRequest that has its name and unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from c1m.measure.phase import Close, CloseOrder
from c1m.schedule.schedule import Arrival, Schedule
from c1m.text.units import LONGEST_SECONDS
from c1m.traffic.heartbeat import Heartbeat
from c1m.traffic.slow_clients import SlowClients
from c1m.traffic.turnover import Turnover

MOST_CONNECTIONS: Final = 10**12  # of a run; that is 200 TB of sockets a side
MOST_IN_FLIGHT: Final = 2**32 - 1  # what fits in a message
MOST_PUSHES: Final = 1000.0  # a second to each connection
LONGEST_KEEPALIVE_SECONDS: Final = 32_767  # include/net/tcp.h: MAX_TCP_KEEPIDLE


@dataclass(frozen=True, slots=True)
class Bound:
    """The bounds of a field in a request, both included. ``what`` is its name in the refusal."""

    what: str
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Unit:
    """The end of the name of a field in a request."""

    name: str


SECONDS: Final = Unit("seconds")


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """What all shards of a run have in common. Durations are in seconds."""

    schedule: Schedule  # of the whole run
    peak: Annotated[int, Bound("a peak of connections", 1, MOST_CONNECTIONS)]  # of the run: the points of the ring
    most_in_flight: Annotated[int, Bound("connects in flight", 1, MOST_IN_FLIGHT)]
    connect_timeout: Annotated[float, SECONDS, Bound("a timeout in seconds", 0.001, LONGEST_SECONDS)]
    lease: Annotated[float, SECONDS]
    seed: int  # of everything random
    arrival: Arrival = Arrival.CONSTANT
    close: Close = Close.RESET  # how connections are closed when the schedule falls
    close_order: CloseOrder = CloseOrder.OLDEST  # which connections are closed then
    heartbeat: Heartbeat | None = None
    turnover: Turnover | None = None
    slow: SlowClients | None = None
    keepalive: Annotated[int, SECONDS, Bound("a keepalive in seconds", 0, LONGEST_KEEPALIVE_SECONDS)] = 0  # 0: no probes
    pushed: bool = False  # the target sends without being asked ...
    push_rate: Annotated[float, Bound("pushes a second", 0, MOST_PUSHES)] = 0.0  # ... so many messages to each connection
    dscp: Annotated[int, Bound("a DSCP", 0, 63)] = 0  # in the IP header of what connections send
    nonce: bytes = b""  # shared with the run's c1m-target; empty: the run has none

    @property
    def rushes(self) -> bool:
        """Whether shards open as fast as possible, and not on the clock."""
        return self.arrival is Arrival.CLOSED_LOOP

    @property
    def resets(self) -> bool:
        """Whether connections are closed by RST when the schedule falls, and otherwise by FIN."""
        return self.close is Close.RESET
