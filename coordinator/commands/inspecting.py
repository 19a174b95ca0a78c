"""Commands that ask the nodes about a run and open nothing (plan, doctor): the same options, different reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import typer

from c1m.coordinator.planning.preflight import Preflight

from . import options
from .output_file import check_writable
from .session import look


def inquiry(tell: Callable[[Preflight, str | None], int], default_total: str = "") -> Callable[..., None]:
    """Return the function of a command that surveys the nodes and passes the result to ``tell``.

    ``tell`` gets the preflight and the --json file, and returns the exit code. Its docstring is the command's help.
    """

    def command(context: typer.Context, json_file: options.JsonFile = None) -> None:
        wanted = options.settings(context, default_total)
        check_writable(json_file)
        raise typer.Exit(tell(asyncio.run(look(wanted)), json_file))

    command.__doc__ = tell.__doc__
    return options.takes(options.FITTING)(command)
