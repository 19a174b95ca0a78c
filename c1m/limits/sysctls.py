"""The sysctls that matter to connections, and which of them each network namespace has for itself. Pure.

The scopes were found by comparing /proc/sys/net of the first namespace with that of a new one, on Linux 6.18. A sysctl that
a namespace does not own is never misleading there: it is absent, or shows the host's value and cannot be written. But
``sysctl -w`` exits with 0 in both cases, so a written value has to be read back.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Final


class SysctlScope(enum.Enum):
    """Where a sysctl applies, and whether network namespaces other than the first can see it."""

    NAMESPACE = "every network namespace has its own, and may write it"
    SHOWN = "the host's; other network namespaces see it and cannot write it"
    HIDDEN = "the host's; other network namespaces do not see it"
    HOST = "the host's, seen and written from everywhere with the right"
    BOOT = "decided when the machine starts"


SYSCTLS: Final[Mapping[str, SysctlScope]] = {
    "net.core.somaxconn": SysctlScope.NAMESPACE,
    "net.core.netdev_max_backlog": SysctlScope.HIDDEN,
    "net.core.rmem_max": SysctlScope.SHOWN,
    "net.core.wmem_max": SysctlScope.SHOWN,
    "net.ipv4.conf.all.rp_filter": SysctlScope.NAMESPACE,
    "net.ipv4.ip_local_port_range": SysctlScope.NAMESPACE,
    "net.ipv4.ip_local_reserved_ports": SysctlScope.NAMESPACE,
    "net.ipv4.neigh.default.gc_thresh3": SysctlScope.HIDDEN,
    "net.ipv4.tcp_abort_on_overflow": SysctlScope.NAMESPACE,
    "net.ipv4.tcp_congestion_control": SysctlScope.NAMESPACE,
    "net.ipv4.tcp_ehash_entries": SysctlScope.BOOT,
    "net.ipv4.tcp_keepalive_time": SysctlScope.NAMESPACE,
    "net.ipv4.tcp_max_orphans": SysctlScope.HIDDEN,
    "net.ipv4.tcp_max_syn_backlog": SysctlScope.NAMESPACE,
    "net.ipv4.tcp_max_tw_buckets": SysctlScope.NAMESPACE,
    "net.ipv4.tcp_mem": SysctlScope.HIDDEN,
    "net.ipv4.tcp_rmem": SysctlScope.NAMESPACE,
    "net.ipv4.tcp_syncookies": SysctlScope.NAMESPACE,
    "net.ipv4.tcp_tw_reuse": SysctlScope.NAMESPACE,
    "net.ipv4.tcp_wmem": SysctlScope.NAMESPACE,
    "net.ipv6.neigh.default.gc_thresh3": SysctlScope.HIDDEN,
    "net.netfilter.nf_conntrack_max": SysctlScope.SHOWN,
    "net.netfilter.nf_conntrack_tcp_timeout_established": SysctlScope.NAMESPACE,
    "fs.epoll.max_user_watches": SysctlScope.HOST,
    "fs.file-max": SysctlScope.HOST,
    "fs.nr_open": SysctlScope.HOST,
    "kernel.pid_max": SysctlScope.HOST,
    "kernel.threads-max": SysctlScope.HOST,
}


def path_of(sysctl: str) -> str:
    """Return the file of a sysctl. It maps every dot to a slash, so it does not support interface names with dots."""
    return f"/proc/sys/{sysctl.replace('.', '/')}"


def whole(text: str) -> int | None:
    """Return the whole number, 0 or more, that the text of a sysctl consists of.

    None for any other text: nodes report it and may report anything.
    """
    return int(text) if re.fullmatch("[0-9]{1,20}", text) else None
