"""What one setting of a run is: a row of the table of settings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, get_type_hints

from .words import option_of

# The panels of --help, in their order.
FLEET, SCHEDULE, TRAFFIC, VERDICT, OUTPUT = PANELS = ("Fleet", "Schedule", "Traffic", "Verdict", "Output")


@dataclass(frozen=True, slots=True)
class Need:
    """A setting has no effect without one of these. ``wanted`` completes the sentence "--setting needs ..."."""

    settings: tuple[str, ...]
    wanted: str


@dataclass(frozen=True, slots=True)
class Once:
    """No two items of a list have the same key, because of ``why``."""

    why: str
    key: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table. The field that it annotates has its name, its type and its default."""

    parse: Callable[[str], Any]  # of its text, or of each of its texts if it is a list; raises ValueError
    panel: str  # of --help
    help: str
    unit: str = ""  # the end of its name in the summary
    excludes: tuple[str, ...] = ()  # settings that may not be given beside it; a stronger layer's drops a weaker layer's
    overrides: tuple[str, ...] = ()  # settings that may be given beside it; a stronger layer's drops a weaker layer's
    need: Need | None = None
    once: Once | None = None
    for_shards: bool = False  # every shard has it, in the field of ShardSettings with its name
    fits: bool = False  # it decides whether a run fits: plan, doctor and tune have it as well
    echoed: bool = False  # it is repeated even if it has its default, which may be another one in the next version
    null: bool = False  # the summary has null for zero and for an empty list
    shown: str | None = ""  # the property that the summary has in its place; empty: none; None: the summary does not have it
    name: str = ""  # this and the default are those of the field
    default: Any = None

    @property
    def option(self) -> str:
        """The option of the command line."""
        return option_of(self.name)

    @property
    def is_list(self) -> bool:
        """Whether it may be given several times."""
        return isinstance(self.default, tuple)

    @property
    def is_flag(self) -> bool:
        """Whether its option has no value."""
        return isinstance(self.default, bool)

    @property
    def summary_name(self) -> str:
        """Its name in the summary, with the unit."""
        return f"{self.name}_{self.unit}" if self.unit else self.name

    def value_of(self, given: Any) -> Any:
        """Return the value of what a layer gives. Raises ValueError for what cannot be parsed."""
        if self.is_list:
            return tuple(self.parse(text_of(item)) for item in (given if isinstance(given, (list, tuple)) else [given]))
        return self.parse(text_of(given))


def text_of(value: Any) -> str:
    """Return a value as text. Numbers and booleans of TOML become what is written on the command line."""
    if not isinstance(value, (str, int, float)):
        raise ValueError(f"{value!r} is neither a text nor a number; write it as on the command line")  # noqa: TRY004
    return str(value)


def rows_of(table: type) -> Mapping[str, Setting]:
    """Return the settings of a dataclass, whose fields are annotated with a Setting each, by their names."""
    hints = get_type_hints(table, include_extras=True)
    rows = [replace(hints[each.name].__metadata__[0], name=each.name, default=each.default) for each in fields(table)]
    return MappingProxyType({row.name: row for row in rows})
