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
  c1m-coord plan --total 1M                           # this machine alone
  c1m-coord plan --total 1M --worker a:7100 --worker b:7100 --target srv:7200
  c1m-coord plan --total 1M --json -                  # the plan as JSON on stdout

[bold]Exit codes[/bold]  0 the run fits; 2 usage error; 3 a limit blocks the run; 4 a node was unreachable.
"""


def tell(preflight: Preflight, json_file: str | None) -> int:
    """Show which worker would open how many connections, what that costs, and which limit comes next. Opens nothing."""
    made, refused = preflight.plan()
    document = plan_document(preflight, made, refused)
    publish(document, lambda console: console.print(plan_report(document, preflight)), json_file)
    return RefusedError.exit_code if refused else 0


plan = inquiry(tell)
