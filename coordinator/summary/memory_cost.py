"""What a connection costs in memory on one machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .units import Bytes, BytesEach, Count, Number, Percent


@dataclass(frozen=True, slots=True)
class CacheCost:
    """One slab cache's part of the cost of a connection."""

    name: Annotated[str, "The cache."]
    merged_with: Annotated[tuple[str, ...], "Caches that the kernel merged into it."]
    role: Annotated[str, "What it holds for a connection; empty: nothing that is known by name."]
    objects_per_connection: Annotated[Number, "Objects of the cache for each connection."]
    object_bytes: Annotated[Bytes, "The size of an object."]
    bytes_per_connection: Annotated[BytesEach, "Pages of the cache for each connection, so free objects are included."]


@dataclass(frozen=True, slots=True)
class MemoryCost:
    """Memory of one connection on one machine. None is unknown, and ``unknown`` says why."""

    connections: Annotated[Count | None, "Connections that were established while the last reading was taken."] = None
    sockets_per_connection: Annotated[Number | None, "Sockets of a connection on this machine."] = None
    other_sockets: Annotated[
        Count | None, "Sockets that other programs opened here since before the run; negative: closed."
    ] = None
    slab_bytes_per_socket: Annotated[BytesEach | None, "Kernel memory of a socket."] = None
    slab_bytes_per_connection: Annotated[BytesEach | None, "Kernel memory of a connection."] = None
    explained_percent: Annotated[Percent | None, "Share of the kernel memory in caches whose role is known."] = None
    pinned_bytes_per_connection: Annotated[
        BytesEach | None, "Kernel memory that counts as reclaimable, but is not while the socket is open."
    ] = None
    user_bytes_per_connection: Annotated[BytesEach | None, "Growth of the processes that hold the connections."] = None
    bytes_per_connection: Annotated[BytesEach | None, "Kernel and user memory of a connection."] = None
    tcp_mem_pages: Annotated[Count | None, "Pages of data that waits in sockets, beyond those of before the run."] = None
    artefact_bytes: Annotated[
        BytesEach, "Kernel memory caused by programs that list descriptors. It is no part of the other figures."
    ] = 0.0
    caches: Annotated[tuple[CacheCost, ...], "The cost by slab cache, the dearest first."] = ()
    unknown: Annotated[tuple[str, ...], "Why figures are unknown."] = ()
