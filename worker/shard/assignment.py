"""What one shard is asked to do, as a value and as a message over its link."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import Route, TupleSpace
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import Schedule, Stage
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

    def to_message(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "blocks": [(block.first, block.count, block.version) for block in self.space.sources.blocks],
            "ports": self.space.ports.ranges,
            "routes": [(route.destination, route.first, route.span, route.count) for route in self.routes],
            "share": asdict(self.share),
            "schedule": schedule_to_message(self.schedule),
            "rushes": self.rushes,
            "scattered": self.scattered,
            "oldest_first": self.oldest_first,
            "reset": self.reset,
            "seed": self.seed,
            "descriptors": self.descriptors,
            "most_in_flight": self.most_in_flight,
            "connect_timeout": self.connect_timeout,
            "tick": self.tick,
            "heartbeat": self.heartbeat.to_message() if self.heartbeat else None,
            "turnover": self.turnover.to_message() if self.turnover else None,
            "slow": self.slow.to_message() if self.slow else None,
            "keepalive": self.keepalive,
            "pushed": self.pushed,
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> ShardAssignment:
        values = dict(message)
        sources = AddressPool(tuple(AddressBlock(*block) for block in values.pop("blocks")))
        ports = PortRanges(tuple((low, high) for low, high in values.pop("ports")))
        routes = tuple(Route((host, port), *rest) for (host, port), *rest in values.pop("routes"))
        values["share"] = RingShare(**values["share"])
        values["schedule"] = schedule_from_message(values["schedule"])
        heartbeat, turnover, slow = values["heartbeat"], values["turnover"], values["slow"]
        values["heartbeat"] = Heartbeat.from_message(heartbeat) if heartbeat else None
        values["turnover"] = Turnover.from_message(turnover) if turnover else None
        values["slow"] = SlowClients(*slow) if slow else None
        return cls(space=TupleSpace(sources, ports), routes=routes, **values)


def schedule_to_message(schedule: Schedule) -> list[tuple[int, int, bool]]:
    return [(stage.total, stage.within_ns, stage.named) for stage in schedule.stages]


def schedule_from_message(stages: list[tuple[int, int, bool]]) -> Schedule:
    return Schedule(tuple(Stage(*stage) for stage in stages))
