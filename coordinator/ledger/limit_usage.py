"""Limit usage: what a run uses of each limit, by the readings of the nodes, and when a limit becomes tight. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from c1m.coordinator.summary.plan import TightLimitSummary
from c1m.limits.assessment import Member, Usage, amount, place_of, usages
from c1m.limits.limit import LimitStatus
from c1m.limits.table import LIMITS
from c1m.measure.sample import Reading

WATCHED = [limit for limit in LIMITS if limit.is_watched]


@dataclass(frozen=True, slots=True)
class TightLimit:
    """A kernel or process limit that became tight during the run, and the node whose reading shows it."""

    node: str
    usage: Usage

    def sentence(self) -> str:
        """Return a sentence for people: how much of the limit is used, how much of that by the run, and how to raise it."""
        usage, limit = self.usage, self.usage.limit
        says = "is used up" if usage.standing is LimitStatus.STOPS else "is nearly used up"
        return (
            f"{self.node}: {limit.title} {says}: {amount(usage.now, limit)} of {amount(usage.value, limit)}, "
            f"{amount(usage.now - usage.before, limit)} of it since the run began; {limit.cure}"
        )

    def to_summary(self) -> TightLimitSummary:
        """Return the usage as the summary has it, in the unit of the limit."""
        usage = self.usage
        return TightLimitSummary(
            limit=usage.limit.name,
            node=self.node,
            standing=str(usage.standing),
            value=usage.value,
            used_before=usage.before,
            used=usage.now,
            unit=usage.limit.unit,
        )


class LimitUsages:
    """Watches how much of each limit the nodes of a run use.

    Each limit of a node, namespace or host is reported when it becomes tight, and again when it is used up.
    """

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self.members = {member.name: member for member in members}
        self.numbers: dict[str, int] = {}  # node -> its newest reading that was examined
        self.taken: dict[tuple[str, str], TightLimit] = {}  # (limit, place) -> its worst usage

    def look(self, name: str, first: Reading | None, last: Reading | None) -> list[str]:
        """Return a sentence for each limit that became tight or used up since the last reading of the node called ``name``.

        The list is empty if the node is unknown, or its newest reading ``last`` was examined before. ``first`` is the node's
        first reading.
        """
        member = self.members.get(name)
        if member is None or first is None or last is None or self.numbers.get(name) == last.number:
            return []
        self.numbers[name] = last.number
        sentences = []
        for usage in usages(WATCHED, member.host, member.ask, first.levels, last.levels):
            place = (usage.limit.name, place_of(usage.limit.scope, member))
            before = self.taken[place].usage.standing if place in self.taken else LimitStatus.OK
            if usage.standing > before:
                self.taken[place] = TightLimit(name, usage)
                sentences.append(self.taken[place].sentence())
        return sentences

    @property
    def sentences(self) -> list[str]:
        """One sentence for each limit that became tight during the run."""
        return [taken.sentence() for taken in self.taken.values()]
