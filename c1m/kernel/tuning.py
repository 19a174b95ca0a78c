"""Raises this host's sysctls on request and restores them. Each one is recorded, written, and read back."""

from __future__ import annotations

from collections.abc import Mapping

from c1m.errors import RefusedError, UsageError
from c1m.limits.tunable import TUNABLE, figures, raised
from c1m.measure.sample import Change

from .limits import why_unknown
from .sysctl import read_sysctl, write_sysctl
from .tuning_record import TuningRecord, WrittenSetting


def check(wanted: Mapping[str, str]) -> None:
    """Raise RefusedError for a sysctl that c1m does not write, and UsageError for a value that is invalid for its sysctl.

    Returns nothing.
    """
    if foreign := sorted(set(wanted) - TUNABLE):
        raise RefusedError(f"does not write {', '.join(foreign)}; it writes only {', '.join(sorted(TUNABLE))}")
    for name, value in wanted.items():
        try:
            figures(value)
        except ValueError as error:
            raise UsageError(f"{name}: {error}") from None


def tune(tuned: TuningRecord, wanted: Mapping[str, str]) -> list[Change]:
    """Raise each sysctl of this host to its wanted value and return the changes, one for each sysctl.

    Raises C1mError if the record of the old values cannot be kept.
    """
    check(wanted)
    with tuned.held():
        return [raise_one(tuned, name, value) for name, value in wanted.items()]


def raise_one(tuned: TuningRecord, name: str, wanted: str) -> Change:
    """Raise one sysctl to its wanted value and return the change, with the reason if the value was not reached.

    The old value is recorded first, and no value is lowered.
    """
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
        earlier = None  # someone else wrote it after c1m did; their value is the one to restore
    origin = earlier.before if earlier else before
    tuned.keep(name, WrittenSetting(origin, before, value))
    reason = write_sysctl(name, value)
    after = read_sysctl(name)
    tuned.keep(name, earlier if after == before else WrittenSetting(origin, after or value, after or value))
    if not reason and after != value:
        reason = f"the kernel accepted {value} without an error, but the value is {after} now"
    return Change(name, before, wanted, after, reason)


def undo(tuned: TuningRecord) -> list[Change]:
    """Restore the recorded values of all sysctls that c1m changed, except of those that someone else has changed since.

    Returns the changes. Raises C1mError for a record that cannot be read.
    """
    with tuned.held():
        return [restore_one(tuned, name, written) for name, written in tuned.here.items()]


def restore_one(tuned: TuningRecord, name: str, written: WrittenSetting) -> Change:
    """Restore one sysctl to its recorded value and return the change.

    A sysctl that someone else has changed since is left as it is.
    """
    now = read_sysctl(name)
    if now is None:
        return Change(name, None, written.before, None, why_unknown(name))
    if not written.is_ours(now):
        tuned.keep(name, None)  # the value is no longer c1m's
        return Change(name, now, written.before, now, f"someone else changed it from {written.after} to {now}; left unchanged")
    reason = "" if now == written.before else write_sysctl(name, written.before)
    after = read_sysctl(name)
    if after == written.before:
        tuned.keep(name, None)
    elif not reason:
        reason = f"the kernel accepted {written.before} without an error, but the value is {after} now"
    return Change(name, now, written.before, after, reason)
