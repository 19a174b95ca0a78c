"""The panels and the help of the options of the three programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from c1m.coordinator.cli import app as coordinator
from c1m.coordinator.spec.setting import OUTPUT, PANELS
from c1m.coordinator.spec.table import SETTINGS
from c1m.target.cli import app as target
from c1m.worker.cli import app as worker

PROGRAMS = {"c1m-coord": coordinator, "c1m-worker": worker, "c1m-target": target}


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield a command and its sub-commands, at any depth, with their full names."""
    yield name, command
    for word, each in getattr(command, "commands", {}).items():
        yield from commands(each, f"{name} {word}")


COMMANDS = {name: each for program, app in PROGRAMS.items() for name, each in commands(typer.main.get_command(app), program)}


def panels(command: Any) -> dict[str, set[str]]:
    """Return the parameters of a command by their panels, in the order of --help."""
    found: dict[str, set[str]] = {}
    for option in command.params:
        found.setdefault(option.rich_help_panel or "", set()).add(option.name)
    return found


def test_every_setting_of_run_is_in_one_of_five_panels() -> None:
    found = panels(COMMANDS["c1m-coord run"])

    assert list(found) == [*PANELS, ""]
    assert found.pop("") == {"spec", "config"}
    assert found.pop(OUTPUT) == {"label", "journal", "no_journal", "json_file"}
    assert set().union(*found.values()) == set(SETTINGS) - {"label"}


def test_an_option_is_in_the_same_panel_in_every_command() -> None:
    run = {name: panel for panel, names in panels(COMMANDS["c1m-coord run"]).items() for name in names}

    for command in ("plan", "doctor", "tune", "retarget"):
        for panel, names in panels(COMMANDS[f"c1m-coord {command}"]).items():
            assert {run.get(name, panel) for name in names if name != "run"} <= {panel}, command


@pytest.mark.parametrize("program", ["c1m-worker", "c1m-target", "c1m-target observe"])
def test_only_general_options_of_a_node_are_in_no_panel(program: str) -> None:
    found = panels(COMMANDS[program])

    assert found.get("", set()) <= {"version", "install_completion", "show_completion"}
    assert {"listen", "tls", "insecure", "allow_tune", "with_parent"} == found["Control"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    command = COMMANDS[name]

    assert command.help.splitlines()[0].endswith(".")
    assert [option.name for option in command.params if not (option.help or "").endswith(".")] == []
