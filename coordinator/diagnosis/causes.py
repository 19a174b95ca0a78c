"""Causes: what the rules conclude from the evidence of all nodes, and the sentence that says so. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from c1m.coordinator.ledger.doing import Role
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

# Counts at which programs of all kinds stop, and the usual reason. They are shown as a hint, and decide nothing.
TELLING: Final = {
    28_232: "is the size of the kernel's own ip_local_port_range, 32768-60999",
    64_512: "is the number of unprivileged ports of one source address",
    262_144: "is the kernel's usual nf_conntrack_max",
    524_288: "is a usual limit of descriptors (LimitNOFILE=), and of connection tables",
    1_048_576: "is the kernel's own fs.nr_open, the highest limit of descriptors that a process may have",
}
TELLING_SHARE: Final = 0.001  # of the number: how near a count must be; reported were 262,094 and 524,273


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why a run is in trouble: its name, the node that shows it, the evidence and what the operator should do."""

    cause: str
    node: str
    says: str
    evidence: tuple[str, ...]
    cure: str
    limit: str | None = None  # name in c1m.limits, with a page of c1m-coord explain; None: no limit
    role: Role | None = None  # of the node; None: the cause is of the whole run

    @property
    def sentence(self) -> str:
        """The cause as one sentence for the operator: node, explanation, evidence and cure."""
        return f"{self.node}: {self.says} ({', '.join(self.evidence)}); {self.cure}"


def diagnose(scene: Sequence[Evidence], troubles: Collection[Trouble], *, last_resort: bool = False) -> list[Cause]:
    """Return the list of causes that the evidence of all nodes shows, in the order of the table of rules.

    The rules that are tried are those for the given troubles of the run, and with ``last_resort`` only the rules that could
    explain any trouble. The list is empty if no rule matches.
    """
    found: list[Cause] = []
    named: set[tuple[str, str]] = set()  # (cause, node), and (cause, host) for what all nodes of a host see alike
    for rule in RULES:
        if rule.last_resort is not last_resort or (rule.troubles and rule.troubles.isdisjoint(troubles)):
            continue
        for seen in scene:
            keys = {(rule.cause, seen.node), *([(rule.cause, seen.host)] if rule.of_host else [])}
            if seen.role in rule.on and named.isdisjoint(keys) and (cause := match(rule, seen, scene)):
                found.append(cause)
                named |= keys
    return remaining(found)


def remaining(causes: Sequence[Cause]) -> list[Cause]:
    """Return those of the given causes that no other cause among them replaces, in the same order.

    A cause on the target replaces those of all nodes, because what a server does not accept shows on its clients. A cause on a
    client replaces only those of the same client.
    """
    everywhere: set[str] = set()
    on_node: dict[str, set[str]] = {}
    for cause in causes:
        where = everywhere if cause.role is Role.TARGET else on_node.setdefault(cause.node, set())
        where |= INSTEAD_OF.get(cause.cause, frozenset())
    return [cause for cause in causes if cause.cause not in everywhere | on_node.get(cause.node, set())]


def match(rule: Rule, seen: Evidence, scene: Sequence[Evidence]) -> Cause | None:
    """Return the cause that a rule names for one node, with the evidence as text; None if not all signs of the rule show."""
    shown = [sign.shows(seen) for sign in rule.signs]
    if not all(shown):
        return None
    there = [other for other in scene if other.role != seen.role]
    for sign in rule.elsewhere:
        found = [f"{other.node}: {text}" for other in there if (text := sign.shows(other))]
        if not found:
            return None
        shown += found
    more = [text for sign in rule.also if (text := sign.shows(seen))]
    says, cure = stated(rule.says, seen.facts), cure_of(rule, seen.facts)
    return Cause(rule.cause, seen.node, says, (*shown, *more), cure, rule.limit or None, seen.role)


def cure_of(rule: Rule, facts: Mapping[str, str]) -> str:
    """Return what the operator should do about a rule's cause, as text.

    If the rule names a limit, the text includes the cure of that limit and, for a sysctl, its value on the node's host.
    """
    if not rule.limit:
        return stated(rule.cure, facts)
    limit = CURES[rule.limit]
    value = f"{limit.read} ({facts.get(limit.read, 'unknown')}): " if limit.read in SYSCTLS else ""
    own = f"{stated(rule.cure, facts)}; " if rule.cure else ""
    return f"{own}{value}{limit.cure} (c1m-coord explain {rule.limit})"


def stated(text: str, facts: Mapping[str, str]) -> str:
    """Return ``text`` with each sysctl name in braces replaced by its value on the host ("unknown" if it was not read)."""
    return SETTING.sub(lambda found: facts.get(found[1], "unknown") or "none", text)


def ruled_out(scene: Sequence[Evidence]) -> tuple[list[str], list[str]]:
    """Return two lists of names of causes: those whose signs would have been seen, and those that could not be observed.

    Both are in the order of the table of rules. They explain a stall for which no cause was found.
    """
    seen: dict[str, bool] = {}
    for rule in RULES:
        known = [all(sign.known(each) for sign in rule.signs) for each in scene if each.role in rule.on]
        if known:
            seen[rule.cause] = seen.get(rule.cause, False) or all(known)
    return [cause for cause, known in seen.items() if known], [cause for cause, known in seen.items() if not known]


def telling(count: int) -> str:
    """Return a hint that names the well-known limit that a count of connections is near; an empty string if it is near none."""
    near = (f"{number:,} {says}" for number, says in TELLING.items() if abs(count - number) <= number * TELLING_SHARE)
    return next(near, "")
