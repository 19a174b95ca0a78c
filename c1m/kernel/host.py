"""Reads the facts of a host that a run records once for each node: its identity, CPUs and port settings."""

from __future__ import annotations

import os
import re
import socket
import sys
from dataclasses import dataclass
from typing import Final

from c1m.net.ports import PortRanges, Range, parse_kernel_ports, parse_port_range
from c1m.text.escapes import escaped

BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"
SO_NETNS_COOKIE: Final = 71  # asm-generic/socket.h, since Linux 5.14; Python's socket has no name for it


@dataclass(frozen=True, slots=True)
class HostFacts:
    """One host as one process sees it. A value is None if its file is absent or unreadable.

    ``boot_id`` identifies the running kernel. All containers of a host share it, and a reboot changes it. Virtual machines
    restored from one snapshot share it too. ``cores`` is the number of CPUs that this process may run on. A cgroup's CPU
    quota does not lower it. ``netns`` is the inode number of the network namespace. Nodes of one host with the same
    namespace share ports and counters. ``ephemeral_range`` (both ends included) and ``reserved_ports``
    belong to that namespace.
    """

    boot_id: str | None
    hostname: str
    kernel_release: str
    cores: int
    netns: int | None
    ephemeral_range: Range | None
    reserved_ports: PortRanges | None


def read_host() -> HostFacts:
    """Return the facts of this host. Raises ValueError if the kernel's port ranges have an unexpected form."""
    boot_id = read_text(BOOT_ID)
    ephemeral = read_text("/proc/sys/net/ipv4/ip_local_port_range")
    reserved = read_text("/proc/sys/net/ipv4/ip_local_reserved_ports")
    return HostFacts(
        boot_id=boot_id.strip() if boot_id else None,
        hostname=escaped(os.uname().nodename),  # the kernel lets it be any bytes
        kernel_release=os.uname().release,
        cores=len(os.sched_getaffinity(0)),
        netns=network_namespace("self"),
        ephemeral_range=None if ephemeral is None else parse_port_range(ephemeral),
        reserved_ports=None if reserved is None else parse_kernel_ports(reserved),
    )


def read_text(path: str) -> str | None:
    """Return the contents of a small file of /proc, /sys or a cgroup.

    None if the file is absent or unreadable, or its process is gone. Bytes that are not UTF-8 become surrogates, because
    command names and mount points may contain any byte.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except OSError:
        return None


def read_int(path: str) -> int | None:
    """Return the decimal number that a file, such as a sysctl's, consists of.

    None if it is unreadable or holds anything else.
    """
    text = read_text(path) or ""
    return int(text) if re.fullmatch(r"-?[0-9]{1,20}\n?", text) else None


def network_namespace(pid: int | str) -> int | None:
    """Return the inode number of a process's network namespace. None if the process is gone or belongs to another user."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None


def namespace_cookie() -> int | None:
    """Return a number that identifies our network namespace until the machine restarts. None before Linux 5.14.

    Unlike the inode number, the kernel never reuses this cookie after the namespace is gone.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            return int.from_bytes(asked.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), sys.byteorder)
    except OSError:
        return None
