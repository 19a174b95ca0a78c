"""What names a host and what it allows: the facts that a run records once for every node."""

from __future__ import annotations

import os
import re
import socket
import sys
from dataclasses import dataclass
from typing import Final

from c1m.net.ports import PortRanges, Range, parse_kernel_ports, parse_port_range

BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"
SO_NETNS_COOKIE: Final = 71  # asm-generic/socket.h, since Linux 5.14; Python's socket has no name for it


@dataclass(frozen=True, slots=True)
class HostFacts:
    """One host as one process sees it. None is "unknown": the file is absent or unreadable.

    ``boot_id`` names the running kernel: all containers of one host have the same, and a reboot changes it.
    But virtual machines restored from one snapshot have the same too.
    ``cores``: the CPUs this process may run on. A cgroup's CPU quota does not lower it.
    ``netns``: the inode number of the network namespace. Nodes of one host with the same share ports and
    counters.
    ``ephemeral_range`` (both ends included) and ``reserved_ports`` are of that namespace.
    """

    boot_id: str | None
    hostname: str
    kernel_release: str
    cores: int
    netns: int | None
    ephemeral_range: Range | None
    reserved_ports: PortRanges | None


def read_host() -> HostFacts:
    """The facts of this host, read now. Raises ValueError for port ranges that c1m.net.ports cannot read."""
    boot_id = read_text(BOOT_ID)
    ephemeral = read_text("/proc/sys/net/ipv4/ip_local_port_range")
    reserved = read_text("/proc/sys/net/ipv4/ip_local_reserved_ports")
    return HostFacts(
        boot_id=boot_id.strip() if boot_id else None,
        hostname=os.uname().nodename,
        kernel_release=os.uname().release,
        cores=len(os.sched_getaffinity(0)),
        netns=network_namespace("self"),
        ephemeral_range=None if ephemeral is None else parse_port_range(ephemeral),
        reserved_ports=None if reserved is None else parse_kernel_ports(reserved),
    )


def read_text(path: str) -> str | None:
    """A small file of /proc, /sys or a cgroup; None when it is absent, unreadable, or its process is gone.

    Bytes that are not UTF-8 survive as surrogates: the name of a command or a mount point may hold any.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except OSError:
        return None


def read_int(path: str) -> int | None:
    """The one decimal number in a file, such as a sysctl's; None when it is unreadable or not one."""
    text = read_text(path) or ""
    return int(text) if re.fullmatch(r"-?[0-9]{1,20}\n?", text) else None


def network_namespace(pid: int | str) -> int | None:
    """The inode of a process's network namespace; None when it is gone, or another user's."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None


def namespace_cookie() -> int | None:
    """What names our network namespace among all that there were since the machine started; an inode's number is given again
    when its namespace is gone. None where the kernel is older than 5.14."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            return int.from_bytes(asked.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), sys.byteorder)
    except OSError:
        return None
