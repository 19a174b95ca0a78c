"""Finds the cgroups of a process, for cgroup v1 and v2, and the directories that hold their files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .host import read_int, read_text


def own_directories(controller: str) -> list[str]:
    """Return the cgroup directories of this process for one controller, its own cgroup first, then the ancestors.

    The list is empty if /proc does not show them.
    """
    cgroups, mounts = read_text("/proc/self/cgroup"), read_text("/proc/self/mountinfo")
    return [] if cgroups is None or mounts is None else directories(cgroups, mounts, controller)


@dataclass(frozen=True, slots=True)
class CgroupPids:
    """The limit and the usage of a pids cgroup, in threads. ``used`` includes the threads in child cgroups."""

    limit: int
    used: int


def read_cgroup_pids() -> CgroupPids | None:
    """Return the limit and usage of the pids cgroup, among this process's own and its ancestors, with the least room.

    None if no limit is visible.
    """
    return tightest_pids(own_directories("pids"))


def tightest_pids(where: Iterable[str]) -> CgroupPids | None:
    """Return the limit and usage of the pids cgroup with the least room among these directories, or None if none has a limit.

    Both cgroup versions use the same file names.
    """
    levels = []
    for directory in where:
        limit, used = read_int(f"{directory}/pids.max"), read_int(f"{directory}/pids.current")
        if limit is not None and used is not None:  # "max", for no limit, reads as None
            levels.append(CgroupPids(limit, used))
    return min(levels, key=lambda level: level.limit - level.used, default=None)


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo: the directory ``root`` of a file system is mounted at ``point``."""

    root: str
    point: str
    filesystem: str
    options: tuple[str, ...]


def parse_cgroups(text: str) -> dict[str, str]:
    """Parse /proc/PID/cgroup into {controller: path}.

    The path of cgroup v2 has the key "". Raises ValueError for another form.
    """
    paths: dict[str, str] = {}
    for line in _lines(text):
        found = re.fullmatch(r"[0-9]+:([^:]*):(/.*)", line, re.DOTALL)
        if not found:
            raise ValueError(f"{line!r} is not a line of /proc/PID/cgroup, which looks like '4:memory:/a'")
        paths.update(dict.fromkeys(found[1].split(","), found[2]))
    return paths


def parse_mountinfo(text: str) -> list[Mount]:
    """Return the mounts in the text of /proc/PID/mountinfo, one for each line. Raises ValueError for a line of another form."""
    return [_mount(line) for line in _lines(text)]


def _mount(line: str) -> Mount:
    # ID, parent, device, root, point, options, any number of tags, "-", file system, source, its own options
    place, dash, what = line.partition(" - ")
    where, kind = place.split(" "), what.split(" ")
    if not dash or len(where) < 6 or len(kind) < 3:
        raise ValueError(f"{line!r} is not a line of mountinfo, which looks like '35 31 0:32 / /sys rw - sysfs none rw'")
    return Mount(_unescaped(where[3]), _unescaped(where[4]), kind[0], tuple(kind[2].split(",")))


def _unescaped(path: str) -> str:
    r"""Decode octal escapes: the kernel writes a blank in a path as \040."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), path)


def _lines(text: str) -> list[str]:
    # Not splitlines(): a path may contain characters that Unicode counts as line breaks.
    return text.removesuffix("\n").split("\n") if text else []


def directories(cgroups: str, mounts: str, controller: str) -> list[str]:
    """Return the directories of a process's cgroups for one controller: its own first, then its ancestors as far as mounted.

    ``controller`` is "memory", "pids" or "cpu". ``cgroups`` and ``mounts`` are the texts of /proc/PID/cgroup and mountinfo.
    Raises ValueError if they have another form. On a host with both versions a controller belongs to one of them; if it
    belongs to v1, /proc/PID/cgroup names it there. The list is empty if the controller belongs to neither or is not mounted
    here.
    """
    paths = parse_cgroups(cgroups)
    path = paths.get(controller, paths.get(""))
    candidates = [mount for mount in parse_mountinfo(mounts) if _holds(mount, controller, controller in paths)]
    if path is None or not candidates:
        return []
    mount = next((mount for mount in candidates if _below(path, mount.root) is not None), candidates[0])
    # Without a cgroup namespace, a container reads the host's path. The cgroup mounted in the container is then its own.
    parts = (_below(path, mount.root) or "").split("/")
    names = [] if ".." in parts else [part for part in parts if part]
    return [posixpath.join(mount.point, *names[:depth]) for depth in range(len(names), -1, -1)]


def _holds(mount: Mount, controller: str, v1: bool) -> bool:
    return mount.filesystem == "cgroup" and controller in mount.options if v1 else mount.filesystem == "cgroup2"


def _below(path: str, root: str) -> str | None:
    """Return the part of ``path`` below ``root``, or None if it is not below it."""
    return path.removeprefix(root) if (path + "/").startswith(root.rstrip("/") + "/") else None
