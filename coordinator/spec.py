"""What is to be run: the effective settings, from flags, spec file and configuration, in this order."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from c1m import bounds
from c1m.backoff import Backoff
from c1m.distribution import AT_ONCE, Distribution
from c1m.endpoints import Endpoint, HostPort, parse_endpoint, parse_host_port
from c1m.errors import UsageError
from c1m.escapes import Hexadecimal, Text, parse_hexadecimal, parse_text
from c1m.heartbeat import LEAST_PAYLOAD, MOST_PAYLOAD, USUAL_PAYLOAD, Expect, Heartbeat
from c1m.phase import Close, CloseOrder
from c1m.schedule import NANOSECONDS, Arrival, Schedule, straight
from c1m.shapes import Shape, parse_shape, schedule_of
from c1m.slow import FILLER, LONGEST_REQUEST, Slow
from c1m.storm import TARGET, Storm
from c1m.turnover import Turnover
from c1m.units import parse_count, parse_duration, parse_rate

from .answer import Answer, parse_answer
from .criteria import Criterion, parse
from .phrases import parse_backoff, parse_distribution, parse_lifetime, parse_storm

WORKER_PORT = 7100
TARGET_PORT = 7200
USUAL_BACKOFF = Backoff(0.1, 30.0)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything that decides what a run does. Durations are in seconds."""

    total: int  # the most that is ever open
    worker: tuple[HostPort, ...] = ()  # none: one is started here
    target: HostPort | None = None  # none, and no endpoint: one is started here
    endpoint: Endpoint | None = None
    tls: Path | None = None  # the directory of the operator's certificate; None: without TLS
    data_host: str | None = None  # where workers connect to; None: the target's own address
    rate: float = 0.0  # connections a second over the fleet; 0: as fast as they go
    ramp: float = 0.0  # instead of a rate: the time that opening should take
    stage: tuple[Shape, ...] = ()  # instead of both, and of the total
    arrival: Arrival = Arrival.CONSTANT  # of what is opened on the clock
    hold: float = 10.0  # of what the schedule ends with; after stages it is 0 unless it is given
    in_flight: int = 512  # connects that one shard may have in flight
    connect_timeout: float = 10.0
    lease: float = 15.0
    close: Close = Close.RESET
    close_order: CloseOrder = CloseOrder.OLDEST  # which leave first when the schedule falls
    seed: int | None = None  # of whatever is random; None: another one for each run
    probe_ghosts: bool = False  # ask the peers' kernels, at the end of the hold, about a sample of the connections
    close_rate: float = 0.0  # connections a second over the fleet; 0: as fast as they go
    heartbeat: float = 0.0  # the interval of each connection's heartbeats; 0: none
    payload: int | None = None  # bytes of a heartbeat
    send: Text | None = None  # a request of the operator's own instead
    send_hex: Hexadecimal | None = None
    expect: Answer | None = None
    keepalive: float = 0.0  # whole seconds between probes of TCP's own; 0: none
    server_push: float = 0.0  # messages a second that the target sends to each connection; 0: none
    require: tuple[Criterion, ...] = ()  # what the run has to be, beyond reached, held and reconciled
    lifetime: Distribution | None = None  # of a connection, which another one replaces; None: as long as the run
    downtime: Distribution | None = None  # between the two; None: none
    reopen: bool = False  # try dropped and failed connections again
    backoff: Backoff | None = None  # the waits before that; None: USUAL_BACKOFF
    storm: tuple[Storm, ...] = ()
    trickle: float = 0.0  # bytes a second that each connection sends of its request; 0: none
    half_open: bool = False  # stay when the server has closed its side

    @property
    def rushes(self) -> bool:
        """Whether it opens as fast as it goes, and nothing is due on a clock."""
        return not (self.stage or self.rate or self.ramp)

    @property
    def effective_rate(self) -> float:
        """The most connections that are due within a second; 0: as fast as they go."""
        return 0.0 if self.rushes else self.schedule.steepest

    @property
    def schedule(self) -> Schedule:
        if self.stage:
            return schedule_of(self.stage)
        return straight(self.total, self.ramp or (self.total / self.rate if self.rate else 0.0))

    @property
    def beating(self) -> Heartbeat | None:
        """A request of one's own is answered by something, c1m's by its echo, unless --expect says otherwise."""
        if not self.heartbeat:
            return None
        request = bytes(self.send or self.send_hex or b"")
        answer = self.expect or Answer(Expect.ANY if request else Expect.ECHO)
        return Heartbeat(self.heartbeat, self.payload or USUAL_PAYLOAD, request, answer.expect, answer.prefix)

    @property
    def turnover(self) -> Turnover | None:
        """None where every connection is to last as long as the run."""
        if not (self.lifetime or self.reopen or self.storm):
            return None
        backoff = self.backoff or USUAL_BACKOFF
        return Turnover(self.lifetime, self.downtime or AT_ONCE, backoff if self.reopen else None, self.storm)

    @property
    def slow(self) -> Slow | None:
        """None where clients behave."""
        if not (self.trickle or self.half_open):
            return None
        request = bytes(self.send or self.send_hex or FILLER)
        return Slow(1 / self.trickle if self.trickle else 0.0, request, self.half_open)

    def to_words(self) -> list[str]:
        """The command line that says the same; what is not set is left out."""
        words = []
        for name, value in self.to_settings().items():
            if value == str(True):
                words.append(name_of(name))
                continue
            for each in value if isinstance(value, list) else [value]:
                words += [name_of(name), each]
        return words

    def to_settings(self) -> dict[str, str | list[str]]:
        """A layer of which ``make_spec`` makes the same; what is not set is left out."""
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
        """With the units in the names."""
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
        }


