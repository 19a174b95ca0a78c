"""Requirements on a run: ``established >= 999000``, ``always dropped == 0``. Parsing and judging are apart. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .metrics import HEARTBEATS_ANSWERED, Figure, find, members

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
FORMS = "write FIGURE OPERATOR VALUE, such as 'established >= 999k', 'connect_latency.p99 < 50ms', 'always dropped == 0'"
LONGEST_TEXT = 200  # characters; the time to search for similar names grows with the length
CRITERION = re.compile(r"(always\s+)?([A-Za-z0-9_.]+)\s*(>=|<=|==|!=|>|<)\s*([^\s<>=!].*)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One requirement. ``always``: it has to be met at every moment of the hold, and not only at its end."""

    always: bool
    name: str  # of the figure, as it was written
    operator: str
    bound: str  # as it was written
    figure: Figure

    def __str__(self) -> str:
        return f"{'always ' if self.always else ''}{self.name} {self.operator} {self.bound}"

    def met_by(self, value: float) -> bool:
        """Return whether a value in the summary's unit meets the requirement."""
        return OPERATORS[self.operator](value / self.figure.unit[1], self.figure.parse(self.bound))


def parse(text: str) -> Criterion:
    """Parse a requirement. Raises ValueError for a text of another form, for an unknown metric, and for one that is not known
    at every moment of the hold but has ``always``.
    """
    found = CRITERION.fullmatch(text.strip()) if len(text) <= LONGEST_TEXT else None
    if not found:
        raise ValueError(f"{text[:LONGEST_TEXT]!r} is not a requirement; {FORMS}")
    always, name, sign, bound = found.groups()
    figure = find(name)
    if always and not figure.through_hold:
        raise ValueError(f"{name} is known only at the end or when every kernel is asked, and not always; leave out 'always'")
    figure.parse(bound)
    return Criterion(bool(always), name, sign, bound, figure)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result for one requirement. ``value``: what decided, in the summary's unit; None: unknown, hence not met."""

    criterion: Criterion
    met: bool
    value: float | None
    reason: str = ""  # a sentence on why it is not met; empty: it is
    broken_at_seconds: float | None = None  # since the start, of the first moment of the hold at which it was not met

    def to_summary(self) -> dict[str, Any]:
        """Return the result as the summary has it."""
        return {
            "criterion": str(self.criterion),
            "figure": str(self.criterion.figure),
            "met": self.met,
            "value": self.value,
            "broken_at_seconds": self.broken_at_seconds,
            "reason": self.reason or None,
        }


def judge(criterion: Criterion, summary: Mapping[str, Any], *, unknown_last: bool = False) -> Judgement:
    """Return the result for a requirement. Each row of the metric has to meet it; the first that does not decides.

    ``unknown_last``: an unknown value decides only when all known ones meet it.
    """
    values = criterion.figure.values(summary)
    if unknown_last:
        values = sorted(values, key=lambda item: item[1] is None)
    for whose, value in values:
        if value is None or not criterion.met_by(value):
            return Judgement(criterion, False, value, complaint(criterion, whose, value, summary))
    if not values:
        return Judgement(criterion, False, None, complaint(criterion, "", None, summary))
    return Judgement(criterion, True, values[0][1])


def complaint(criterion: Criterion, whose: str, value: float | None, summary: Mapping[str, Any]) -> str:
    """Return a sentence on why a value does not meet a requirement. ``whose``: the row; empty: there are no rows."""
    at = f" of {whose}" if whose else ""
    if value is None:
        why = why_unknown(criterion.figure, whose, summary)
        return f"required {criterion}, and {criterion.name}{at} is unknown, hence not met: {why}"
    return f"required {criterion}, and {criterion.name}{at} was {criterion.figure.format(value)}{of_a_peak(criterion, summary)}"


