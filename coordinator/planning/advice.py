"""Advice: which settings to change before a run, where, and why, for each limit that is tight or stops the run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from c1m.coordinator.summary.documents import AdviceSummary, ChangeSummary
from c1m.limits.assessment import Assessment, amount, command, several
from c1m.limits.sysctls import SYSCTLS, SysctlScope
from c1m.limits.tunable import TUNABLE, raised
from c1m.measure.sample import Change, Host

from .preflight import Preflight

TUNE_SCHEMA = "c1m.tune/1"


@dataclass(frozen=True, slots=True)
class Advice:
    """One setting of one node, namespace or host that the operator should change, and the limit that needs the change.

    ``setting`` is empty if no setting helps.
    """

    found: Assessment
    node: str  # the node that should write it, of those that share the place
    place: str  # equal for advice on the same setting of the same host, network namespace or node
    setting: str = ""
    now: str = ""
    wanted: str = ""

    @property
    def is_tunable(self) -> bool:
        """True if the command ``c1m-coord tune`` may write the setting itself."""
        return self.setting in TUNABLE

    @property
    def command(self) -> str:
        """The shell command that changes the setting to the wanted value; empty if no setting helps."""
        return command(self.setting, self.wanted) if self.setting else ""

    @property
    def why(self) -> str:
        """The reason for the advice as text: the limit, its present value, and what happens without the change."""
        found = self.found
        limit = found.limit
        if not self.setting:
            return f"{limit.name} ({found.standing}): {replace(found, settings={}).sentence()}"
        needed = "" if found.need is None else f", but {amount(found.need, limit)} is needed"
        otherwise = f"; otherwise {limit.symptom.pattern}" if limit.symptom.pattern else ""
        return f"{limit.name} ({found.standing}): {self.setting} is {self.now or 'unknown'}{needed}{otherwise}"


def advice_of(preflight: Preflight) -> list[Advice]:
    """Return which settings to change for every limit that is tight or stops the run. No advice lowers a setting."""
    return once(each for found in (*preflight.stops, *preflight.tight) for each in advised(found, preflight.fleet.hosts))


def once(advice: Iterable[Advice]) -> list[Advice]:
    """Return one advice for each setting of each place: the one with the highest value that a limit needs."""
    made: dict[tuple[str, str], Advice] = {}
    for each in advice:
        key = (each.place, each.setting or each.found.limit.name)
        made[key] = greater(made[key], each) if key in made else each
    return list(made.values())


def advised(found: Assessment, hosts: Mapping[str, Host]) -> Iterator[Advice]:
    """Yield an advice for each setting to raise for one limit; a single one without a setting if none would change."""
    changed = False
    for setting, value in found.settings.items():
        node = writer(setting, found.nodes, hosts)
        host = hosts[node]
        now = host.facts.get(setting, "") if setting in SYSCTLS else str(found.value)
        try:
            wanted = raised(setting, now, value) if setting in TUNABLE else value
        except ValueError:  # the present value is unknown or no number, so there is no command to paste
            now, wanted = "", value
        if wanted != now:
            changed = True
            yield Advice(found, node, place_of(setting, node, host), setting, now, wanted)
    if not changed:
        yield Advice(found, found.nodes[0], found.nodes[0])


def writer(setting: str, nodes: Sequence[str], hosts: Mapping[str, Host]) -> str:
    """Return the name of the node that should write a setting of the place that the given nodes share.

    Nodes that can read the setting come first, and of those the ones that allow tuning.
    """
    return min(nodes, key=lambda name: (setting not in hosts[name].facts, not hosts[name].tunable))


def place_of(setting: str, node: str, host: Host) -> str:
    """Return the id of the place to which a setting belongs: the node's name, or the id of its namespace or its host."""
    if setting not in SYSCTLS:
        return node
    return host.namespace if SYSCTLS[setting] is SysctlScope.NAMESPACE else host.boot_id


def greater(one: Advice, other: Advice) -> Advice:
    """Return the one of two pieces of advice on the same setting that asks for the higher value.

    It is the first if values of the setting cannot be compared.
    """
    if one.setting not in TUNABLE:
        return one
    more = raised(one.setting, one.wanted, other.wanted)
    return replace(one if one.wanted == more else other, wanted=more)


def by_nodes(advice: Sequence[Advice]) -> dict[tuple[str, ...], list[Advice]]:
    """Return the advice grouped by the nodes that share the place of the limit, in order."""
    grouped: dict[tuple[str, ...], list[Advice]] = {}
    for each in advice:
        grouped.setdefault(each.found.nodes, []).append(each)
    return grouped


def script(total: int, advice: Sequence[Advice]) -> list[str]:
    """Return lines of shell commands with comments that make all advised changes, for people to read and paste."""
    if not advice:
        return [f"# nothing to tune for {total:,} connections: no known limit is tight"]
    lines = []
    for nodes, group in by_nodes(advice).items():
        lines.append(f"# on {several(nodes)}")
        for each in group:
            lines += [f"# {each.why}", *([each.command] if each.setting else [])]
        lines.append("")
    return lines[:-1]


def changed(node: str, change: Change) -> str:
    """Return a line of text that says whether a node changed a setting, with the values before and after."""
    if change.reason:
        return f"{node}: {change.name} is {change.after or 'unknown'}, but {change.wanted} was wanted: {change.reason}"
    if change.before == change.after:
        return f"{node}: {change.name} is already {change.after}"
    return f"{node}: {change.name} was {change.before} and is {change.after}"


def advice_summary(each: Advice) -> AdviceSummary:
    """Return an advice in short."""
    found = each.found
    return AdviceSummary(
        nodes=found.nodes,
        limit=found.limit.name,
        standing=str(found.standing),
        need=found.need,
        unit=found.limit.unit,
        setting=each.setting,
        now=each.now,
        wanted=each.wanted,
        command=each.command,
        tunable=each.is_tunable,
        why=each.why,
    )


def change_summary(node: str, change: Change) -> ChangeSummary:
    """Return a change in short."""
    return ChangeSummary(node, change.name, change.before, change.wanted, change.after, change.reason)
