"""Raising this host's settings when told to, and restoring them: each is recorded, written, and read back."""

from __future__ import annotations

from collections.abc import Mapping

from c1m.errors import RefusedError, UsageError
from c1m.limits.tunable import TUNABLE, figures, raised
from c1m.measure.sample import Change

from .limits import why_unknown
from .sysctl import read_sysctl, write_sysctl
from .tuning_record import TuningRecord, WrittenSetting


def check(wanted: Mapping[str, str]) -> None:
    """Raises RefusedError for anything but what the table of limits names, UsageError for what are no figures."""
    if foreign := sorted(set(wanted) - TUNABLE):
        raise RefusedError(f"does not write {', '.join(foreign)}; it writes {', '.join(sorted(TUNABLE))}, and nothing else")
    for name, value in wanted.items():
        try:
            figures(value)
        except ValueError as error:
            raise UsageError(f"{name}: {error}") from None


def tune(tuned: TuningRecord, wanted: Mapping[str, str]) -> list[Change]:
    """Raise each to what is wanted. Raises C1mError when a record cannot be kept."""
    check(wanted)
    with tuned.held():
        return [raise_one(tuned, name, value) for name, value in wanted.items()]


def raise_one(tuned: TuningRecord, name: str, wanted: str) -> Change:
    before = read_sysctl(name)
    if before is None:
        return Change(name, None, wanted, None, why_unknown(name))
    try:
        value = raised(name, before, wanted)
    except ValueError as error:
        return Change(name, before, wanted, before, str(error))
    if value == before:
        return Change(name, before, wanted, before)
    earlier = tuned.of(name)
    if earlier and not earlier.is_ours(before):
        earlier = None  # somebody wrote it after us, and what they wrote is what to restore
    origin = earlier.before if earlier else before
    tuned.keep(name, WrittenSetting(origin, before, value))
    reason = write_sysctl(name, value)
    after = read_sysctl(name)
    tuned.keep(name, earlier if after == before else WrittenSetting(origin, after or value, after or value))
    if not reason and after != value:
        reason = f"the kernel said nothing against {value}, and has {after} now"
    return Change(name, before, wanted, after, reason)


def undo(tuned: TuningRecord) -> list[Change]:
    """Restore what was before, but not what somebody else changed since. Raises C1mError for a record that cannot be read."""
    with tuned.held():
        return [restore_one(tuned, name, written) for name, written in tuned.here.items()]


def restore_one(tuned: TuningRecord, name: str, written: WrittenSetting) -> Change:
    now = read_sysctl(name)
    if now is None:
        return Change(name, None, written.before, None, why_unknown(name))
    if not written.is_ours(now):
        tuned.keep(name, None)  # it is no longer ours
        return Change(name, now, written.before, now, f"somebody changed it from {written.after} to {now} since; left so")
    reason = "" if now == written.before else write_sysctl(name, written.before)
    after = read_sysctl(name)
    if after == written.before:
        tuned.keep(name, None)
    elif not reason:
        reason = f"the kernel said nothing against {written.before}, and has {after} now"
    return Change(name, now, written.before, after, reason)
