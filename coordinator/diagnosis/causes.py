"""Causes: what the rules make of the evidence of all nodes, and the sentence that tells it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from c1m.coordinator.ledger.evidence import Evidence
from c1m.limits.sysctls import SYSCTLS
from c1m.limits.table import LIMITS

from .progress import Trouble
from .rule import Rule
from .rules import RULES

CURES: Final = {limit.name: limit for limit in LIMITS}
INSTEAD_OF: Final = {
    name: frozenset(other for rule in RULES if rule.cause == name for other in rule.instead_of)
    for name in {rule.cause for rule in RULES}
}
SETTING: Final = re.compile(r"\{([a-z0-9_.-]+)\}")

# Where runs of all kinds of programs stop, and why they usually do. They are told, and decide nothing.
TELLING: Final = {
    28_232: "is the size of the kernel's own ip_local_port_range, 32768-60999",
    64_512: "is what one source address has of unprivileged ports",
    262_144: "is the kernel's usual nf_conntrack_max",
    524_288: "is a usual limit of descriptors (LimitNOFILE=), and of connection tables",
    1_048_576: "is the kernel's own fs.nr_open, the most descriptors that a process may have",
}
TELLING_SHARE: Final = 0.001  # how near: people saw 262,094 and 524,273


@dataclass(frozen=True, slots=True)
class Cause:
    """Why, on which node, by what evidence, and what to do."""

    cause: str
    node: str
    says: str
    evidence: tuple[str, ...]
    cure: str
    limit: str | None = None  # of c1m.limits, if it is one; c1m-coord explain has a page on it

    @property
    def role(self) -> str:
        return self.node.partition(" ")[0]

    @property
    def sentence(self) -> str:
        return f"{self.node}: {self.says} ({', '.join(self.evidence)}); {self.cure}"


def diagnose(scene: Sequence[Evidence], troubles: Collection[Trouble], *, last_resort: bool = False) -> list[Cause]:
    """The causes that the evidence of all nodes shows, in the order of the table; or those of last resort."""
    found: list[Cause] = []
    told: set[tuple[str, str]] = set()  # (cause, node), and (cause, host) of what all nodes of a host see alike
    for rule in RULES:
        if rule.last_resort is not last_resort or (rule.troubles and rule.troubles.isdisjoint(troubles)):
            continue
        for seen in scene:
            keys = {(rule.cause, seen.node), *([(rule.cause, seen.host)] if rule.of_host else [])}
            if seen.role in rule.on and told.isdisjoint(keys) and (cause := match(rule, seen, scene)):
                found.append(cause)
                told |= keys
    return remaining(found)


def remaining(causes: Sequence[Cause]) -> list[Cause]:
    """Those that no other one stands in for. What a server does not accept shows on its clients; what goes wrong with one
    client shows nowhere else."""
    everywhere: set[str] = set()
    on_node: dict[str, set[str]] = {}
    for cause in causes:
        where = everywhere if cause.role == "target" else on_node.setdefault(cause.node, set())
        where |= INSTEAD_OF.get(cause.cause, frozenset())
    return [cause for cause in causes if cause.cause not in everywhere | on_node.get(cause.node, set())]


def match(rule: Rule, seen: Evidence, scene: Sequence[Evidence]) -> Cause | None:
    shown = [sign.shows(seen) for sign in rule.signs]
    if not all(shown):
        return None
    there = [other for other in scene if other.role != seen.role]
    for sign in rule.elsewhere:
        told = [f"{other.node}: {text}" for other in there if (text := sign.shows(other))]
        if not told:
            return None
        shown += told
    more = [text for sign in rule.also if (text := sign.shows(seen))]
    says, cure = stated(rule.says, seen.facts), cure_of(rule, seen.facts)
    return Cause(rule.cause, seen.node, says, (*shown, *more), cure, rule.limit or None)


def cure_of(rule: Rule, facts: Mapping[str, str]) -> str:
    """In words: the rule's own, and those of its limit with the value that it has there, if that is a sysctl."""
    if not rule.limit:
        return stated(rule.cure, facts)
    limit = CURES[rule.limit]
    value = f"{limit.read} ({facts.get(limit.read, 'unknown')}): " if limit.read in SYSCTLS else ""
    own = f"{stated(rule.cure, facts)}; " if rule.cure else ""
    return f"{own}{value}{limit.cure} (c1m-coord explain {rule.limit})"


def stated(text: str, facts: Mapping[str, str]) -> str:
    """With the host's own values in place of the names in braces."""
    return SETTING.sub(lambda found: facts.get(found[1], "unknown") or "none", text)


def ruled_out(scene: Sequence[Evidence]) -> tuple[list[str], list[str]]:
    """Causes that would have shown, and those that could not have been seen, in the order of the table."""
    seen: dict[str, bool] = {}
    for rule in RULES:
        known = [all(sign.known(each) for sign in rule.signs) for each in scene if each.role in rule.on]
        if known:
            seen[rule.cause] = seen.get(rule.cause, False) or all(known)
    return [cause for cause, known in seen.items() if known], [cause for cause, known in seen.items() if not known]


def telling(count: int) -> str:
    """What a count of connections reminds of; empty where it does not."""
    near = (f"{number:,} {says}" for number, says in TELLING.items() if abs(count - number) <= number * TELLING_SHARE)
    return next(near, "")
