"""Checks whether the settings of a run make sense together. All raise UsageError."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from typing import Any

from c1m.errors import UsageError
from c1m.measure.phase import Close
from c1m.schedule.schedule import NANOSECONDS
from c1m.schedule.shapes import schedule_of
from c1m.text.units import format_duration
from c1m.traffic.slow_clients import LONGEST_REQUEST
from c1m.traffic.storm import TARGET
from c1m.wire import bounds

from .effective import EffectiveSettings
from .setting import Once, Setting
from .table import SETTINGS
from .words import option_of, word_of


def check(spec: EffectiveSettings) -> None:
    """Check every setting alone, then all of them together."""
    given = {
        name: value
        for name, setting in SETTINGS.items()
        if (value := getattr(spec, name)) != setting.default and not (name == "total" and spec.stage)
    }
    for name, value in given.items():
        check_value(SETTINGS[name], value)
        if once := SETTINGS[name].once:
            check_once(name, once, [once.key(each) for each in value])
    check_exclusions("", given)
    for name in given:
        check_need(SETTINGS[name], spec)
    for each in (check_schedule, check_heartbeat, check_request, check_storms, check_push):
        each(spec)


def check_value(setting: Setting, value: Any) -> None:
    """Check that the words of a value have the parser's consent: it may have been made without one."""
    for one in value if setting.is_list else (value,):
        try:
            parsed = setting.parse(word_of(one))
        except ValueError as error:
            raise UsageError(f"{setting.option}: {error}") from None
        if not isinstance(one, type(parsed)) and not (isinstance(one, int) and isinstance(parsed, float)):
            raise UsageError(f"{setting.option}: {one!r} is a {type(one).__name__}; give a {type(parsed).__name__}")


def check_once(name: str, once: Once, keys: Sequence[str]) -> None:
    """Check that the items of a list have different keys."""
    if repeated := {key for key in keys if keys.count(key) > 1}:
        raise UsageError(f"{name} {', '.join(sorted(repeated))} is named twice; {once.why}")


def check_exclusions(where: str, given: Container[str]) -> None:
    """Check that no setting stands beside one that it excludes. ``where``: what the sentence begins with."""
    for name in SETTINGS:
        for other in SETTINGS[name].excludes:
            if name in given and other in given:
                raise UsageError(f"{where}{option_of(name)} and {option_of(other)} exclude each other; give one of them")


def check_need(setting: Setting, spec: EffectiveSettings) -> None:
    """Check that a setting has an effect."""
    if setting.need and not any(getattr(spec, name) for name in setting.need.settings):
        raise UsageError(f"{setting.option} needs {setting.need.wanted}")


def check_schedule(spec: EffectiveSettings) -> None:
    """Refuse stages that make no schedule, a run that takes too long, and too many connections."""
    if spec.stage:
        try:
            peak = schedule_of(spec.stage).peak
        except ValueError as error:
            raise UsageError(f"--stage: {error}") from None
        if spec.total != peak:
            raise UsageError(f"the stages rise to {peak:,} connections, and the total is {spec.total:,}; make them equal")
    bounds.within("a run of connections", spec.total, 1, bounds.MOST_CONNECTIONS)
    seconds = spec.schedule.end_ns / NANOSECONDS
    if seconds > bounds.LONGEST_SECONDS:
        raise UsageError(f"opening {spec.total:,} connections takes {seconds:,.0f} s, and no run is longer than a year")


def check_heartbeat(spec: EffectiveSettings) -> None:
    """Refuse a heartbeat that cannot be made."""
    try:
        assert spec.beating or not spec.heartbeat
    except ValueError as error:
        raise UsageError(f"--heartbeat: {error}") from None


def check_request(spec: EffectiveSettings) -> None:
    """Refuse a request that is too long to be sent a byte at a time."""
    if spec.slow and len(spec.slow.request) > LONGEST_REQUEST:
        raise UsageError(f"--send has {len(spec.slow.request):,} bytes, and --trickle sends at most {LONGEST_REQUEST:,}")


def check_storms(spec: EffectiveSettings) -> None:
    """Refuse storms from which no connection can return in time.

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


def check_push(spec: EffectiveSettings) -> None:
    """Refuse server push when clients cannot distinguish pushes from answers."""
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
