"""The settings of one run, checked, with the command line that repeats them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .checks import check
from .effective import EffectiveSettings
from .table import SETTINGS
from .words import word_of


@dataclass(frozen=True, slots=True)
class RunSpec(EffectiveSettings):
    """Everything that decides what a run does. Raises UsageError for settings that make no sense."""

    def __post_init__(self) -> None:
        check(self)

    def to_words(self) -> list[str]:
        """Return the command line that repeats the settings, without most defaults."""
        words = []
        for name, given in self.to_settings().items():
            if SETTINGS[name].is_flag:
                words.append(SETTINGS[name].option)
                continue
            for each in given if isinstance(given, list) else [given]:
                words += [SETTINGS[name].option, each]
        return words

    def to_settings(self) -> dict[str, str | list[str]]:
        """Return a layer from which ``make_spec`` makes the same spec, without most defaults."""
        return {
            name: [word_of(each) for each in value] if setting.is_list else word_of(value)
            for name, setting in SETTINGS.items()
            if (value := getattr(self, name)) != setting.default or setting.echoed
            if name != "total" or not self.stage
        }

    def to_summary(self) -> dict[str, Any]:
        """Return the settings as a JSON object for the summary, with the units in the names."""
        return {
            setting.summary_name: to_json(getattr(self, setting.shown or name), null=setting.null)
            for name, setting in SETTINGS.items()
            if setting.shown is not None
        }


def to_json(value: Any, *, null: bool) -> Any:
    """Return a value of a setting as JSON. With ``null``, zero and an empty list are null."""
    if not value and null:
        return None
    if isinstance(value, tuple):
        return [word_of(each) for each in value]
    return value if value is None or type(value) in (bool, int, float, str) else word_of(value)
