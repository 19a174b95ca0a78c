"""A reading: what one host's kernel said at one moment of a run. Pure; ``kernel.reader`` takes them.

A name that is absent from a mapping is unknown, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)  # a frozen one takes three times as long to make, and of a thousand hosts 200,000 come a second
class Cache:
    """One cache of equal kernel objects. Nobody changes one.

    ``objects`` are those in use. Some of them lie ready on a processor's own list (tens to hundreds), and empty slabs stay
    after a mass close, so that only growth means anything.
    """

    objects: int
    object_bytes: int
    full_bytes: float  # an object and its share of the unused end of its slab
    page_bytes: int  # all that the cache takes of memory, holes included; over all caches that is meminfo's Slab, nearly


@dataclass(frozen=True, slots=True)
class Reading:
    """``counters`` only rise, and were not zero when the run began; ``levels`` go up and down."""

    number: int  # of this run on this node, from 0, the one before anything was opened
    sockets: int | None  # TCP sockets of the whole machine: all network namespaces, both address families
    slab_bytes: int | None
    pss_bytes: int | None  # of the processes watched: the node's own, or the server's; the newest that was affordable
    caches: Mapping[str, Cache] = field(default_factory=dict)  # empty: slabinfo cannot be read
    counters: Mapping[str, int] = field(default_factory=dict)  # "ListenOverflows" -> events since boot
    levels: Mapping[str, int] = field(default_factory=dict)  # "tcp_mem_pages" -> now
    cost_seconds: float = 0.0  # CPU that all readings of this run have taken so far
    unknown: tuple[str, ...] = ()  # what could not be understood, a sentence each
