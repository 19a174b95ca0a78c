"""The bill: what a connection costs in memory, as people read it, and beside the experiment that c1m grew out of."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from c1m.text.units import format_bytes

OTHERS_SHARE = 0.02  # of the run's own sockets; fewer of others' are not worth a sentence
ENDS = 1.5  # sockets of a connection, from which on both ends are here

# A server with 3.9 GB and 1,000,024 ESTABLISHED connections, accepted by blocking calls and in no epoll; Slab is meminfo's.
# slabtop showed a million of each of these caches. Its kernel and its objects' sizes were not written down. (PEERS.md 1)
SEED_CONNECTIONS = 1_000_024
SEED_SLAB_BYTES = 3_241_244 * 1024
SEED_CACHES = ("TCP", "sock_inode_cache", "dentry", "filp")

LEAST_SHARE = 0.001  # of a connection's kernel memory; caches below it are told in one row


def bill(summary: dict[str, Any]) -> list[RenderableType]:
    shown: list[RenderableType] = []
    for node in holders(summary):
        shown += memory(node, summary["environment"].get(node["node"], {}).get("sysctls", {}))
        if node["memory"]["slab_bytes_per_socket"] is not None:
            shown += ["", beside_seed(summary, node)]
    return shown


def holders(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Whose memory people ask for: the target's. Where there is none to ask, the workers'."""
    return [summary["target"]] if summary["target"] else summary["workers"]


def memory(node: dict[str, Any], sysctls: dict[str, str]) -> list[RenderableType]:
    """What a connection costs on a node's machine: a sentence, and a table by cache."""
    cost = node["memory"]
    unknown = [escape(f"{node['node']}: unknown: {reason}") for reason in cost["unknown"]]
    if cost["slab_bytes_per_connection"] is None:
        return [*unknown]
    sentences = [f"\n{escape(node['node'])}: {memory_sentence(cost)}", *others(cost), *waiting(node, sysctls), *unknown]
    return [*sentences, *([caches(cost)] if cost["caches"] else [])]


def others(cost: dict[str, Any]) -> list[str]:
    """Sockets that are not the run's: they are in the machine's slab, and not in what a connection costs."""
    came, own = cost["other_sockets"], cost["sockets_per_connection"] * cost["connections"]
    if not came or abs(came) < OTHERS_SHARE * own:
        return []
    did = "opened" if came > 0 else "closed"
    return [f"others on this machine {did} {abs(came):,} TCP sockets meanwhile; only the run's own are counted above"]


def waiting(node: dict[str, Any], sysctls: dict[str, str]) -> list[str]:
    """Socket memory that is no slab: unread bytes, unsent ones, and a page for each FIN that nobody has taken note of."""
    pages = node["memory"]["tcp_mem_pages"]
    if not pages or pages < 0:
        return []
    limits = sysctls.get("net.ipv4.tcp_mem", "unknown")
    return [f"data waits in {pages:,} pages of its sockets; net.ipv4.tcp_mem is {limits} (enough, pressure, no more)"]


def memory_sentence(cost: dict[str, Any]) -> str:
    ends = "one end" if cost["sockets_per_connection"] < ENDS else "both ends"
    told = f"a connection costs {cost['slab_bytes_per_connection']:,.0f} B of kernel memory here ({ends})"
    if cost["user_bytes_per_connection"] is not None:
        told += f" and {cost['user_bytes_per_connection']:,.0f} B of its processes' memory"
    if cost["caches"]:
        explained = cost["explained_percent"]
        by_name = "it is unknown how much of the kernel's" if explained is None else f"{explained:.1f} % of the kernel's"
        told += (
            f"; {by_name} is explained by name; {cost['pinned_bytes_per_connection']:,.0f} B count as reclaimable and are "
            f"not; {format_bytes(cost['artefact_bytes'])} of slab left by listings of descriptors are not counted"
        )
    return told


def caches(cost: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("cache", "objects", "bytes each", "a connection", "what it is"):
        table.add_column(column, justify="left" if column in ("cache", "what it is") else "right", overflow="fold")
    least = LEAST_SHARE * abs(cost["slab_bytes_per_connection"])
    told = [cache for cache in cost["caches"] if abs(cache["bytes_per_connection"]) >= least]
    for cache in told:
        table.add_row(
            escape(cache["name"]),
            f"{cache['objects_per_connection']:.2f}",
            f"{cache['object_bytes']:,}",
            f"{cache['bytes_per_connection']:,.0f} B",
            escape(cache["role"] or "no part of a connection, by its name"),
        )
    if left := [cache["bytes_per_connection"] for cache in cost["caches"] if cache not in told]:
        table.add_row(f"{len(left)} more", "", "", f"{sum(left):,.0f} B", "in the summary as JSON")
    return table


def beside_seed(summary: dict[str, Any], node: dict[str, Any]) -> Table:
    """One end of a connection here and there."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("one end of a connection", "this run", "an experiment without c1m"):
        table.add_column(column, justify="left" if column == "one end of a connection" else "right", overflow="fold")
    cost = node["memory"]
    each, sockets = cost["slab_bytes_per_socket"], round(cost["sockets_per_connection"] * cost["connections"])
    found = {cache["name"]: cache for cache in cost["caches"]}
    kernel = summary["environment"].get(node["node"], {}).get("kernel", "unknown")
    table.add_row("kernel", escape(kernel), "unknown")
    table.add_row("sockets", f"{sockets:,}", f"{SEED_CONNECTIONS:,}")
    table.add_row("slab", format_bytes(each * sockets), format_bytes(SEED_SLAB_BYTES))
    table.add_row("slab, a socket", f"{each:,.0f} B", f"{SEED_SLAB_BYTES / SEED_CONNECTIONS:,.0f} B")
    for name in SEED_CACHES:
        table.add_row(f"{name}, a socket", objects(found.get(name), cost["sockets_per_connection"]), "1.0")
    return table


def objects(cache: dict[str, Any] | None, sockets_per_connection: float) -> str:
    """How many a socket has, and how large they are."""
    if cache is None:
        return "unknown"
    return f"{cache['objects_per_connection'] / sockets_per_connection:.1f} of {cache['object_bytes']:,} B"
