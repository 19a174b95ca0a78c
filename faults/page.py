"""The table of docs/faults.md, between its two marks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cell import Cell
from judgement import complaints
from observation import Observation

BEGIN, END = "<!-- made by faults/matrix.py -->", "<!-- until here -->"


def written(page: str, cells: Sequence[Cell], known: Mapping[str, Observation]) -> str:
    """The page with its table made again. Raises ValueError for one without the marks."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"the page has no lines {BEGIN!r} and {END!r}, between which the table goes")
    lines = [row(known.get(each.unseen().name) or each.unseen()) for each in cells]
    return "\n".join([before + BEGIN, "", HEAD, RULE, *lines, "", END]) + after


HEAD = "| to whom | what | when | noticed after | what was said first | the summary says | verdict | over after | of | wrong |"
RULE = "|---|---|---|---|---|---|---|---|---|---|"


def row(seen: Observation) -> str:
    if not seen.allowed_seconds and not seen.troubled:
        return f"| {seen.victim} | {seen.fault} | {seen.moment} | | (not tried) | | | | | |"
    told = complaints(seen)
    columns = (
        seen.victim,
        seen.fault,
        seen.moment,
        seconds(seen.noticed_seconds),
        cell_text(seen.noticed),
        cell_text(first(seen.reasons)),
        f"{seen.verdict or 'no summary'}, {seen.exit_code}",
        seconds(seen.ended_seconds),
        f"{seen.allowed_seconds:.0f} s",
        cell_text("; ".join(told)) or "nothing",
    )
    return f"| {' | '.join(columns)} |"


def first(reasons: Sequence[str]) -> str:
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return reasons[0] + more if reasons else ""


def cell_text(text: str) -> str:
    return text.replace("|", "\\|")


def seconds(known: float | None) -> str:
    return "" if known is None else f"{known:.1f} s"
