"""c1m-coord plan."""

from __future__ import annotations

from c1m.coordinator.planning.documents import plan_document
from c1m.coordinator.planning.preflight import Preflight
from c1m.coordinator.report.preflight_tables import plan_report
from c1m.errors import RefusedError

from .inspecting import inquiry
from .output import publish

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord plan --total 1M                           # on this machine alone
  c1m-coord plan --total 1M --worker a:7100 --worker b:7100 --target srv:7200
  c1m-coord plan --total 1M --json -                  # the same as a document

[bold]Exit codes[/bold]  0 it fits; 2 usage; 3 something will stop the run; 4 a node was unreachable.
"""


def tell(preflight: Preflight, json_file: str | None) -> int:
    """Say, without opening a connection, who would open what, what it takes, and what stops this fleet next."""
    made, refused = preflight.plan()
    document = plan_document(preflight, made, refused)
    publish(document, lambda console: console.print(plan_report(document, preflight)), json_file)
    return RefusedError.exit_code if refused else 0


plan = inquiry(tell)
