"""Control groups: which of them a process is in, of either version, and where their files are."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .host import read_int, read_text


def own_directories(controller: str) -> list[str]:
    """``directories`` of this process; none where /proc does not tell."""
    cgroups, mounts = read_text("/proc/self/cgroup"), read_text("/proc/self/mountinfo")
    return [] if cgroups is None or mounts is None else directories(cgroups, mounts, controller)


@dataclass(frozen=True, slots=True)
class CgroupPids:
    """A pids cgroup with a limit; ``used`` counts threads, those of its children too."""

    limit: int
    used: int


def read_cgroup_pids() -> CgroupPids | None:
    """The tightest of this process's pids cgroups; None if no limit is to be seen."""
    return tightest_pids(own_directories("pids"))


def tightest_pids(where: Iterable[str]) -> CgroupPids | None:
    """Of these directories, the cgroup with least room; None if none has a limit. Both versions have the same files."""
    levels = []
    for directory in where:
        limit, used = read_int(f"{directory}/pids.max"), read_int(f"{directory}/pids.current")
        if limit is not None and used is not None:  # "max" is no number
            levels.append(CgroupPids(limit, used))
    return min(levels, key=lambda level: level.limit - level.used, default=None)


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of mountinfo: which directory of a file system (``root``) is seen where (``point``)."""

    root: str
    point: str
    filesystem: str
    options: tuple[str, ...]


def parse_cgroups(text: str) -> dict[str, str]:
    """/proc/PID/cgroup as {controller: path}, under "" for cgroup v2. ValueError for other forms."""
    paths: dict[str, str] = {}
    for line in _lines(text):
        found = re.fullmatch(r"[0-9]+:([^:]*):(/.*)", line, re.DOTALL)
        if not found:
            raise ValueError(f"{line!r} is not a line of /proc/PID/cgroup, as '4:memory:/a' is")
        paths.update(dict.fromkeys(found[1].split(","), found[2]))
    return paths


def parse_mountinfo(text: str) -> list[Mount]:
    """/proc/PID/mountinfo. ValueError for other forms."""
    return [_mount(line) for line in _lines(text)]


def _mount(line: str) -> Mount:
    # ID, parent, device, root, point, options, any number of tags, "-", file system, source, its own options
    place, dash, what = line.partition(" - ")
    where, kind = place.split(" "), what.split(" ")
    if not dash or len(where) < 6 or len(kind) < 3:
        raise ValueError(f"{line!r} is not a line of mountinfo, as '35 31 0:32 / /sys rw - sysfs none rw' is")
    return Mount(_unescaped(where[3]), _unescaped(where[4]), kind[0], tuple(kind[2].split(",")))


def _unescaped(path: str) -> str:
    """Blanks in paths are written as \\040 and so on."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), path)


def _lines(text: str) -> list[str]:
    # Not splitlines(): a path may hold what Unicode calls a line break.
    return text.removesuffix("\n").split("\n") if text else []


def directories(cgroups: str, mounts: str, controller: str) -> list[str]:
    """Where to read a controller's cgroups of a process: its own first, then its ancestors as far as mounted.

    ``controller`` is "memory", "pids" or "cpu". ``cgroups`` and ``mounts`` are the texts of /proc/PID/cgroup and mountinfo;
    ValueError for other forms. A host with both versions has a controller in one of them, and names it under v1. No
    directories where it is in neither, or not mounted here.
    """
    paths = parse_cgroups(cgroups)
    path = paths.get(controller, paths.get(""))
    candidates = [mount for mount in parse_mountinfo(mounts) if _holds(mount, controller, controller in paths)]
    if path is None or not candidates:
        return []
    mount = next((mount for mount in candidates if _below(path, mount.root) is not None), candidates[0])
    # Without a cgroup namespace a container is told a path of its host; what it sees mounted is then its own.
    parts = (_below(path, mount.root) or "").split("/")
    names = [] if ".." in parts else [part for part in parts if part]
    return [posixpath.join(mount.point, *names[:depth]) for depth in range(len(names), -1, -1)]


def _holds(mount: Mount, controller: str, v1: bool) -> bool:
    return mount.filesystem == "cgroup" and controller in mount.options if v1 else mount.filesystem == "cgroup2"


def _below(path: str, root: str) -> str | None:
    """The rest of a path under a root, or None if it is not under it."""
    return path.removeprefix(root) if (path + "/").startswith(root.rstrip("/") + "/") else None
