"""The c1m-coord command."""

from __future__ import annotations

from typing import Annotated

import typer

from c1m.cli import main_of, version_option

from .commands import attach, doctor, explain, pki, plan, retarget, run, runs, show, tune

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)

EXAMPLES = """
[bold]Examples[/bold]

  c1m-coord run --total 100k                          # everything on this machine, over 127.0.0.0/8

  c1m-coord run --total 1M --worker a:7100 --worker b:7100 --target srv:7200

  c1m-coord run --total 1M                            # the same, with the nodes in c1m.toml

  c1m-coord run --total 50k --endpoint 10.0.0.5:80 --worker a:7100 --ramp 60s --hold 5m

  c1m-coord run --stage 100k@10s --stage 1M@60s --stage 1M@10m --stage 0@30s     # up, up, hold, down; open loop

  c1m-coord run --stage step:50k@30s --stage spike:200k@5s --stage stairs:100k/5@5m --stage sine:50k-150k/60s@10m

  c1m-coord retarget --total 300k --within 30s --worker a:7100 --worker b:7100   # another schedule for a running run

  c1m-coord run --total 100k --heartbeat 10s --hold 1m # every connection is heard from, byte for byte

  c1m-coord run --total 10k --endpoint srv:6379 --heartbeat 5s --send 'PING\\r\\n' --expect +PONG   # any server

  c1m-coord run --total 100k --require 'connect_latency.p99 < 50ms' --require 'always dropped == 0'

  c1m-coord run --total 200k --lifetime exp:40s --storm at=60s,drop=100%,return=5s      # see docs/shapes.md

  c1m-coord run --total 1M --on-loss redistribute      # when a worker is lost, the others open its share; or abort

  c1m-coord run --total 100k --json - > summary.json  # the summary alone on stdout

  c1m-coord show                                      # the last run again; show 20261124T0023 that one, runs lists them

  c1m-coord attach                                    # go on with a run whose coordinator is gone, within its lease

  c1m-coord plan --total 1M                           # who would open what, and what stops this fleet next

  c1m-coord doctor                                    # every limit of every node

  c1m-coord tune --total 1M                           # what to type on each node for that; --apply does it, --undo restores

  c1m-coord explain ports                             # about one of them

  c1m-coord pki --help                                # who may command the nodes

[bold]Exit codes[/bold]  0 reached, held, reconciled and all as --require says; 1 not so; 2 usage; 3 refused, because it
cannot fit; 4 a node was unreachable, or lost and not made up for; 5 shown from a journal that ends before its run did;
130 interrupted.
"""


@app.callback(epilog=EXAMPLES)
def coord(
    version: Annotated[bool, version_option()] = False,
) -> None:
    """Direct c1m-workers and a c1m-target, and reconcile what they and their kernels count."""


app.command(epilog=EXAMPLES)(run.run)
app.command(epilog=attach.EXAMPLES)(attach.attach)
app.command(epilog=EXAMPLES)(runs.runs)
app.command(epilog=EXAMPLES)(show.show)
app.command("plan", epilog=EXAMPLES)(plan.plan)
app.command(epilog=EXAMPLES)(retarget.retarget)
app.command("doctor", epilog=EXAMPLES)(doctor.doctor)
app.command(epilog=EXAMPLES)(tune.tune)
app.command(epilog=EXAMPLES)(explain.explain)
app.add_typer(pki.app, name="pki")


def main() -> None:
    main_of(app)
