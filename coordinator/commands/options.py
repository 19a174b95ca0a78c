"""The options of c1m-coord's commands: those of the table of settings, and others that several commands have."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from c1m.app.frame import in_panel
from c1m.coordinator.spec.config_files import config_layer, read_layer
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.spec.setting import FLEET, OUTPUT, PANELS, Setting
from c1m.coordinator.spec.spec import RunSpec
from c1m.coordinator.spec.table import SETTINGS

TlsDirectory = Annotated[str | None, in_panel(FLEET, SETTINGS["tls"].help, "--tls")]
JournalDirectory = Annotated[
    Path | None,
    in_panel(
        OUTPUT,
        "Directory of the journals. Default: $XDG_STATE_HOME/c1m, or ~/.local/state/c1m, or /var/lib/c1m for root.",
        "--journal",
    ),
]
NoJournal = Annotated[
    bool, in_panel(OUTPUT, "Keep no journal of this run; c1m-coord show and attach need one.", "--no-journal")
]
JsonFile = Annotated[
    str | None, in_panel(OUTPUT, "Write the result as JSON to this file; - writes only the JSON to stdout.", "--json")
]

# Files that give any of the settings: in no panel

SpecFile = Annotated[Path | None, typer.Option("--spec", help="TOML file with any of these settings, by option name.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file that describes the fleet. Default: $C1M_CONFIG, or ./c1m.toml if it exists."),
]

EVERY = tuple(SETTINGS.values())
FITTING = tuple(setting for setting in EVERY if setting.fits)


def takes(wanted: Iterable[Setting]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command the options of settings, --spec and --config.

    The command takes the context, from which ``settings`` reads them, and its own options.
    """

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        context, *own = inspect.signature(command, eval_str=True).parameters.values()
        given = [parameter_of(setting) for setting in sorted(wanted, key=lambda each: PANELS.index(each.panel))]
        files = [parameter("spec", SpecFile), parameter("config", ConfigFile)]

        @wraps(command)
        def with_own(**values: Any) -> None:
            command(values[context.name], **{each.name: values[each.name] for each in own})

        every = [context, *given, *own, *files]
        with_own.__signature__ = inspect.Signature([each.replace(kind=each.KEYWORD_ONLY) for each in every])  # type: ignore[attr-defined]
        with_own.__annotations__ = {each.name: each.annotation for each in every}
        return with_own

    return with_options


def parameter_of(setting: Setting) -> inspect.Parameter:
    """Return the parameter of a setting's option."""
    kind = bool if setting.is_flag else list[str] | None if setting.is_list else str | None
    return parameter(setting.name, Annotated[kind, in_panel(setting.panel, setting.help, setting.option)], setting.is_flag)


def parameter(name: str, annotation: Any, is_flag: bool = False) -> inspect.Parameter:
    """Return a parameter that is not given by default."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False if is_flag else None, annotation=annotation)


def settings(context: typer.Context, default_total: str = "") -> RunSpec:
    """Return the settings of a run: the options of the command override the spec file, which overrides the configuration file.

    ``default_total`` is for commands that do not need --total. Raises UsageError.
    """
    given = context.params
    flags = {name: value for name, value in given.items() if name in SETTINGS and value}
    layers: list[tuple[str, dict[str, Any]]] = [("command line", flags)]
    if given["spec"] is not None:
        layers.append(read_layer(given["spec"]))
    if found := config_layer(given["config"], os.environ):
        layers.append(found)
    if default_total:
        layers.append(("default", {"total": default_total}))
    return make_spec(layers)
