"""The kernel's settings that matter to connections, and which of them a network namespace has for itself. Pure.

Found by comparing /proc/sys/net of the first namespace with that of a new one, on 6.18. A key that is not a namespace's
own tells nothing false in it: it is absent there, or shows the host's value and cannot be written. But `sysctl -w` ends
with 0 in both cases, so that whoever writes one has to read it back.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Final


class Home(enum.Enum):
    """Whose a setting is, and what of it is to be seen in a network namespace that is not the first."""

    NAMESPACE = "every network namespace has its own, and may write it"
    SHOWN = "the host's; other network namespaces see it and cannot write it"
    HIDDEN = "the host's; other network namespaces do not see it"
    HOST = "the host's, seen and written from everywhere with the right"
    BOOT = "decided when the machine starts"


SYSCTLS: Final[Mapping[str, Home]] = {
    "net.core.somaxconn": Home.NAMESPACE,
    "net.core.netdev_max_backlog": Home.HIDDEN,
    "net.core.rmem_max": Home.SHOWN,
    "net.core.wmem_max": Home.SHOWN,
    "net.ipv4.conf.all.rp_filter": Home.NAMESPACE,
    "net.ipv4.ip_local_port_range": Home.NAMESPACE,
    "net.ipv4.ip_local_reserved_ports": Home.NAMESPACE,
    "net.ipv4.neigh.default.gc_thresh3": Home.HIDDEN,
    "net.ipv4.tcp_abort_on_overflow": Home.NAMESPACE,
    "net.ipv4.tcp_congestion_control": Home.NAMESPACE,
    "net.ipv4.tcp_ehash_entries": Home.BOOT,
    "net.ipv4.tcp_keepalive_time": Home.NAMESPACE,
    "net.ipv4.tcp_max_orphans": Home.HIDDEN,
    "net.ipv4.tcp_max_syn_backlog": Home.NAMESPACE,
    "net.ipv4.tcp_max_tw_buckets": Home.NAMESPACE,
    "net.ipv4.tcp_mem": Home.HIDDEN,
    "net.ipv4.tcp_rmem": Home.NAMESPACE,
    "net.ipv4.tcp_syncookies": Home.NAMESPACE,
    "net.ipv4.tcp_tw_reuse": Home.NAMESPACE,
    "net.ipv4.tcp_wmem": Home.NAMESPACE,
    "net.ipv6.neigh.default.gc_thresh3": Home.HIDDEN,
    "net.netfilter.nf_conntrack_max": Home.SHOWN,
    "net.netfilter.nf_conntrack_tcp_timeout_established": Home.NAMESPACE,
    "fs.epoll.max_user_watches": Home.HOST,
    "fs.file-max": Home.HOST,
    "fs.nr_open": Home.HOST,
    "kernel.pid_max": Home.HOST,
    "kernel.threads-max": Home.HOST,
}


def path_of(sysctl: str) -> str:
    """Where it is read and written. An interface's name may hold dots; none of these has one."""
    return f"/proc/sys/{sysctl.replace('.', '/')}"


def whole(text: str) -> int | None:
    """The number that a sysctl's text is, 0 or more; None for any other text: nodes tell them, and may tell anything."""
    return int(text) if re.fullmatch("[0-9]{1,20}", text) else None
