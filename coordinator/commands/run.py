"""c1m-coord run."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import typer
from rich.console import Console

from c1m.coordinator.journal.store import JournalStore, shelf_of
from c1m.coordinator.spec.spec import RunSpec
from c1m.errors import UsageError

from . import options
from .finish import tell_end
from .output_file import check_writable
from .session import conduct
from .terminal import stderr_console

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord run --total 100k                                            # everything on this machine, over 127.0.0.0/8
  c1m-coord run --total 1M --worker a:7100 --worker b:7100 --target srv:7200
  c1m-coord run --total 1M                                              # the same, with the nodes in c1m.toml
  c1m-coord run --total 50k --endpoint 10.0.0.5:80 --worker a:7100 --ramp 60s --hold 5m
  c1m-coord run --total 100k --json - > summary.json                    # only the summary on stdout
  c1m-coord run --total 100k --require 'connect_latency.p99 < 50ms' --require 'always dropped == 0'
  c1m-coord run --total 1M --on-loss redistribute                       # other workers take over a lost worker's share
  c1m-coord run --total 100k --heartbeat 10s --hold 1m                  # every echo is compared byte for byte
  c1m-coord run --total 10k --endpoint srv:6379 --heartbeat 5s --send 'PING\\r\\n' --expect +PONG
  c1m-coord run --total 200k --lifetime exp:40s --storm at=60s,drop=100%,return=5s     # see docs/shapes.md

[bold]Stages[/bold]
  c1m-coord run --stage 100k@10s --stage 1M@60s --stage 1M@10m --stage 0@30s           # lines: up, up, level, down
  c1m-coord run --stage step:50k@30s --stage spike:200k@5s --stage stairs:100k/5@5m --stage sine:50k-150k/60s@10m

[bold]Exit codes[/bold]  0 passed: reached, held, reconciled, and every --require holds; 1 failed; 2 usage error; \
3 refused before opening anything, because the run does not fit; 4 a node was unreachable, or was lost and not \
replaced; 130 interrupted.
"""


@options.takes(options.EVERY)
def run(
    context: typer.Context,
    journal: options.JournalDirectory = None,
    no_journal: options.NoJournal = False,
    json_file: options.JsonFile = None,
) -> None:
    """Open, hold, count, reconcile and close connections, and report whether all of it succeeded."""
    wanted = options.settings(context)
    check_writable(json_file)
    console = stderr_console()
    print_settings(wanted, console)
    shelf = None if no_journal else shelf_for(journal, console)
    outcome, kept = asyncio.run(conduct(wanted, console, shelf))
    raise typer.Exit(tell_end(outcome, kept, json_file))


def shelf_for(named: Path | None, console: Console) -> JournalStore | None:
    """Return where the journal of the run is kept. None, with a warning, where there is no default directory."""
    try:
        return shelf_of(named)
    except UsageError as error:
        if named is not None:
            raise
        console.print(f"warning: no journal is kept: {error}, or name a directory with --journal DIR", markup=False)
        return None


def print_settings(wanted: RunSpec, console: Console) -> None:
    """Print the settings of a run as a command line, so that the log alone is enough to repeat the run. Returns nothing."""
    console.print("c1m-coord run " + shlex.join(wanted.to_words()), markup=False, highlight=False, soft_wrap=True)
