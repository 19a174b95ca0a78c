"""The c1m-coord command."""

from __future__ import annotations

from collections.abc import Callable

import typer

from c1m.app.cli import main_of
from c1m.app.frame import Command, Version, help_without_command, new_app

from .commands import attach, doctor, explain, pki, plan, retarget, run, runs, show, tune

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
  c1m-coord pki --help                      # certificates of nodes and operators
"""


@app.callback(invoke_without_command=True, epilog=EXAMPLES)
def coord(
    context: typer.Context,
    version: Version = False,  # noqa: ARG001 - its callback prints it and exits
) -> None:
    """Direct c1m-workers and a c1m-target, and reconcile what they and their kernels count."""
    help_without_command(context)


COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "run": (run.run, run.EXAMPLES),
    "attach": (attach.attach, attach.EXAMPLES),
    "runs": (runs.runs, runs.EXAMPLES),
    "show": (show.show, show.EXAMPLES),
    "plan": (plan.plan, plan.EXAMPLES),
    "retarget": (retarget.retarget, retarget.EXAMPLES),
    "doctor": (doctor.doctor, doctor.EXAMPLES),
    "tune": (tune.tune, tune.EXAMPLES),
    "explain": (explain.explain, explain.EXAMPLES),
}
for name, (command, examples) in COMMANDS.items():
    app.command(name, cls=Command, epilog=examples)(command)
app.add_typer(pki.app, name="pki")


def main() -> None:
    main_of(app)
