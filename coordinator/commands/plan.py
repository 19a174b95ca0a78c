"""c1m-coord plan."""

from __future__ import annotations

from c1m.errors import RefusedError

from ..forecast import plan_document
from ..output import publish
from ..preflight import Preflight
from ..preflight_report import plan_report
from .inquiry import inquiry


def tell(preflight: Preflight, json_file: str | None) -> int:
    """Say, without opening a connection, who would open what, what it takes, and what stops this fleet next."""
    made, refused = preflight.plan()
    document = plan_document(preflight, made, refused)
    publish(document, lambda console: console.print(plan_report(document, preflight)), json_file)
    return RefusedError.exit_code if refused else 0


plan = inquiry(tell)
