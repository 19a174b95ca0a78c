"""Reads the IPv6 prefixes that are local to this network namespace: addresses, and ``ip -6 route add local PREFIX dev lo``."""

from __future__ import annotations

import ipaddress
from pathlib import Path

RTF_LOCAL = 0x80000000  # linux/ipv6_route.h


def parse_ipv6_route(text: str) -> list[ipaddress.IPv6Network]:
    """Return the local prefixes in the text of ``/proc/net/ipv6_route``. Raises ValueError for a line of another form.

    A line has ten columns: destination, prefix length, source, its length, gateway, metric, reference count, use, flags,
    device. All numbers are hexadecimal.
    """
    prefixes = []
    for line in text.splitlines():
        columns = line.split()
        if len(columns) != 10:
            raise ValueError(f"{line!r} is not a line of /proc/net/ipv6_route, which has ten columns")
        if int(columns[8], 16) & RTF_LOCAL:
            prefixes.append(ipaddress.IPv6Network((int(columns[0], 16), int(columns[1], 16))))
    return prefixes


def local_prefixes() -> list[ipaddress.IPv6Network]:
    """Return the IPv6 prefixes whose addresses are local to this network namespace.

    The list is empty if the kernel has no IPv6.
    """
    path = Path("/proc/self/net/ipv6_route")
    return parse_ipv6_route(path.read_text()) if path.exists() else []
