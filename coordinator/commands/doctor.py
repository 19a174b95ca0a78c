"""c1m-coord doctor."""

from __future__ import annotations

from c1m.coordinator.planning.documents import doctor_document
from c1m.coordinator.planning.preflight import Preflight
from c1m.coordinator.report.preflight_tables import doctor_report
from c1m.errors import RefusedError

from .inspecting import inquiry
from .output import publish

EXAMPLES = """
[bold]Examples[/bold]
  c1m-coord doctor                                    # this machine, for any total
  c1m-coord doctor --total 1M --worker a:7100 --worker b:7100 --target srv:7200

[bold]Exit codes[/bold]  0 no limit blocks the run; 2 usage error; 3 a limit blocks it; 4 a node was unreachable.
"""


def tell(preflight: Preflight, json_file: str | None) -> int:
    """Check every limit on every node and report it as ok, tight or blocking, with how to raise it."""
    publish(doctor_document(preflight), lambda console: console.print(doctor_report(preflight)), json_file)
    return RefusedError.exit_code if preflight.stops else 0


doctor = inquiry(tell, default_total="1")  # without --total: whether a single connection is possible