WORDS: Mapping[str, enum.Enum] = {
    "rst": Close.RESET,
    "fin": Close.FIN,
    "oldest": CloseOrder.OLDEST,
    "random": CloseOrder.RANDOM,
    "constant": Arrival.CONSTANT,
    "poisson": Arrival.POISSON,
}
UNUSUAL = frozenset({"arrival", "close_order"})  # told only when they are not the default


def word_of(value: Any) -> str:
    return next((word for word, one in WORDS.items() if one is value), str(value))


def one_of(kind: type[enum.Enum], what: str) -> Callable[[str], enum.Enum]:
    words = [word for word, value in WORDS.items() if isinstance(value, kind)]

    def parse(text: str) -> enum.Enum:
        if text not in words:
            raise ValueError(f"{text!r} is not {what}; write {' or '.join(words)}")
        return WORDS[text]

    return parse


def parse_flag(text: str) -> bool:
    if text not in ("True", "False"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "True"


def parse_host(text: str) -> str:
    try:
        return parse_endpoint(f"[{text}]:1" if ":" in text else f"{text}:1").host
    except ValueError:
        raise ValueError(f"{text!r} is not a host; write 10.0.0.5, srv or fd00::1") from None


def parse_keepalive(text: str) -> float:
    """The kernel counts it in seconds, and in 15 bits."""
    seconds = parse_duration(text)
    if seconds % 1 or not 1 <= seconds <= MOST_KEEPALIVE:
        raise ValueError(f"{text!r} is not possible; the kernel takes whole seconds, from 1 to {MOST_KEEPALIVE:,}")
    return seconds


def between(least: int, most: int) -> Callable[[str], int]:
    def parse_and_check(text: str) -> int:
        value = parse_count(text)
        if not least <= value <= most:
            raise ValueError(f"{text!r} is not possible; it must be {least:,} to {most:,}")
        return value

    return parse_and_check


def at_least(parse: Callable[[str], Any], least: float) -> Callable[[str], Any]:
    def parse_and_check(text: str) -> Any:
        value = parse(text)
        if value < least:
            raise ValueError(f"{text!r} is too little; it must be at least {least:g}")
        return value

    return parse_and_check


def at_most(parse: Callable[[str], Any], most: float) -> Callable[[str], Any]:
    def parse_and_check(text: str) -> Any:
        value = parse(text)
        if value > most:
            raise ValueError(f"{text!r} is too much; it must be at most {most:,.12g}")
        return value

    return parse_and_check


MOST_KEEPALIVE = 32_767  # include/net/tcp.h: MAX_TCP_KEEPIDLE
MOST_SEED = 2**32 - 1

PARSERS: Mapping[str, Callable[[str], Any]] = {
    "total": between(1, bounds.MOST_CONNECTIONS),
    "worker": lambda text: parse_host_port(text, WORKER_PORT),
    "target": lambda text: parse_host_port(text, TARGET_PORT),
    "endpoint": parse_endpoint,
    "tls": Path,
    "data_host": parse_host,
    "rate": at_least(parse_rate, 0.001),
    "ramp": at_least(parse_duration, 0.001),
    "stage": parse_shape,
    "arrival": one_of(Arrival, "a way to arrive"),
    "hold": at_least(parse_duration, 0),
    "in_flight": between(1, bounds.MOST_IN_FLIGHT),
    "connect_timeout": at_least(parse_duration, 0.01),
    "lease": at_most(at_least(parse_duration, 2), bounds.LONGEST_LEASE_SECONDS),
    "close": one_of(Close, "a way to close"),
    "close_order": one_of(CloseOrder, "an order to close in"),
    "seed": at_most(parse_count, MOST_SEED),
    "probe_ghosts": parse_flag,
    "close_rate": at_most(at_least(parse_rate, 1), bounds.FASTEST_CLOSE),
    "heartbeat": at_least(parse_duration, 0.1),
    "payload": between(LEAST_PAYLOAD, MOST_PAYLOAD),
    "send": parse_text,
    "send_hex": parse_hexadecimal,
    "expect": parse_answer,
    "keepalive": parse_keepalive,
    "server_push": at_most(at_least(parse_rate, 1 / 3600), bounds.MOST_PUSHES),
    "require": parse,
    "lifetime": parse_lifetime,
    "downtime": parse_distribution,
    "reopen": parse_flag,
    "backoff": parse_backoff,
    "storm": parse_storm,
    "trickle": at_most(at_least(parse_rate, 0.001), bounds.MOST_TRICKLE),
    "half_open": parse_flag,
}
# Settings that say nothing where they are zero or empty.
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
# Words for one thing: of such a pair the stronger layer wins, and one layer may not name both ...
EXCLUDING = (
    ("rate", "ramp"),
    ("stage", "total"),
    ("stage", "rate"),
    ("stage", "ramp"),
    ("target", "endpoint"),
    ("send", "send_hex"),
    ("payload", "send"),
    ("payload", "send_hex"),
    ("heartbeat", "trickle"),
)
TOGETHER = frozenset({"target", "endpoint"})  # ... but these: the target observes the endpoint's host
OF_TRICKLE = ("send", "send_hex")
OF_HEARTBEATS = ("payload", "send", "send_hex", "expect")
LISTS = frozenset({"worker", "stage", "require", "storm"})

assert set(PARSERS) == {field.name for field in fields(RunSpec)}


def make_spec(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> RunSpec:
    """From (where it was written, what was written) pairs, the stronger first. Raises UsageError.

    Rate and ramp are two words for one thing, as are stages and all three of total, rate and ramp, and target and endpoint
    say both where connections go: of such a pair the stronger layer wins. One layer may not name both; naming a target
    beside an endpoint is to observe it.
    """
    merged: dict[str, tuple[str, Any]] = {}
    for where, layer in layers:
        check_names(where, layer)
        chosen = dict(layer)
        for one, other in EXCLUDING:
            if one in layer and other in layer and one not in TOGETHER:
                raise UsageError(f"{where}: {name_of(one)} and {name_of(other)} exclude each other; give one of them")
            if one in merged:
                chosen.pop(other, None)
            if other in merged:
                chosen.pop(one, None)
        for name, value in chosen.items():
            merged.setdefault(name, (where, value))
    values = {name: parsed(where, name, value) for name, (where, value) in merged.items()}
    if values.get("stage"):
        values = {"hold": 0.0, **values, "total": peak_of(merged["stage"][0], values["stage"])}
    if "total" not in values:
        raise UsageError("how many connections? Give --total, such as --total 1M, or stages, such as --stage 1M@60s")
    spec = RunSpec(**values)
    if spec.rushes and spec.arrival is not Arrival.CONSTANT:
        raise UsageError(
            "--arrival says how openings lie in time, and this run opens as fast as it goes; give --rate or --ramp"
        )
    for name in OF_HEARTBEATS:
        if getattr(spec, name) and not spec.heartbeat and not (spec.trickle and name in OF_TRICKLE):
            other = ", or --trickle, such as 1/s" if name in OF_TRICKLE else ""
            raise UsageError(f"{name_of(name)} is about heartbeats, and there are none; give --heartbeat, such as 60s{other}")
    check_schedule(spec)
    check_turnover(spec)
    check_requests(spec)
    if spec.server_push and (spec.endpoint or spec.send or spec.send_hex):
        what = "the server is not c1m's (--endpoint)" if spec.endpoint else "--send is not c1m's own heartbeat"
        raise UsageError(f"--server-push: only a c1m-target pushes, and its messages must be told from answers; {what}")
    repeated = {str(worker) for worker in spec.worker if spec.worker.count(worker) > 1}
    if repeated:
        raise UsageError(f"worker {', '.join(sorted(repeated))} is named twice; a node does one run at a time")
    return spec


def peak_of(where: str, shapes: Sequence[Shape]) -> int:
    """Raises UsageError for stages that make no schedule."""
    try:
        return schedule_of(shapes).peak
    except ValueError as error:
        raise UsageError(f"{where}: --stage: {error}") from None


def check_turnover(spec: RunSpec) -> None:
    """Raises UsageError for words that mean nothing without another."""
    if spec.downtime and not spec.lifetime:
        raise UsageError("--downtime follows a lifetime, and there is none; give --lifetime, such as exp:2m")
    if spec.backoff and not spec.reopen:
        raise UsageError("--backoff is how connections are opened again; give --reopen, too")
    bounds.at_most("storms", spec.storm, bounds.MOST_STORMS)
    for storm in spec.storm:
        if storm.by == TARGET and not spec.reopen:
            raise UsageError(f"--storm {storm}: clients come back from what a target does only with --reopen; give it, too")
        if storm.by == TARGET and spec.endpoint:
            raise UsageError(f"--storm {storm}: {spec.endpoint} is no c1m-target, and cannot be told; leave by=target out")


def check_schedule(spec: RunSpec) -> None:
    """Raises UsageError for a run that nobody lives to see the end of, and for more connections than there are."""
    bounds.within("a run of connections", spec.total, 1, bounds.MOST_CONNECTIONS)
    seconds = spec.schedule.end_ns / NANOSECONDS
    if seconds > bounds.LONGEST_SECONDS:
        raise UsageError(f"to open {spec.total:,} connections takes {seconds:,.0f} s, and no run is longer than a year")


def check_requests(spec: RunSpec) -> None:
    """Raises UsageError for a request that is too long to be kept track of, and for an answer that nobody waits for."""
    if spec.heartbeat:
        try:
            assert spec.beating
        except ValueError as error:
            raise UsageError(f"--heartbeat: {error}") from None
    if spec.slow and len(spec.slow.request) > LONGEST_REQUEST:
        raise UsageError(f"--send has {len(spec.slow.request):,} bytes, and --trickle sends at most {LONGEST_REQUEST:,}")


def check_names(where: str, layer: Mapping[str, Any]) -> None:
    for name in layer:
        if name.replace("-", "_") not in PARSERS:
            close = difflib.get_close_matches(name, PARSERS, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(PARSERS)}"
            raise UsageError(f"{where}: there is no setting {name!r}; {hint}")


def parsed(where: str, name: str, value: Any) -> Any:
    """The value of a setting. Raises UsageError with where it stands and what is wrong."""
    try:
        if name in LISTS:
            items = value if isinstance(value, (list, tuple)) else [value]
            return tuple(PARSERS[name](text_of(item)) for item in items)
        return PARSERS[name](text_of(value))
    except ValueError as error:
        raise UsageError(f"{where}: {name_of(name)}: {error}") from None


def text_of(value: Any) -> str:
    """TOML has numbers and truth values of its own; they are read as if a person had typed them."""
    if not isinstance(value, (str, int, float)):
        raise ValueError(f"{value!r} is neither a text nor a number; write it as on the command line")  # noqa: TRY004
    return str(value)


def name_of(setting: str) -> str:
    return "--" + setting.replace("_", "-")
