"""Makes one RunSpec of the layers of settings: options, spec file and configuration, in this order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from c1m.errors import UsageError
from c1m.measure.phase import Close
from c1m.schedule.schedule import NANOSECONDS, Arrival
from c1m.schedule.shapes import Shape, schedule_of
from c1m.text.units import format_duration
from c1m.traffic.slow_clients import LONGEST_REQUEST
from c1m.traffic.storm import TARGET
from c1m.wire import bounds

from .settings import check_names, parsed
from .spec import RunSpec, name_of

# Settings that exclude each other: the stronger layer wins, and one layer may not have both ...
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
    ("payload", "trickle"),
    ("expect", "trickle"),
)
TOGETHER = frozenset({"target", "endpoint"})  # ... except these: the target observes the endpoint's host
OF_TRICKLE = ("send", "send_hex")
OF_HEARTBEATS = ("payload", "send", "send_hex", "expect")


def make_spec(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> RunSpec:
    """Return the spec that layers make. A layer is (where it was written, settings), the strongest is first. Raises UsageError.

    Rate and ramp both set the pace; stages replace total, rate and ramp; target and endpoint both set where connections go.
    The stronger layer wins, and one layer may not have both settings of such a pair. A target beside an endpoint observes it.
    """
    merged = merge(layers)
    values = {name: parsed(where, name, value) for name, (where, value) in merged.items()}
    if values.get("stage"):
        values = {"hold": 0.0, **values, "total": peak_of(merged["stage"][0], values["stage"])}
    if "total" not in values:
        raise UsageError("how many connections? Give --total, such as --total 1M, or stages, such as --stage 1M@60s")
    spec = RunSpec(**values)
    for check in (check_schedule, check_heartbeats, check_turnover, check_storms, check_requests, check_push, check_workers):
        check(spec)
    return spec


def merge(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, tuple[str, Any]]:
    """Return where each setting was written, and its value there. Raises UsageError for unknown and excluding settings."""
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
    return merged


def peak_of(where: str, shapes: Sequence[Shape]) -> int:
    """Return the most connections that the stages ask for. Raises UsageError for stages that make no schedule."""
    try:
        return schedule_of(shapes).peak
    except ValueError as error:
        raise UsageError(f"{where}: --stage: {error}") from None


def check_heartbeats(spec: RunSpec) -> None:
    """Raise UsageError for settings of heartbeats without heartbeats."""
    for name in OF_HEARTBEATS:
        if getattr(spec, name) and not spec.heartbeat and not (spec.trickle and name in OF_TRICKLE):
            other = ", or --trickle, such as 1/s" if name in OF_TRICKLE else ""
            raise UsageError(f"{name_of(name)} needs heartbeats; give --heartbeat, such as 60s{other}")


def check_push(spec: RunSpec) -> None:
    """Raise UsageError for server push when clients cannot distinguish pushes from answers."""
    if not spec.server_push:
        return
    what = (
        "the server is not c1m's (--endpoint)"
        if spec.endpoint
        else "--send is not c1m's own heartbeat"
        if spec.send or spec.send_hex
        else "what --trickle sends is echoed"
        if spec.trickle
        else ""
    )
    if what:
        raise UsageError(
            f"--server-push: only a c1m-target pushes, and its messages must be distinguishable from answers; {what}"
        )


def check_workers(spec: RunSpec) -> None:
    """Raise UsageError for a worker that is named twice."""
    repeated = {str(worker) for worker in spec.worker if spec.worker.count(worker) > 1}
    if repeated:
        raise UsageError(f"worker {', '.join(sorted(repeated))} is named twice; a node does one run at a time")


def check_turnover(spec: RunSpec) -> None:
    """Raise UsageError for settings of turnover that have no effect without another."""
    if spec.downtime and not spec.lifetime:
        raise UsageError("--downtime needs a lifetime; give --lifetime, such as exp:2m")
    if spec.backoff and not spec.reopen:
        raise UsageError("--backoff needs --reopen; give it, too")


def check_storms(spec: RunSpec) -> None:
    """Raise UsageError for storms from which no connection can return in time.

    Without a pace it is unknown how long opening takes, so that no storm is too late.
    """
    bounds.at_most("storms", spec.storm, bounds.MOST_STORMS)
    ends = math.inf if spec.rushes else spec.schedule.end_ns / NANOSECONDS + spec.hold
    for storm in spec.storm:
        if storm.at + storm.return_seconds > ends:
            raise UsageError(
                f"--storm {storm}: it is over {format_duration(storm.at + storm.return_seconds)} after the start, and the run "
                f"after {format_duration(ends)}; give an earlier one, or a longer --hold"
            )
        if storm.by == TARGET and not spec.reopen:
            raise UsageError(f"--storm {storm}: clients return from a storm by the target only with --reopen; give it, too")
        if storm.by == TARGET and spec.endpoint:
            raise UsageError(
                f"--storm {storm}: {spec.endpoint} is not a c1m-target, so it drops nothing when asked; leave by=target out"
            )
        if storm.by == TARGET and spec.half_open and spec.close is Close.FIN:
            raise UsageError(
                f"--storm {storm}: with --half-open clients stay when the target closes by FIN, and none comes back"
            )


def check_schedule(spec: RunSpec) -> None:
    """Raise UsageError for a run that takes too long, and for too many connections."""
    bounds.within("a run of connections", spec.total, 1, bounds.MOST_CONNECTIONS)
    if spec.rushes and spec.arrival is not Arrival.CONSTANT:
        raise UsageError("--arrival needs a pace, and this run opens as fast as possible; give --rate or --ramp")
    seconds = spec.schedule.end_ns / NANOSECONDS
    if seconds > bounds.LONGEST_SECONDS:
        raise UsageError(f"opening {spec.total:,} connections takes {seconds:,.0f} s, and no run is longer than a year")


def check_requests(spec: RunSpec) -> None:
    """Raise UsageError for a request that is too long, and for a heartbeat that cannot be made."""
    if spec.heartbeat:
        try:
            assert spec.beating
        except ValueError as error:
            raise UsageError(f"--heartbeat: {error}") from None
    if spec.slow and len(spec.slow.request) > LONGEST_REQUEST:
        raise UsageError(f"--send has {len(spec.slow.request):,} bytes, and --trickle sends at most {LONGEST_REQUEST:,}")
