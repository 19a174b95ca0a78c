"""c1m-coord explain."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markdown import Markdown

from c1m.coordinator.planning.limit_pages import contents, page

from .output import tell

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord explain                                   # what there is
  c1m-coord explain ports
"""


def explain(
    name: Annotated[
        str | None, typer.Argument(help="A limit, as plan and doctor name it, or theory. Default: what there is.")
    ] = None,
) -> None:
    """Explain a limit: what it is, how it shows, and what lifts it."""
    told = Markdown(page(name) if name else contents())
    tell(lambda console: console.print(told))
