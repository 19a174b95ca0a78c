"""Makes one RunSpec of the layers of settings: options, spec file and configuration, in this order."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from c1m.errors import UsageError
from c1m.schedule.shapes import Shape, schedule_of

from .checks import check_exclusions
from .spec import RunSpec
from .table import SETTINGS


def make_spec(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> RunSpec:
    """Return the settings of a run, merged from layers. A layer is (where it was written, settings); the strongest is first.

    Rate and ramp both set the pace; stages replace total, rate and ramp; target and endpoint both set where connections go. The
    stronger layer wins, and one layer may not have both settings of such a pair. A target beside an endpoint observes it.
    Raises UsageError.
    """
    merged = merge(layers)
    values = {name: parsed(where, name, value) for name, (where, value) in merged.items()}
    if values.get("stage"):
        values = {"hold": 0.0, **values, "total": peak_of(merged["stage"][0], values["stage"])}
    if "total" not in values:
        raise UsageError("how many connections? Give --total, such as --total 1M, or stages, such as --stage 1M@60s")
    return RunSpec(**values)


def merge(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, tuple[str, Any]]:
    """Return the settings of all layers: name -> where the strongest layer with it was written, and the value there.

    Raises UsageError for unknown settings, and for two in one layer that exclude each other.
    """
    merged: dict[str, tuple[str, Any]] = {}
    for where, layer in layers:
        check_names(where, layer)
        check_exclusions(f"{where}: ", layer)
        dropped = dropped_by(merged)
        for name, value in layer.items():
            if name not in dropped:
                merged.setdefault(name, (where, value))
    return merged


def dropped_by(given: Mapping[str, Any]) -> set[str]:
    """Return the settings that a weaker layer gives in vain, because the stronger layers have ``given`` others instead."""
    pairs = [(name, other) for name in SETTINGS for other in (*SETTINGS[name].excludes, *SETTINGS[name].overrides)]
    return {other for one, other in pairs if one in given} | {one for one, other in pairs if other in given}


def peak_of(where: str, shapes: Sequence[Shape]) -> int:
    """Return the largest number of connections that the stages ask for.

    Raises UsageError, which names the layer ``where``, for stages that make no schedule.
    """
    try:
        return schedule_of(shapes).peak
    except ValueError as error:
        raise UsageError(f"{where}: --stage: {error}") from None


def check_names(where: str, layer: Mapping[str, Any]) -> None:
    """Raise UsageError for a setting that does not exist, with the most similar name."""
    for name in layer:
        if name not in SETTINGS:
            close = difflib.get_close_matches(name, SETTINGS, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"the settings are {', '.join(SETTINGS)}"
            raise UsageError(f"{where}: there is no setting {name!r}; {hint}")


def parsed(where: str, name: str, value: Any) -> Any:
    """Return the value of a setting. Raises UsageError, with the place and the reason, for a value that cannot be parsed."""
    try:
        return SETTINGS[name].value_of(value)
    except ValueError as error:
        raise UsageError(f"{where}: {SETTINGS[name].option}: {error}") from None
