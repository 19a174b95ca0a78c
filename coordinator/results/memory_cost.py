"""What a connection costs on one machine, computed from its readings: kernel and user memory, by slab cache. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from c1m.coordinator.ledger.readings import HostReadings
from c1m.coordinator.summary.memory_cost import CacheCost, MemoryCost

# Kernel objects that each connection owns. Sizes and cache names differ between kernels; the list does not.
ROLES: Mapping[str, str] = {
    "TCP": "socket",
    "TCPv6": "socket",
    "sock_inode_cache": "inode of the socket",
    "dentry": "name of the inode",
    "filp": "open file",
    "lsm_inode_cache": "security label of the inode",
    "lsm_file_cache": "security label of the file",
    "tcp_bind_bucket": "local port",
    "tcp_bind2_bucket": "local address and port",
    "eventpoll_epi": "entry in an epoll",
    "eventpoll_pwq": "place of that entry in the socket's wait queue",
    "ep_head": "list of epolls that the file is in",
    "request_sock_TCP": "handshake",
    "tw_sock_TCP": "TIME_WAIT",
    "nf_conntrack": "entry in the firewall's table of connections",
}
# A connection's part of kmalloc: the vectors that say which cgroup owns each of its objects (slabobj_ext, 8 bytes each).
KMALLOC = re.compile(r"kmalloc-(?:cg-|rcl-|dma-|rnd-\d\d-)?\d+[kM]?")
KMALLOC_ROLE = "owners (cgroups) of the other objects"

PINNED = ("sock_inode_cache", "dentry")  # the kernel counts them as reclaimable, which they are not while the socket is open
UNTOLD = "/proc/slabinfo needs root"
LEAST_BYTES = 0.5  # per connection; cheaper caches are left out


def cost(
    history: HostReadings,
    connections: int | None,
    merged: Mapping[str, tuple[str, ...]],
    ends: float | None = None,
    hidden: str = "",
) -> MemoryCost:
    """Return the cost of one connection.

    ``connections``: established while the last reading was taken. ``merged``: cache -> all names of the caches that the
    kernel merged into it. ``ends``: sockets of a connection on this machine; None: derived from all of the machine's new
    sockets, which may include those of other programs. ``hidden``: why the node cannot read slabinfo; empty: not told.
    """
    per_socket, sockets = history.slab.slope, history.sockets
    if not connections or not sockets or sockets < 0 or per_socket is None:
        return MemoryCost(unknown=("kernel memory: " + why_unknown(history, connections),))
    each = sockets / connections if ends is None else ends
    caches = tuple(sorted(cache_costs(history, each, merged), key=lambda cache: (-cache.bytes_per_connection, cache.name)))
    slab = per_socket * each
    user = history.user_bytes / connections if history.user_bytes is not None else None
    by_name = sum(cache.bytes_per_connection for cache in caches if cache.role)
    return MemoryCost(
        connections=connections,
        sockets_per_connection=each,
        other_sockets=None if ends is None else sockets - round(connections * ends),
        slab_bytes_per_socket=per_socket,
        slab_bytes_per_connection=slab,
        explained_percent=100 * by_name / slab if caches and slab > 0 else None,
        pinned_bytes_per_connection=sum(cache.bytes_per_connection for cache in caches if cache.name in PINNED)
        if caches
        else None,
        user_bytes_per_connection=user,
        bytes_per_connection=slab + user if user is not None else None,
        tcp_mem_pages=history.grew("tcp_mem_pages"),
        artefact_bytes=history.artefact_bytes,
        caches=caches,
        unknown=() if caches else (f"kernel memory by cache, and what other programs added to it: {hidden or UNTOLD}",),
    )


def why_unknown(history: HostReadings, connections: int | None) -> str:
    """Return a text on why the kernel memory of a connection is unknown."""
    if history.last is None:
        return "the node sent no reading of its host"
    if history.last.slab_bytes is None or history.last.sockets is None:
        return "/proc/meminfo or /proc/net/sockstat cannot be read"
    if not connections:
        return "no connection was established at the last reading, at the end of the hold"
    return "the machine has no more TCP sockets than before the run: it was read only once, or other programs closed theirs"


def cache_costs(history: HostReadings, sockets_per_connection: float, merged: Mapping[str, tuple[str, ...]]) -> list[CacheCost]:
    """Return the memory cost of a connection in each slab cache that changed by at least LEAST_BYTES a connection."""
    assert history.last is not None
    found = []
    for name, line in history.page_bytes.items():
        slope, objects = line.slope, history.objects[name].slope if name in history.objects else 0.0
        if slope is None or objects is None or abs(slope * sockets_per_connection) < LEAST_BYTES:
            continue
        names = merged.get(name, (name,))
        cache = history.last.caches.get(name)
        found.append(
            CacheCost(
                name=name,
                merged_with=tuple(other for other in names if other != name),
                role=role_of(names),
                objects_per_connection=objects * sockets_per_connection,
                object_bytes=cache.object_bytes if cache else 0,
                bytes_per_connection=slope * sockets_per_connection,
            )
        )
    return found


def role_of(names: tuple[str, ...]) -> str:
    """Return a text on what a slab cache with these names holds for a connection; empty if that is not known."""
    roles = [ROLES[name] for name in names if name in ROLES]
    if any(KMALLOC.fullmatch(name) for name in names):
        roles.append(KMALLOC_ROLE)
    return ", ".join(dict.fromkeys(roles))
