"""The effective settings of a run, and the command line that repeats them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from c1m.measure.phase import Close, CloseOrder
from c1m.net.control_address import ControlAddress
from c1m.net.endpoints import Endpoint
from c1m.schedule.schedule import Arrival, Schedule, straight
from c1m.schedule.shapes import Shape, schedule_of
from c1m.text.escapes import Hexadecimal, Text
from c1m.traffic.backoff import Backoff
from c1m.traffic.distribution import AT_ONCE, Distribution
from c1m.traffic.heartbeat import USUAL_PAYLOAD, Expect, Heartbeat
from c1m.traffic.slow_clients import FILLER, SlowClients
from c1m.traffic.storm import Storm
from c1m.traffic.turnover import Turnover

from .grammar import Answer
from .requirements import Criterion

USUAL_BACKOFF = Backoff(0.1, 30.0)


class OnLoss(enum.Enum):
    """What a run does when a worker is lost."""

    REDISTRIBUTE = "redistribute"
    CONTINUE = "continue"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything that decides what a run does. Durations are in seconds."""

    total: int  # the most connections that are ever open
    worker: tuple[ControlAddress, ...] = ()  # empty: one is started here
    target: ControlAddress | None = None  # None, without an endpoint: one is started here
    endpoint: Endpoint | None = None
    tls: Path | None = None  # the directory of the operator's certificate; None: without TLS
    data_host: str | None = None  # the address to which workers connect; None: the target's own
    rate: float = 0.0  # connections a second over the fleet; 0: as fast as possible
    ramp: float = 0.0  # instead of a rate: the seconds in which all are opened
    stage: tuple[Shape, ...] = ()  # instead of rate, ramp and total
    arrival: Arrival = Arrival.CONSTANT  # how openings that have a pace are spread over time
    hold: float = 10.0  # how long the end of the schedule is held; with stages 0 unless it is given
    in_flight: int = 512  # connects that one shard may have in flight
    connect_timeout: float = 10.0
    lease: float = 15.0
    close: Close = Close.RESET
    close_order: CloseOrder = CloseOrder.OLDEST  # which connections close first when the schedule falls
    seed: int | None = None  # of everything random; None: a new one for each run
    probe_ghosts: bool = False  # probe a sample of connections at the end of the hold
    close_rate: float = 0.0  # connections a second over the fleet; 0: as fast as possible
    heartbeat: float = 0.0  # the interval of each connection's heartbeats; 0: none
    payload: int | None = None  # bytes of a heartbeat
    send: Text | None = None  # a request to send instead of the payload
    send_hex: Hexadecimal | None = None
    expect: Answer | None = None
    keepalive: float = 0.0  # whole seconds between TCP's own probes; 0: none
    server_push: float = 0.0  # messages a second that the target sends to each connection; 0: none
    require: tuple[Criterion, ...] = ()  # requirements beyond opening, holding and reconciling
    lifetime: Distribution | None = None  # of a connection, before another one replaces it; None: as long as the run
    downtime: Distribution | None = None  # between a connection and the one that replaces it; None: none
    reopen: bool = False  # open dropped and failed connections again
    backoff: Backoff | None = None  # the waits before reopening; None: USUAL_BACKOFF
    storm: tuple[Storm, ...] = ()
    trickle: float = 0.0  # bytes of its request that each connection sends a second; 0: none
    half_open: bool = False  # keep a connection whose server has closed its side
    on_loss: OnLoss = OnLoss.CONTINUE  # the policy for lost nodes

    @property
    def rushes(self) -> bool:
        """Whether the run opens as fast as possible, without a pace."""
        return not (self.stage or self.rate or self.ramp)

    @property
    def effective_arrival(self) -> Arrival:
        """How openings are spread over time."""
        return Arrival.CLOSED_LOOP if self.rushes else self.arrival

    @property
    def effective_rate(self) -> float:
        """The most connections that are due within a second; 0: as fast as possible."""
        return 0.0 if self.rushes else self.schedule.steepest

    @property
    def schedule(self) -> Schedule:
        """How many connections should be open at each moment."""
        if self.stage:
            return schedule_of(self.stage)
        return straight(self.total, self.ramp or (self.total / self.rate if self.rate else 0.0))

    @property
    def beating(self) -> Heartbeat | None:
        """The heartbeat with its effective answer: echo for c1m's own payload, any answer for --send, unless --expect says
        otherwise. None: there is no heartbeat.
        """
        if not self.heartbeat:
            return None
        request = bytes(self.send or self.send_hex or b"")
        answer = self.expect or Answer(Expect.ANY if request else Expect.ECHO)
        return Heartbeat(self.heartbeat, self.payload or USUAL_PAYLOAD, request, answer.expect, answer.prefix)

    @property
    def turnover(self) -> Turnover | None:
        """The turnover; None when every connection is to last as long as the run."""
        if not (self.lifetime or self.reopen or self.storm):
            return None
        backoff = self.backoff or USUAL_BACKOFF
        return Turnover(self.lifetime, self.downtime or AT_ONCE, backoff if self.reopen else None, self.storm)

    @property
    def slow(self) -> SlowClients | None:
        """How slow the clients are; None when they are not slow."""
        if not (self.trickle or self.half_open):
            return None
        request = bytes(self.send or self.send_hex or FILLER)
        return SlowClients(1 / self.trickle if self.trickle else 0.0, request, self.half_open)

    def to_words(self) -> list[str]:
        """Return the command line that repeats the settings, without defaults."""
        words = []
        for name, value in self.to_settings().items():
            if value == str(True):
                words.append(name_of(name))
                continue
            for each in value if isinstance(value, list) else [value]:
                words += [name_of(name), each]
        return words

    def to_settings(self) -> dict[str, str | list[str]]:
        """Return a layer from which ``make_spec`` makes the same spec, without defaults."""
        layer: dict[str, str | list[str]] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value is None or (not value and item.name in UNSET):
                continue
            if (item.name in UNUSUAL and value == item.default) or (item.name == "total" and self.stage):
                continue
            layer[item.name] = [word_of(each) for each in value] if item.name in LISTS else word_of(value)
        return layer

    def to_summary(self) -> dict[str, Any]:
        """Return the settings for the summary, with the units in the names."""
        return {
            "total": self.total,
            "worker": [str(worker) for worker in self.worker],
            "target": str(self.target) if self.target else None,
            "endpoint": str(self.endpoint) if self.endpoint else None,
            "tls": str(self.tls) if self.tls else None,
            "data_host": self.data_host,
            "rate_per_second": self.rate or None,
            "ramp_seconds": self.ramp or None,
            "stage": [str(shape) for shape in self.stage] or None,
            "arrival": word_of(self.arrival),
            "hold_seconds": self.hold,
            "in_flight": self.in_flight,
            "connect_timeout_seconds": self.connect_timeout,
            "lease_seconds": self.lease,
            "close": word_of(self.close),
            "close_order": word_of(self.close_order),
            "seed": self.seed,
            "probe_ghosts": self.probe_ghosts,
            "close_rate_per_second": self.close_rate or None,
            "heartbeat_seconds": self.heartbeat or None,
            "payload_bytes": self.beating.payload if self.beating else None,
            "send": str(Text(bytes(self.send or self.send_hex or b""))) or None,
            "expect": str(Answer(self.beating.expect, self.beating.prefix)) if self.beating else None,
            "keepalive_seconds": self.keepalive or None,
            "server_push_per_second_and_connection": self.server_push or None,
            "require": [str(criterion) for criterion in self.require],
            "lifetime": str(self.lifetime) if self.lifetime else None,
            "downtime": str(self.downtime) if self.downtime else None,
            "reopen": self.reopen,
            "backoff": str(self.turnover.backoff) if self.turnover and self.turnover.backoff else None,
            "storm": [str(storm) for storm in self.storm],
            "trickle_bytes_per_second": self.trickle or None,
            "half_open": self.half_open,
            "on_loss": word_of(self.on_loss),
        }


WORDS: Mapping[str, enum.Enum] = {
    "rst": Close.RESET,
    "fin": Close.FIN,
    "oldest": CloseOrder.OLDEST,
    "random": CloseOrder.RANDOM,
    "constant": Arrival.CONSTANT,
    "poisson": Arrival.POISSON,
    **{each.value: each for each in OnLoss},
}
UNUSUAL = frozenset({"arrival", "close_order", "on_loss"})  # repeated only when they are not the default


def word_of(value: Any) -> str:
    """Return a value as it is written on the command line."""
    return next((word for word, one in WORDS.items() if one is value), str(value))


# Settings that are left out when they are zero or empty.
UNSET = frozenset(
    {
        "rate",
        "ramp",
        "stage",
        "close_rate",
        "probe_ghosts",
        "heartbeat",
        "keepalive",
        "server_push",
        "reopen",
        "trickle",
        "half_open",
    }
)
LISTS = frozenset({"worker", "stage", "require", "storm"})


def name_of(setting: str) -> str:
    """Return the option of a setting."""
    return "--" + setting.replace("_", "-")
