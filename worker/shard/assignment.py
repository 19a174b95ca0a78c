"""What one shard is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from c1m.net.tuples import Route, TupleSpace
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import Schedule
from c1m.traffic.heartbeat import Heartbeat
from c1m.traffic.slow_clients import SlowClients
from c1m.traffic.turnover import Turnover


@dataclass(frozen=True, slots=True)
class ShardAssignment:
    """Durations are in seconds."""

    index: int
    space: TupleSpace
    routes: tuple[Route, ...]
    share: RingShare  # of the run's connections
    schedule: Schedule  # of the whole run
    rushes: bool  # to open as fast as it goes, and not on the clock
    scattered: bool  # on the clock, but at random: a Poisson process
    oldest_first: bool  # which connections leave when the schedule falls; otherwise any
    reset: bool  # how they are closed then: with a RST, otherwise with a FIN
    seed: int  # of whatever is random
    descriptors: int  # size of the shard's descriptor table
    most_in_flight: int
    connect_timeout: float
    tick: float  # between two openings in a row, so that the shards of the host do not spend their time waking
    heartbeat: Heartbeat | None = None
    turnover: Turnover | None = None
    slow: SlowClients | None = None
    keepalive: int = 0  # seconds between two probes of TCP's own; 0: none
    pushed: bool = False  # the target sends without being asked
