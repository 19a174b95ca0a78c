"""How much memory there is for connections: what the host has left, and what our cgroup is still allowed."""

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

# cgroup v1 says "no limit" as LONG_MAX rounded down to a page (mm/page_counter.c); nothing real comes near.
_NO_LIMIT: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class MemoryState:
    """The host's memory, in bytes.

    ``available_bytes`` is MemFree + Active(file) + Inactive(file), not the kernel's MemAvailable. That adds
    the reclaimable slab, and inodes and dentries are in there: some 1,050 bytes of each open socket, which
    nobody can reclaim until it is closed. At 10 million sockets MemAvailable promises 10 GB that do not
    exist. Neither figure is good to the last byte: ours still has the kernel's own reserve in it (under 1 %),
    and page cache in use.
    """

    total_bytes: int
    available_bytes: int
    slab_bytes: int


def parse_meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo as {name: bytes}. ValueError for a line of another form.

    Names without a unit are counts: HugePages_Total and its like.
    """
    fields: dict[str, int] = {}
    for line in text.splitlines():
        found = re.fullmatch(r"(\S+):\s+([0-9]{1,18})( kB)?\s*", line)
        if not found:
            raise ValueError(f"{line!r} is not a line of meminfo, which reads 'MemFree:  24578120 kB'")
        fields[found[1]] = int(found[2]) * (1024 if found[3] else 1)
    return fields


def memory_state(fields: Mapping[str, int]) -> MemoryState:
    """The state that meminfo's fields describe. ValueError if one is missing."""
    try:
        return MemoryState(
            total_bytes=fields["MemTotal"],
            available_bytes=fields["MemFree"] + fields["Active(file)"] + fields["Inactive(file)"],
            slab_bytes=fields["Slab"],
        )
    except KeyError as missing:
        raise ValueError(f"meminfo has no {missing}, which every kernel since 2.6.28 writes") from None


def read_meminfo() -> dict[str, int] | None:
    """The fields of /proc/meminfo now, in bytes; None when it cannot be read."""
    text = read_text("/proc/meminfo")
    return None if text is None else parse_meminfo(text)


def read_memory() -> MemoryState | None:
    """The host's memory now; None when /proc/meminfo cannot be read."""
    fields = read_meminfo()
    return None if fields is None else memory_state(fields)


def available_bytes() -> int | None:
    """What this process may still take: the least that host and cgroups leave it. None if unknown."""
    known = [state.available_bytes for state in (read_memory(), read_cgroup_memory()) if state]
    return min(known, default=None)


@dataclass(frozen=True, slots=True)
class CgroupMemory:
    """A memory cgroup with a limit, in bytes; usage and page cache are those of its children too.

    What connections cost is charged here only in part: on cgroup v1 the kernel allocates the socket of an
    accepted connection in softirq, and charges it to nobody.
    """

    limit_bytes: int
    usage_bytes: int
    inactive_file_bytes: int

    @property
    def available_bytes(self) -> int:
        """What is left below the limit once the page cache that nobody uses has been dropped."""
        return max(0, self.limit_bytes - self.usage_bytes + self.inactive_file_bytes)


def read_cgroup_memory() -> CgroupMemory | None:
    """The tightest of this process's memory cgroups and their ancestors; None if no limit is to be seen.

    A container sees only its own cgroup and those below: of limits further up it knows nothing.
    """
    levels = [read_level(directory) for directory in own_directories("memory")]
    return min((level for level in levels if level), key=lambda level: level.available_bytes, default=None)


def read_level(directory: str) -> CgroupMemory | None:
    """One cgroup of either version; None for no limit (a root has none) or an unreadable one."""
    for limit_name, usage_name in _LIMIT_AND_USAGE:
        limit = read_text(f"{directory}/{limit_name}")
        usage_bytes = read_int(f"{directory}/{usage_name}")
        limit_bytes = parse_limit(limit) if limit else None
        if limit_bytes is not None and usage_bytes is not None:
            stat = read_text(f"{directory}/memory.stat") or ""
            return CgroupMemory(limit_bytes, usage_bytes, parse_inactive_file(stat))
    return None


def parse_limit(text: str) -> int | None:
    """The bytes in memory.max or memory.limit_in_bytes; None for no limit. ValueError for anything else."""
    word = text.strip()
    if word == "max":
        return None
    if not re.fullmatch("[0-9]{1,20}", word):
        raise ValueError(f"{text!r} is not a memory limit, which is 'max' or a number of bytes")
    return int(word) if int(word) < _NO_LIMIT else None


def parse_inactive_file(stat: str) -> int:
    """Bytes of page cache not lately used, from memory.stat; 0 where it says nothing of it.

    v2 counts children in; v1 does so under another name, with "total_" before it.
    """
    found = dict(re.findall(r"^((?:total_)?inactive_file) ([0-9]{1,20})$", stat, re.MULTILINE))
    return int(found.get("total_inactive_file") or found.get("inactive_file") or 0)
