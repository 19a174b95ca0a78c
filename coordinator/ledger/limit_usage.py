"""Gauges: what a run takes of each limit while it goes on, by the readings of the nodes; told when it becomes tight. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from c1m.limits.assessment import Member, Usage, amount, place_of, usages
from c1m.limits.limit import LimitStatus
from c1m.limits.table import LIMITS
from c1m.measure.sample import Reading

WATCHED = [limit for limit in LIMITS if limit.is_watched]


@dataclass(frozen=True, slots=True)
class TightLimit:
    """A usage that was told, and by whom."""

    node: str
    usage: Usage

    def sentence(self) -> str:
        usage, limit = self.usage, self.usage.limit
        says = "is used up" if usage.standing is LimitStatus.STOPS else "is nearly used up"
        return (
            f"{self.node}: {limit.title} {says}: {amount(usage.now, limit)} of {amount(usage.value, limit)}, "
            f"{amount(usage.now - usage.before, limit)} of it since the run began; {limit.cure}"
        )

    def to_summary(self) -> dict[str, Any]:
        usage = self.usage
        return {
            "limit": usage.limit.name,
            "node": self.node,
            "standing": str(usage.standing),
            "value": usage.value,
            "used_before": usage.before,
            "used": usage.now,
            "unit": usage.limit.unit,
        }


class LimitUsages:
    """Of all nodes. Each limit of a place is told once when it becomes tight, and once more when nothing is left."""

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self.members = {member.name: member for member in members}
        self.numbers: dict[str, int] = {}  # node -> its newest reading that was looked at
        self.taken: dict[tuple[str, str], TightLimit] = {}  # the worst, by limit and place

    def look(self, name: str, first: Reading | None, last: Reading | None) -> list[str]:
        """What is new since the last look, a sentence each. A reading that was seen before says nothing new."""
        member = self.members.get(name)
        if member is None or first is None or last is None or self.numbers.get(name) == last.number:
            return []
        self.numbers[name] = last.number
        told = []
        for usage in usages(WATCHED, member.host, member.ask, first.levels, last.levels):
            place = (usage.limit.name, place_of(usage.limit.scope, member))
            before = self.taken[place].usage.standing if place in self.taken else LimitStatus.OK
            if usage.standing > before:
                self.taken[place] = TightLimit(name, usage)
                told.append(self.taken[place].sentence())
        return told

    @property
    def sentences(self) -> list[str]:
        return [taken.sentence() for taken in self.taken.values()]
