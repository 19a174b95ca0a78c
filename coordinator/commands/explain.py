"""c1m-coord explain."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markdown import Markdown

from ..manual import contents, page
from ..output import stdout_console


def explain(
    name: Annotated[
        str | None, typer.Argument(help="A limit, as plan and doctor name it, or theory. None: what there is.")
    ] = None,
) -> None:
    """Tell about a limit: what it is, how one meets it, and what lifts it."""
    stdout_console().print(Markdown(page(name) if name else contents()))
