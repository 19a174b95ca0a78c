"""Reads how much memory is available to connections: what the host has left, and what our cgroup still allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .cgroup import own_directories
from .host import read_int, read_text

_LIMIT_AND_USAGE: Final = (
    ("memory.max", "memory.current"),  # cgroup v2
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),  # v1
)

# cgroup v1 shows "no limit" as LONG_MAX rounded down to a page (mm/page_counter.c). No real limit is that large.
_NO_LIMIT: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class MemoryState:
    """The host's memory, in bytes.

    ``available_bytes`` is MemFree + Active(file) + Inactive(file), not the kernel's MemAvailable. MemAvailable adds the
    reclaimable slab, which contains inodes and dentries: some 1,050 bytes of each open socket that cannot be reclaimed
    until the socket is closed. At 10 million sockets MemAvailable promises 10 GB that do not exist. Neither figure is
    exact: ours still includes the kernel's own reserve (under 1 %) and page cache in use.
    """

    total_bytes: int
    available_bytes: int
    slab_bytes: int


def parse_meminfo(text: str) -> dict[str, int]:
    """Parse /proc/meminfo into {name: bytes}. Raises ValueError for a line of another form.

    Fields without a unit, such as HugePages_Total, are counts.
    """
    fields: dict[str, int] = {}
    for line in text.splitlines():
        found = re.fullmatch(r"(\S+):\s+([0-9]{1,18})( kB)?\s*", line)
        if not found:
            raise ValueError(f"{line!r} is not a line of meminfo, which looks like 'MemFree:  24578120 kB'")
        fields[found[1]] = int(found[2]) * (1024 if found[3] else 1)
    return fields


def memory_state(fields: Mapping[str, int]) -> MemoryState:
    """Return the memory state that the fields of meminfo describe. Raises ValueError if a field is missing."""
    try:
        return MemoryState(
            total_bytes=fields["MemTotal"],
            available_bytes=fields["MemFree"] + fields["Active(file)"] + fields["Inactive(file)"],
            slab_bytes=fields["Slab"],
        )
    except KeyError as missing:
        raise ValueError(f"meminfo has no {missing}, which every kernel since 2.6.28 writes") from None


def read_meminfo() -> dict[str, int] | None:
    """Return the fields of /proc/meminfo now, in bytes. None if it cannot be read."""
    text = read_text("/proc/meminfo")
    return None if text is None else parse_meminfo(text)


def read_memory() -> MemoryState | None:
    """Return the host's total, available and slab memory now, in bytes. None if /proc/meminfo cannot be read."""
    fields = read_meminfo()
    return None if fields is None else memory_state(fields)


def available_bytes() -> int | None:
    """Return the bytes that this process can still allocate: the least that the host and the cgroups allow. None if unknown."""
    known = [state.available_bytes for state in (read_memory(), read_cgroup_memory()) if state]
    return min(known, default=None)


@dataclass(frozen=True, slots=True)
class CgroupMemory:
    """A memory cgroup that has a limit, in bytes. Usage and page cache include those of child cgroups.

    A cgroup is charged only for part of what connections cost. On cgroup v1 the kernel allocates the socket of an accepted
    connection in softirq context and charges it to no cgroup.
    """

    limit_bytes: int
    usage_bytes: int
    inactive_file_bytes: int

    @property
    def available_bytes(self) -> int:
        """The bytes left below a memory cgroup's limit once the kernel has dropped inactive page cache; at least 0."""
        return max(0, self.limit_bytes - self.usage_bytes + self.inactive_file_bytes)


def read_cgroup_memory() -> CgroupMemory | None:
    """Return the limit and usage of the memory cgroup with the least room among this process's own and its ancestors.

    None if no limit is visible. A container sees only its own cgroup and those below, not limits further up.
    """
    levels = [read_level(directory) for directory in own_directories("memory")]
    return min((level for level in levels if level), key=lambda level: level.available_bytes, default=None)


def read_level(directory: str) -> CgroupMemory | None:
    """Return the limit and usage of one memory cgroup of either version, in bytes.

    None if it has no limit, as the root cgroup, or is unreadable.
    """
    for limit_name, usage_name in _LIMIT_AND_USAGE:
        limit = read_text(f"{directory}/{limit_name}")
        usage_bytes = read_int(f"{directory}/{usage_name}")
        limit_bytes = parse_limit(limit) if limit else None
        if limit_bytes is not None and usage_bytes is not None:
            stat = read_text(f"{directory}/memory.stat") or ""
            return CgroupMemory(limit_bytes, usage_bytes, parse_inactive_file(stat))
    return None


def parse_limit(text: str) -> int | None:
    """Return the bytes of a memory limit from the text of memory.max or memory.limit_in_bytes.

    None for no limit. Raises ValueError for any other text.
    """
    word = text.strip()
    if word == "max":
        return None
    if not re.fullmatch("[0-9]{1,20}", word):
        raise ValueError(f"{text!r} is not a memory limit, which is 'max' or a number of bytes")
    return int(word) if int(word) < _NO_LIMIT else None


def parse_inactive_file(stat: str) -> int:
    """Return the bytes of inactive page cache from the text of memory.stat, or 0 if they are not listed.

    cgroup v2 includes children in "inactive_file"; v1 reports that sum as "total_inactive_file".
    """
    found = dict(re.findall(r"^((?:total_)?inactive_file) ([0-9]{1,20})$", stat, re.MULTILINE))
    return int(found.get("total_inactive_file") or found.get("inactive_file") or 0)
