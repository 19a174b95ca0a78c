"""Requirements on a run: ``established >= 999000``, ``always dropped == 0``. Parsing and judging are apart. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from c1m.coordinator.summary.records import leaf_of, part_of
from c1m.coordinator.summary.summary import Figures, JudgementSummary, Snapshot

from .metrics import Figure, Node, find, members

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
    """One requirement: a metric, an operator and a bound.

    ``always``: it has to be met at every moment of the hold, and not only at its end.
    """

    always: bool
    name: str  # of the figure, as it was written
    operator: str
    bound: str  # as it was written
    figure: Figure

    def __str__(self) -> str:
        return f"{'always ' if self.always else ''}{self.name} {self.operator} {self.bound}"

    def met_by(self, value: float) -> bool:
        """Return True if a value of the metric, in the summary's unit, meets the requirement."""
        return OPERATORS[self.operator](value / self.figure.divisor, self.figure.parse(self.bound))


def parse(text: str) -> Criterion:
    """Return the requirement that a text such as "established >= 999k" describes.

    Raises ValueError for a text of another form, for an unknown metric, and for one that is not known at every moment of the
    hold but has ``always``.
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

    def to_summary(self) -> JudgementSummary:
        """Return the result for the requirement as a JSON object for the summary."""
        return JudgementSummary(
            criterion=str(self.criterion),
            figure=str(self.criterion.figure),
            met=self.met,
            value=self.value,
            broken_at_seconds=self.broken_at_seconds,
            reason=self.reason or None,
        )


def judge(criterion: Criterion, figures: Figures, *, unknown_last: bool = False) -> Judgement:
    """Return whether a requirement is met, with the value that decided and the reason.

    Each row of the metric has to meet the requirement; the first that does not decides. ``unknown_last``: an unknown value
    decides only when all known ones meet it.
    """
    values = criterion.figure.values(figures)
    if unknown_last:
        values = sorted(values, key=lambda item: item[1] is None)
    for whose, value in values:
        if value is None or not criterion.met_by(value):
            return Judgement(criterion, False, value, complaint(criterion, whose, value, figures))
    if not values:
        return Judgement(criterion, False, None, complaint(criterion, "", None, figures))
    return Judgement(criterion, True, values[0][1])


def complaint(criterion: Criterion, whose: str, value: float | None, figures: Figures) -> str:
    """Return a sentence on why a value of a metric does not meet a requirement; a value of None is unknown.

    ``whose``: the row of the metric; empty: there are no rows.
    """
    at = f" of {whose}" if whose else ""
    if value is None:
        why = why_unknown(criterion.figure, whose, figures)
        return f"required {criterion}, and {criterion.figure}{at} is unknown, hence not met: {why}"
    return (
        f"required {criterion}, and {criterion.figure}{at} was {criterion.figure.format(value)}{of_a_peak(criterion, figures)}"
    )


def of_a_peak(criterion: Criterion, figures: Figures) -> str:
    """Return a clause on established_peak if that met the requirement and the end of the hold did not; otherwise empty."""
    peak = figures.established_peak
    if criterion.always or str(criterion.figure) != "established_at_hold_end" or not peak or not criterion.met_by(peak):
        return ""
    return f" at the end of the hold; established_peak was {peak:,}"


def why_unknown(figure: Figure, whose: str, figures: Figures) -> str:
    """Return why a metric is unknown: the nearest reason that the summary or its types have on the path to it."""
    node: Node = figures
    why = "the summary gives no reason"
    for word in figure.path:
        if isinstance(node, tuple):
            name = next((each for each in members(node) if f"{whose} ".startswith(f"{each} ")), "")
            node, whose = members(node).get(name), whose.removeprefix(name).strip()
        if node is None or isinstance(node, (Mapping, int, float)):
            break
        if reasons := part_of(node, "unknown"):
            why = "; ".join(reasons)
        elif part_of(node, "count") == 0:
            why = "nothing was measured"
        leaf = leaf_of(node, word)
        node = part_of(node, word)
        if not node and leaf and leaf.field.if_unknown:
            return leaf.field.if_unknown
    return why


class RequirementMonitor:
    """Checks the requirements with ``always`` through the hold, each until it is broken once.

    It has no clock: the caller gives the time of each check.
    """

    def __init__(self, criteria: Iterable[Criterion]) -> None:
        self.criteria = [criterion for criterion in criteria if criterion.always]
        self.judgements: dict[Criterion, Judgement] = {}

    def restore(self, judgements: Iterable[Judgement]) -> None:
        """Take the judgements from a journal in place of those so far."""
        self.judgements = {judgement.criterion: judgement for judgement in judgements}

    @property
    def watching(self) -> bool:
        """True if a requirement with ``always`` can still be broken."""
        return any(not self.is_broken(criterion) for criterion in self.criteria)

    def is_broken(self, criterion: Criterion) -> bool:
        """Return True if the requirement was not met at some moment of the hold."""
        return criterion in self.judgements and self.judgements[criterion].broken_at_seconds is not None

    def look(self, moment: Snapshot) -> None:
        """Check the requirements at a moment. A broken one stays broken. A latency that was not measured yet breaks none."""
        for criterion in self.criteria:
            if self.is_broken(criterion):
                continue
            found = judge(criterion, moment.figures, unknown_last=True)
            if not found.met and not (found.value is None and criterion.figure.is_unmeasured(moment.figures)):
                reason = f"{found.reason}, {moment.at_seconds:.1f} s after the start"
                found = Judgement(criterion, False, found.value, reason, round(moment.at_seconds, 2))
            self.judgements[criterion] = found

    def judgement(self, criterion: Criterion) -> Judgement:
        """Return the result for a requirement with ``always``; it is not met when there was no hold."""
        never = f"required {criterion}, and there was no hold, hence not met"
        return self.judgements.get(criterion) or Judgement(criterion, False, None, never)


def judge_all(criteria: Iterable[Criterion], requirement_monitor: RequirementMonitor, figures: Figures) -> list[Judgement]:
    """Return the results for all requirements at the end of the run, in the same order.

    Those for requirements with ``always`` come from the monitor, the others from the summary.
    """
    return [requirement_monitor.judgement(each) if each.always else judge(each, figures) for each in criteria]
