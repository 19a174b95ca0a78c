"""The c1m-coord command."""

from __future__ import annotations

from typing import Annotated

import typer

from c1m.app.cli import main_of, version_option

from .commands import attach, doctor, explain, pki, plan, retarget, run, runs, show, tune

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord run --total 100k                # everything on this machine, over 127.0.0.0/8
  c1m-coord run --total 1M --worker a:7100 --worker b:7100 --target srv:7200
  c1m-coord run --total 50k --endpoint 10.0.0.5:80 --worker a:7100     # any TCP server; more: c1m-coord run --help
  c1m-coord plan --total 1M                 # who would open what, and what stops this fleet next
  c1m-coord doctor                          # every limit of every node
  c1m-coord tune --total 1M                 # what to type on each node; --apply does it, --undo restores
  c1m-coord explain ports                   # about one limit
  c1m-coord retarget --total 300k --within 30s --worker a:7100 --worker b:7100     # another schedule for a running run
  c1m-coord runs                            # which runs there were
  c1m-coord show                            # the last one again
  c1m-coord attach                          # go on with a run whose coordinator is gone
  c1m-coord pki --help                      # who may command the nodes
"""


@app.callback(epilog=EXAMPLES)
def coord(
    version: Annotated[bool, version_option()] = False,
) -> None:
    """Direct c1m-workers and a c1m-target, and reconcile what they and their kernels count."""


app.command(epilog=run.EXAMPLES)(run.run)
app.command(epilog=attach.EXAMPLES)(attach.attach)
app.command(epilog=runs.EXAMPLES)(runs.runs)
app.command(epilog=show.EXAMPLES)(show.show)
app.command("plan", epilog=plan.EXAMPLES)(plan.plan)
app.command(epilog=retarget.EXAMPLES)(retarget.retarget)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
app.command(epilog=tune.EXAMPLES)(tune.tune)
app.command(epilog=explain.EXAMPLES)(explain.explain)
app.add_typer(pki.app, name="pki")


def main() -> None:
    main_of(app)
