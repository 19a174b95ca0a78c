"""Which processes serve a port, and which descend from one."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping

from .host import read_text

# A server opens its listeners first. Listing all descriptors instead would leave an inode and a dentry in the slab for
# each: 900 MB for a server with a million connections.
DESCRIPTORS_LOOKED_AT = 256


def processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def holders(inodes: Collection[int]) -> list[int]:
    """Processes that have one of these sockets among their first descriptors; those of other users need root."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return [pid for pid in processes() if holds(pid, wanted)]


def holds(pid: int, wanted: Collection[str]) -> bool:
    for descriptor in range(DESCRIPTORS_LOOKED_AT):
        try:
            if os.readlink(f"/proc/{pid}/fd/{descriptor}") in wanted:
                return True
        except FileNotFoundError:
            continue
        except OSError:
            return False  # gone, or not ours to look at
    return False


def family_of(pid: int) -> list[int]:
    """A process and all its descendants, as they are now; empty when there is no such process."""
    parents = {each: parent for each in processes() if (parent := parent_of(each)) is not None}
    return descendants(pid, parents) if pid in parents else []


def descendants(pid: int, parents: Mapping[int, int]) -> list[int]:
    """``pid``, and whoever has it as an ancestor, nearest first."""
    found = [pid]
    for ancestor in found:
        found += [child for child, parent in parents.items() if parent == ancestor and child not in found]
    return found


def parent_of(pid: int) -> int | None:
    """None when the process is gone."""
    return parse_parent(read_text(f"/proc/{pid}/stat") or "")


def parse_parent(stat: str) -> int | None:
    """The parent in /proc/PID/stat; None for text of another form, as a process leaves that is gone."""
    found = re.match(r" [A-Za-z] ([0-9]{1,10}) ", stat.rpartition(")")[2])
    return int(found[1]) if found else None
