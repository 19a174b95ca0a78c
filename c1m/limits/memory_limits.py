"""Limits of memory, and of kernel tables in memory. Pure."""

from __future__ import annotations

from typing import Final

from .connection_memory import MEMORY_MARGIN
from .limit import Limit, Scope, Symptom, unasked
from .terms import (
    LONGEST_CHAIN,
    chains,
    each_end,
    level,
    memory_bytes,
    memory_taken,
    one,
    reported,
    sysctl,
    sysctls,
    tcp_mem_setting,
    unread_pages,
)

MEMORY: Final = (
    Limit(
        "memory",
        "memory of the machine",
        Scope.HOST,
        "memory",
        value=lambda host, _ask: host.memory_total_bytes,
        used=memory_taken,
        need=memory_bytes,
        stops=True,
        unit="B",
        margin=MEMORY_MARGIN,
        symptom=Symptom(("ENOMEM", "ENOBUFS"), pattern="opening slows down, and processes of the host are killed"),
        cure="ask for fewer connections, or add memory or hosts",
    ),
    Limit(
        "cgroup-memory",
        "memory of a cgroup (memory.max)",
        Scope.CGROUP,
        "cgroup_memory_bytes",
        value=reported("cgroup_memory_bytes"),
        used=level("cgroup_memory_bytes"),
        need=memory_bytes,
        stops=True,
        unit="B",
        margin=MEMORY_MARGIN,
        symptom=Symptom(("ENOMEM", "ENOBUFS"), pattern="a process of the node is killed while the host has memory left"),
        cure="raise MemoryMax= of the unit or --memory of the container",
        settings=one("MemoryMax"),
    ),
    Limit(
        "tcp-mem",
        "pages of data that TCP holds for all sockets of the machine (net.ipv4.tcp_mem)",
        Scope.HOST,
        "net.ipv4.tcp_mem",
        value=sysctl("net.ipv4.tcp_mem", 2),
        used=level("tcp_mem_pages"),
        need=unread_pages,
        unit="pages",
        symptom=Symptom((), ("TCPMemoryPressures", "TCPAbortOnMemory"), "connections are reset when they carry data"),
        cure="raise it, read what arrives, or close with RSTs (--close rst)",
        settings=tcp_mem_setting,
    ),
    Limit(
        "socket-buffers",
        "data that one connection may hold (tcp_rmem, tcp_wmem, rmem_max, wmem_max)",
        Scope.NAMESPACE,
        "net.ipv4.tcp_rmem",
        value=sysctl("net.ipv4.tcp_rmem", 2),
        need=unasked,  # an idle connection holds none, whatever the size
        unit="B",
        symptom=Symptom((), ("PruneCalled",), "memory grows with the data under way, not with connections"),
        cure="lower the last figure where many connections are active at once",
    ),
    Limit(
        "orphans",
        "sockets that no process owns any more and that are still closing (net.ipv4.tcp_max_orphans)",
        Scope.HOST,
        "net.ipv4.tcp_max_orphans",
        value=sysctl("net.ipv4.tcp_max_orphans"),
        used=level("tcp_orphans"),
        need=unasked,  # none when closing with RSTs; those of one round trip with FINs
        symptom=Symptom((), ("TCPAbortOnMemory",), "the kernel logs 'too many orphaned sockets' and resets instead of closing"),
        cure="raise it, or close more slowly (--close-rate)",
        settings=sysctls("net.ipv4.tcp_max_orphans"),
    ),
    Limit(
        "time-wait",
        "sockets in TIME_WAIT (net.ipv4.tcp_max_tw_buckets)",
        Scope.NAMESPACE,
        "net.ipv4.tcp_max_tw_buckets",
        value=sysctl("net.ipv4.tcp_max_tw_buckets"),
        used=level("tcp_time_wait"),
        need=unasked,
        unless=lambda _host: "a socket beyond it ends at once, which does no harm",
        symptom=Symptom(("EADDRNOTAVAIL",), ("TCPTimeWaitOverflow",), "a run skips ports after one that closed with FINs"),
        cure="close with RSTs (--close rst), or wait a minute",
        settings=sysctls("net.ipv4.tcp_max_tw_buckets"),
    ),
    Limit(
        "ehash",
        f"sockets in the kernel's table of connections, {LONGEST_CHAIN} to a bucket (tcp_ehash_entries)",
        Scope.HOST,
        "net.ipv4.tcp_ehash_entries",
        value=chains,
        used=level("tcp_inuse"),
        need=each_end,
        symptom=Symptom(pattern="every connect takes some microseconds longer, the more sockets there are"),
        cure="start the kernel with thash_entries=, or give the node a network namespace with a table of its own",
    ),
)
