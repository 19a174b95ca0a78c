"""The c1m-coord command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from c1m.app.cli import main_of
from c1m.app.frame import Command, Version, help_without_command, new_app

app = new_app()

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord run --total 100k                # everything on this machine, over 127.0.0.0/8
  c1m-coord run --total 1M --worker a:7100 --worker b:7100 --target srv:7200
  c1m-coord run --total 50k --endpoint 10.0.0.5:80 --worker a:7100     # any TCP server; more: c1m-coord run --help
  c1m-coord plan --total 1M                 # which worker would open how many, and which limit comes next
  c1m-coord doctor                          # every limit on every node
  c1m-coord tune --total 1M                 # commands to type on each node; --apply runs them, --undo reverts them
  c1m-coord explain ports                   # about one limit
  c1m-coord retarget --total 300k --within 30s --worker a:7100 --worker b:7100     # change a run while it runs
  c1m-coord runs                            # earlier runs
  c1m-coord show                            # the report of the last run
  c1m-coord attach                          # resume a run whose coordinator has died
  c1m-coord schema                          # the JSON Schema of what --json writes, with meanings and units
  c1m-coord pki --help                      # certificates of nodes and operators
"""


# Command -> what its module in ``commands``, which has the same name, calls it: a function, or an app with commands of its own.
FUNCTIONS = {
    "run": "run",
    "attach": "attach",
    "runs": "runs",
    "show": "show",
    "plan": "plan",
    "retarget": "retarget",
    "doctor": "doctor",
    "tune": "tune",
    "explain": "explain",
    "schema": "schema",
    "pki": "app",
}


class LoadedWhenUsed(Mapping[str, Any]):
    """Command name -> Click command. Its module is imported when the command is looked up: all of them take a second of CPU."""

    def __getitem__(self, name: str) -> Any:
        module = import_module(f"c1m.coordinator.commands.{name}") if name in FUNCTIONS else None
        if module is None:
            raise KeyError(name)
        found = getattr(module, FUNCTIONS[name])
        if not isinstance(found, typer.Typer):
            function, found = found, new_app(completion=False)
            found.command(cls=Command, epilog=module.EXAMPLES)(function)
        command = typer.main.get_command(found)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(FUNCTIONS)

    def __len__(self) -> int:
        return len(FUNCTIONS)


class Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = LoadedWhenUsed()  # type: ignore[assignment]  # Typer only reads it


@app.callback(cls=Commands, invoke_without_command=True, epilog=EXAMPLES)
def coord(
    context: typer.Context,
    version: Version = False,  # noqa: ARG001 - its callback prints it and exits
) -> None:
    """Direct c1m-workers and a c1m-target, and reconcile what they and their kernels count."""
    help_without_command(context)


def main() -> None:
    main_of(app)