def of_a_peak(criterion: Criterion, summary: Mapping[str, Any]) -> str:
    """Return a hint at established_peak if that met the requirement and the end of the hold did not; otherwise empty."""
    peak = summary.get("established_peak")
    if criterion.always or str(criterion.figure) != "established_at_hold_end" or not peak or not criterion.met_by(peak):
        return ""
    return f" at the end of the hold; established_peak was {peak:,}"


def why_unknown(figure: Figure, whose: str, summary: Mapping[str, Any]) -> str:
    """Return why a metric is unknown: the nearest reason that the summary has on the path to it."""
    node: Any = summary
    why = "the summary gives no reason"
    for word in figure.path:
        if isinstance(node, list | tuple):
            name = next((each for each in members(node) if f"{whose} ".startswith(f"{each} ")), "")
            node, whose = members(node).get(name), whose.removeprefix(name).strip()
        if node is None:
            break
        if reasons := node.get("unknown"):
            why = "; ".join(reasons)
        elif node.get("count") == 0:
            why = "nothing was measured"
        node = node.get(word)
        if not node and word in NOTHING:
            return NOTHING[word]
    return why


NOTHING = {
    "target": "the run had no target; put workers. before the name to ask for the workers'",
    "workers": "the run had no workers",
    "reconciliation": "the run ended before its hold did, and no counts were compared",
    "at_ramp_end": "no counts were compared when the ramp ended",
    "stages": "the run had no stages",
    "storms": "the run had no storms",
    "recovery_seconds": "not all connections returned",
    "slowest_connect_us": "no connection returned",
    "heartbeats": "the run had no heartbeats; that takes --heartbeat",
    "keepalive": "the run had no keepalive; that takes --keepalive",
    "pushes": "the run had no pushes; that takes --server-push",
    "at_rests": "the schedule never stood still for long enough to compare",
    **dict.fromkeys(HEARTBEATS_ANSWERED, "with --expect none clients do not wait for answers"),
    "reached_seconds": "the stage was not reached",
    "probed": "no connection was probed; that takes --probe-ghosts",
    "ramp_seconds": "nothing was opened",
    "connections_per_second": "nothing was opened",
}


class RequirementMonitor:
    """Checks the requirements with ``always`` through the hold, each until it is broken. A fold without a clock."""

    def __init__(self, criteria: Iterable[Criterion]) -> None:
        self.criteria = [criterion for criterion in criteria if criterion.always]
        self.judgements: dict[Criterion, Judgement] = {}

    @property
    def watching(self) -> bool:
        """Whether a requirement can still be broken."""
        return any(not self.is_broken(criterion) for criterion in self.criteria)

    def is_broken(self, criterion: Criterion) -> bool:
        """Return whether the requirement was not met at some moment."""
        return criterion in self.judgements and self.judgements[criterion].broken_at_seconds is not None

    def look(self, seconds: float, summary: Mapping[str, Any]) -> None:
        """Check the requirements against a summary of the moment ``seconds`` after the start. A broken one stays broken. A
        latency that was not measured yet breaks none.
        """
        for criterion in self.criteria:
            if self.is_broken(criterion):
                continue
            found = judge(criterion, summary, unknown_last=True)
            if not found.met and not (found.value is None and criterion.figure.is_unmeasured(summary)):
                reason = f"{found.reason}, {seconds:.1f} s after the start"
                found = Judgement(criterion, False, found.value, reason, round(seconds, 2))
            self.judgements[criterion] = found

    def judgement(self, criterion: Criterion) -> Judgement:
        """Return the result for a requirement; not met when there was no hold."""
        never = f"required {criterion}, and there was no hold, hence not met"
        return self.judgements.get(criterion) or Judgement(criterion, False, None, never)


def judge_all(
    criteria: Iterable[Criterion], requirement_monitor: RequirementMonitor, summary: Mapping[str, Any]
) -> list[Judgement]:
    """Return the results for all requirements at the end. Those with ``always`` are in the monitor."""
    return [requirement_monitor.judgement(each) if each.always else judge(each, summary) for each in criteria]
