"""Room: how many connections the memory of the hosts holds. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from c1m.ends import MEMORY_MARGIN, TARGET_END, WORKER_END
from c1m.units import format_bytes

from .capacity import TargetFacts, WorkerFacts
from .shares import fill


def usable_by_host(workers: Sequence[WorkerFacts], target: TargetFacts) -> dict[str, int]:
    """Bytes that connections may take; a host that does not say is absent. Of nodes on one host the least counts."""
    usable: dict[str, int] = {}
    nodes: list[WorkerFacts | TargetFacts] = [*workers, *([] if target.is_endpoint else [target])]
    for node in nodes:
        if node.memory_available_bytes is not None:
            mine = int(node.memory_available_bytes * (1 - MEMORY_MARGIN))
            usable[node.host] = min(mine, usable.get(node.host, mine))
    return usable


def within_memory(total: int, workers: Sequence[WorkerFacts], capacities: Sequence[int], target: TargetFacts) -> Sequence[int]:
    """The workers' capacities, cut to what their hosts hold beside the target's end; nothing where that alone is too much."""
    left = usable_by_host(workers, target)
    if not target.is_endpoint and target.host in left:
        left[target.host] -= total * TARGET_END
        if left[target.host] < 0:
            return [0] * len(capacities)
    cut = list(capacities)
    for host, room in left.items():
        indexes = [index for index, worker in enumerate(workers) if worker.host == host]
        own = [capacities[index] for index in indexes]
        for index, share in zip(indexes, fill(min(room // WORKER_END, sum(own)), own), strict=True):
            cut[index] = share
    return cut


def largest(total: int, fits: Callable[[int], bool]) -> int:
    """The largest number below ``total`` that fits, where all smaller ones do as well; 0 fits always."""
    low, high = 0, total
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def shortage(total: int, workers: Sequence[WorkerFacts], capacities: Sequence[int], target: TargetFacts, most: int) -> str:
    """Which host has too little memory for its even part of the total, and the cure. ``most`` would fit."""
    needs: dict[str, int] = defaultdict(int)
    names: dict[str, list[str]] = defaultdict(list)
    for worker, share in zip(workers, fill(total, capacities), strict=True):
        needs[worker.host] += share * WORKER_END
        names[worker.host].append(worker.name)
    if not target.is_endpoint:
        needs[target.host] += total * TARGET_END
        names[target.host].append(target.name)
    usable = usable_by_host(workers, target)
    host = max(usable, key=lambda each: needs[each] - usable[each])
    return (
        f"the host of {' and '.join(names[host])} has {format_bytes(usable[host])} of memory for connections, and its part of "
        f"{total:,} needs {format_bytes(needs[host])}; ask for at most {most:,}, or add memory or hosts"
    )
