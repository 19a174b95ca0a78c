"""Finds the processes that serve a port, and the descendants of a process."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping

from .host import read_text

# A server opens its listeners first, so looking at the lowest descriptors is enough. Listing all of them would leave an inode
# and a dentry in the slab for each: 900 MB for a server with a million connections.
DESCRIPTORS_LOOKED_AT = 256


def processes() -> list[int]:
    """Return the ids of all processes in this PID namespace."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def holders(inodes: Collection[int]) -> list[int]:
    """Return the ids of the processes that have one of these socket inodes among their first descriptors.

    Only root finds the processes of other users.
    """
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return [pid for pid in processes() if holds(pid, wanted)]


def holds(pid: int, wanted: Collection[str]) -> bool:
    """Return whether one of the first descriptors of a process links to a name in ``wanted``, such as "socket:[123]"."""
    for descriptor in range(DESCRIPTORS_LOOKED_AT):
        try:
            if os.readlink(f"/proc/{pid}/fd/{descriptor}") in wanted:
                return True
        except FileNotFoundError:
            continue
        except OSError:
            return False  # the process is gone, or belongs to another user
    return False


def family_of(pid: int) -> list[int]:
    """Return the ids of a process and all of its current descendants. The list is empty if the process does not exist."""
    parents = {each: parent for each in processes() if (parent := parent_of(each)) is not None}
    return descendants(pid, parents) if pid in parents else []


def descendants(pid: int, parents: Mapping[int, int]) -> list[int]:
    """Return ``pid`` and all of its descendants, nearest first, from a map of process to parent."""
    found = [pid]
    for ancestor in found:
        found += [child for child, parent in parents.items() if parent == ancestor and child not in found]
    return found


def parent_of(pid: int) -> int | None:
    """Return the id of a process's parent, or None if the process is gone."""
    return parse_parent(read_text(f"/proc/{pid}/stat") or "")


def parse_parent(stat: str) -> int | None:
    """Return the parent's process id in the text of /proc/PID/stat.

    None for text of another form, such as that of a process that is gone.
    """
    found = re.match(r" [A-Za-z] ([0-9]{1,10}) ", stat.rpartition(")")[2])
    return int(found[1]) if found else None
