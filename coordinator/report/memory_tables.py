"""Tables of what a connection costs in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from c1m.coordinator.summary.memory_cost import MemoryCost
from c1m.coordinator.summary.nodes import TargetSummary, WorkerSummary
from c1m.coordinator.summary.summary import Figures, Summary
from c1m.text.units import format_bytes

OTHERS_SHARE = 0.02  # of the run's own sockets; if others have opened fewer, there is no sentence
ENDS = 1.5  # sockets for each connection; from here on both ends are on this machine

MOST_NODES = 10  # workers whose memory is shown

LEAST_SHARE = 0.001  # of a connection's kernel memory; caches below it share one row


def memory_of_nodes(summary: Summary) -> list[RenderableType]:
    """Return the sentences and tables on what a connection costs in memory, for the target or, without one, for each worker."""
    shown: list[RenderableType] = []
    nodes = holders(summary.figures)
    for node in nodes[:MOST_NODES]:
        host = summary.environment.get(node.node)
        shown += memory(node, host.sysctls if host else {})
    left = len(nodes) - MOST_NODES
    return [*shown, f"memory on {left:,} more workers: see --json"] if left > 0 else shown


def holders(figures: Figures) -> Sequence[WorkerSummary | TargetSummary]:
    """Return the entries of a run's summary for the nodes whose memory is shown: the target; without one, the workers."""
    return [figures.target] if figures.target else figures.workers


def memory(node: WorkerSummary | TargetSummary, sysctls: Mapping[str, str]) -> list[RenderableType]:
    """Return sentences and a table by slab cache on what a connection costs in memory on one node's machine."""
    cost = node.host.memory
    unknown = [escape(f"{node.node}: unknown: {reason}") for reason in cost.unknown]
    if cost.slab_bytes_per_connection is None:
        return [*unknown]
    sentences = [f"\n{escape(node.node)}: {memory_sentence(cost)}", *others(cost), *waiting(cost, sysctls), *unknown]
    return [*sentences, *([caches(cost)] if cost.caches else [])]


def others(cost: MemoryCost) -> list[str]:
    """Return a sentence on TCP sockets that other programs on the machine opened or closed during the run.

    The machine's slab includes them, a connection's cost does not. The list is empty if they were few.
    """
    came, own = cost.other_sockets, (cost.sockets_per_connection or 0.0) * (cost.connections or 0)
    if not came or abs(came) < OTHERS_SHARE * own:
        return []
    did = "opened" if came > 0 else "closed"
    return [f"other programs on this machine {did} {abs(came):,} TCP sockets meanwhile; only the run's own are counted above"]


def waiting(cost: MemoryCost, sysctls: Mapping[str, str]) -> list[str]:
    """Return a sentence on the memory of data that waits in the node's sockets; the list is empty if there is none.

    This memory is outside the slab: unread and unsent bytes, and a page for each FIN that the program has not handled.
    """
    pages = cost.tcp_mem_pages
    if not pages or pages < 0:
        return []
    limits = sysctls.get("net.ipv4.tcp_mem", "unknown")
    return [f"data waits in {pages:,} pages of its sockets; net.ipv4.tcp_mem is {limits} (enough, pressure, no more)"]


def memory_sentence(cost: MemoryCost) -> str:
    """Return a sentence on how many bytes of kernel and user memory a connection costs, and how much of them is explained."""
    ends = "one end" if (cost.sockets_per_connection or 0.0) < ENDS else "both ends"
    sentence = f"a connection costs {cost.slab_bytes_per_connection or 0.0:,.0f} B of kernel memory here ({ends})"
    if cost.user_bytes_per_connection is not None:
        sentence += f" and {cost.user_bytes_per_connection:,.0f} B of its processes' memory"
    if cost.caches:
        explained = cost.explained_percent
        by_name = "it is unknown how much of the kernel's" if explained is None else f"{explained:.1f} % of the kernel's"
        sentence += (
            f"; {by_name} is explained by name; {cost.pinned_bytes_per_connection or 0.0:,.0f} B count as reclaimable and are "
            f"not; {format_bytes(cost.artefact_bytes)} of slab left by listings of descriptors are not counted"
        )
    return sentence


def caches(cost: MemoryCost) -> Table:
    """Return a table of what a connection costs in each slab cache of the kernel. Small caches share its last row."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("cache", "objects", "bytes each", "a connection", "what it is"):
        table.add_column(column, justify="left" if column in ("cache", "what it is") else "right", overflow="fold")
    least = LEAST_SHARE * abs(cost.slab_bytes_per_connection or 0.0)
    large = [cache for cache in cost.caches if abs(cache.bytes_per_connection) >= least]
    for cache in large:
        table.add_row(
            escape(cache.name),
            f"{cache.objects_per_connection:.2f}",
            f"{cache.object_bytes:,}",
            f"{cache.bytes_per_connection:,.0f} B",
            escape(cache.role or "no part of a connection, by its name"),
        )
    if left := [cache.bytes_per_connection for cache in cost.caches if cache not in large]:
        table.add_row(f"{len(left)} more", "", "", f"{sum(left):,.0f} B", "in the summary as JSON")
    return table
