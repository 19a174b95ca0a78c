"""c1m-coord explain."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markdown import Markdown

from c1m.coordinator.planning.limit_pages import contents, page

from .output import tell

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord explain                                   # the list of pages
  c1m-coord explain ports
"""


def explain(
    name: Annotated[
        str | None, typer.Argument(help="A limit, by its name in plan and doctor, or theory. Default: list the pages.")
    ] = None,
) -> None:
    """Explain a limit: what it is, how to recognise it, and how to raise it."""
    told = Markdown(page(name) if name else contents())
    tell(lambda console: console.print(told))
