"""What nodes and hosts are at, for a moment of the time line: each by itself as long as they are few. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from .node_record import NodeRecord
from .timeline import HostState, NodeState

EACH = 10  # hosts, and as many nodes, that have columns of their own on the time line; more are added up


def node_states(workers: Sequence[NodeRecord], target: NodeRecord | None) -> dict[str, NodeState]:
    there = {entry.name: entry.node_state for entry in workers if not entry.lost}
    if len(workers) > EACH:
        pss_bytes = sum_known(state.pss_bytes for state in there.values())
        there = {f"{len(workers)} workers": NodeState(sum(s.cpu_seconds for s in there.values()), pss_bytes)}
    if target and not target.lost:
        there[target.name] = target.node_state
    return there


def host_states(workers: Sequence[NodeRecord], target: NodeRecord | None) -> dict[str, HostState]:
    """By the names of the nodes that are there; the target's host always has its own."""
    nodes: dict[str, list[NodeRecord]] = {}
    for entry in [*([target] if target else []), *reversed(workers)]:
        nodes.setdefault(entry.host or entry.name, []).append(entry)
    found = {title(there): state for there in nodes.values() if (state := first_known(there))}
    if len(nodes) <= EACH:
        return found
    apart = title(next(iter(nodes.values()))) if target else ""
    rest = [state for name, state in found.items() if name != apart]
    others = f"{len(nodes) - bool(target)} other hosts"
    return {name: state for name, state in found.items() if name == apart} | {others: together(rest)}


def title(entries: Sequence[NodeRecord]) -> str:
    names = [entry.name for entry in entries]
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more"


def first_known(entries: Sequence[NodeRecord]) -> HostState | None:
    return next((state for entry in entries if not entry.lost and (state := entry.host_state)), None)


def together(states: Sequence[HostState]) -> HostState:
    """Several machines as one: what all of them know, added up."""
    return HostState(
        readings=sum(state.readings for state in states),
        sockets=sum_known(state.sockets for state in states),
        slab_bytes=sum_known(state.slab_bytes for state in states),
        levels=sum_maps(state.levels for state in states),
        counters=sum_maps(state.counters for state in states),
    )


def sum_known(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def sum_maps(mappings: Iterable[Mapping[str, int]]) -> dict[str, int]:
    added: Counter[str] = Counter()
    for mapping in mappings:
        added.update(mapping)
    return dict(added)
