"""What settings amount to: the schedule, the heartbeat, the turnover and the slow clients that follow from them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from c1m.orders.shard_settings import ShardSettings
from c1m.schedule.schedule import Arrival, Schedule, straight
from c1m.schedule.shapes import schedule_of
from c1m.text.escapes import Text
from c1m.traffic.backoff import Backoff
from c1m.traffic.distribution import AT_ONCE
from c1m.traffic.heartbeat import USUAL_PAYLOAD, Expect, Heartbeat
from c1m.traffic.slow_clients import FILLER, SlowClients
from c1m.traffic.turnover import Turnover

from .grammar import Answer
from .table import SETTINGS, Settings

USUAL_BACKOFF = Backoff(0.1, 30.0)


@dataclass(frozen=True, slots=True)
class EffectiveSettings(Settings):
    """Settings, and what they amount to."""

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
    def effective_payload(self) -> int | None:
        """The bytes of a heartbeat; None: there is no heartbeat."""
        return self.beating.payload if self.beating else None

    @property
    def effective_send(self) -> Text | None:
        """The request that is sent instead of the payload; None: there is none."""
        request = Text(bytes(self.send or self.send_hex or b""))
        return request or None

    @property
    def effective_expect(self) -> Answer | None:
        """The expected answer; None: there is no heartbeat."""
        return Answer(self.beating.expect, self.beating.prefix) if self.beating else None

    @property
    def effective_backoff(self) -> Backoff | None:
        """The waits before reopening; None: nothing is reopened."""
        return self.turnover.backoff if self.turnover else None

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

    def shard_settings(self, seed: int, nonce: bytes) -> ShardSettings:
        """Return what all shards of the run have in common. ``nonce`` is shared with its c1m-target; empty: it has none."""
        unchanged = {name: getattr(self, name) for name, setting in SETTINGS.items() if setting.for_shards}
        return ShardSettings(
            schedule=self.schedule,
            peak=self.total,
            most_in_flight=self.in_flight,
            seed=seed,
            arrival=self.effective_arrival,
            heartbeat=self.beating,
            turnover=self.turnover,
            slow=self.slow,
            keepalive=int(self.keepalive),
            pushed=bool(self.server_push),
            push_rate=self.server_push,
            nonce=nonce,
            **unchanged,
        )
