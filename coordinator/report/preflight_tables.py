"""Tables of plan and doctor: nodes, hosts and limits, and which limit stops the fleet next."""

from __future__ import annotations

from collections.abc import Sized

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from c1m.coordinator.planning.bottlenecks import ordinal
from c1m.coordinator.planning.preflight import Preflight
from c1m.coordinator.summary.documents import PlanDocument
from c1m.limits.assessment import Assessment, amount, several
from c1m.limits.limit import LimitStatus
from c1m.text.units import format_bytes

MOST_ROWS = 20  # of a table that has a row for each node
REMARK_COLUMNS = 34  # the width that leaves room for the names of two nodes in one row
COLOURS = {LimitStatus.OK: "green", LimitStatus.UNKNOWN: "dim", LimitStatus.TIGHT: "yellow", LimitStatus.STOPS: "bold red"}


def table(*columns: str, texts: int = 1) -> Table:
    """Return an empty table with the given columns.

    The first ``texts`` columns are aligned to the left, as text; the others to the right.
    """
    made = Table(box=None, pad_edge=False, header_style="dim")
    for index, column in enumerate(columns):
        made.add_column(column, justify="left" if index < texts else "right")
    return made


def plan_report(document: PlanDocument, preflight: Preflight) -> RenderableType:
    """Return what ``c1m-coord plan`` prints: tables of assignments, memory and bottlenecks, and the reasons for a refusal.

    ``document``: the one that planning/documents.py makes.
    """
    shown: list[RenderableType] = []
    if document.fits:
        shown += [assignments(document), ""]
    shown += [memory(document), "", *ranked(preflight)]
    if document.refused:
        shown += ["", f"[bold red]{preflight.total:,} do not fit[/bold red]"]
        shown += [f"  - {escape(reason)}" for reason in document.refused]
    elif preflight.tight:
        shown += ["", *(f"[yellow]tight[/yellow]  {escape(found.sentence())}" for found in preflight.tight)]
    return Group(*shown)


def assignments(document: PlanDocument) -> RenderableType:
    """Return a table of the connections, shards and 4-tuples planned for each worker, and a line on the destinations."""
    rows = document.workers
    shown = table("node", "planned", "shards", "sources", "ports", "4-tuples of a source", "used", "left")
    for row in rows[:MOST_ROWS]:
        shown.add_row(
            escape(row.node),
            f"{row.planned:,}",
            f"{len(row.shards):,}",
            f"{row.sources:,}",
            f"{row.client_ports:,}",
            f"{row.tuples_of_a_source:,}",
            f"{row.tuples_used_of_a_source:,}",
            f"{row.tuples_left_of_a_source:,}",
        )
    each = [acceptor.planned for acceptor in document.acceptors]
    spread = f"{min(each):,}" if min(each) == max(each) else f"{min(each):,} to {max(each):,}"
    return Group(shown, *more(rows), f"{len(each):,} destinations, {spread} connections to each")


def more(rows: Sized) -> list[str]:
    """Return a line that says how many rows of a long table are left out; an empty list if none are."""
    return [f"[dim]... and {len(rows) - MOST_ROWS:,} more; --json has all of them[/dim]"] if len(rows) > MOST_ROWS else []


def memory(document: PlanDocument) -> RenderableType:
    """Return a table of the memory of each host: available, needed by the kernel and by processes, and left."""
    rows = document.hosts
    shown = table("host", "nodes", "available", "kernel", "user", "left", texts=2)
    for row in rows[:MOST_ROWS]:
        figures = (row.memory_available_bytes, row.kernel_bytes, row.user_bytes, row.left_bytes)
        sizes = ["unknown" if size is None else format_bytes(size) for size in figures]
        shown.add_row(escape(row.hostname), escape(several(row.nodes)), *sizes)
    return Group(shown, *more(rows))


def ranked(preflight: Preflight) -> list[RenderableType]:
    """Return a line on how many connections the fleet holds, and a table of the limits that stop it next."""
    if preflight.ceiling is None:
        return ["no limit of this fleet is known"]
    shown = table("", "at", "limit", "where", "what lifts it")
    shown.columns[1].justify = "right"
    for column in shown.columns[2:]:
        column.justify = "left"
    for rank, reach in enumerate(preflight.ranking, 1):
        shown.add_row(ordinal(rank), f"{reach.total:,}", reach.limit.name, escape(several(reach.nodes)), escape(reach.lifts))
    return [f"this fleet holds {preflight.ceiling:,} connections; what stops it next:", shown]


def doctor_report(preflight: Preflight) -> RenderableType:
    """Return what ``c1m-coord doctor`` prints: tables of limits and bottlenecks, and a sentence for each bad limit."""
    shown = table("", "limit", "where", "value", "used", "needed", "", texts=3)
    remarks = shown.columns[-1]
    remarks.justify, remarks.max_width = "left", REMARK_COLUMNS
    for found in worst_of_each(preflight.assessments):
        limit = found.limit
        figures = (found.value, found.used, found.need)
        shown.add_row(
            f"[{COLOURS[found.standing]}]{found.standing}[/]",
            limit.name,
            escape(several(found.nodes)),
            *("-" if number is None else amount(number, limit) for number in figures),
            escape(found.remark) if found.standing is LimitStatus.OK else "",
        )
    not_ok = preflight.not_ok
    lines = [f"[{COLOURS[found.standing]}]{found.standing}[/]  {escape(found.sentence())}" for found in not_ok[:MOST_ROWS]]
    return Group(shown, "", *ranked(preflight), *([""] if lines else []), *lines, *more(not_ok))


def worst_of_each(assessments: list[Assessment]) -> list[Assessment]:
    """Return the assessments to show: of a limit with many places only the worst, of other limits all."""
    by_limit: dict[str, list[Assessment]] = {}
    for found in assessments:
        by_limit.setdefault(found.limit.name, []).append(found)
    shown = []
    for places in by_limit.values():
        worst = sorted(places, key=lambda found: (-found.standing, found.left is None, found.left or 0))
        shown += places if len(places) <= MOST_ROWS // 5 else worst[:1]
    return shown
