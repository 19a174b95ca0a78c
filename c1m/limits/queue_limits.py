"""Limits between a SYN and an accepted connection, and of devices on the path. Pure."""

from __future__ import annotations

from typing import Final

from .limit import Limit, Scope, Symptom, unasked
from .terms import (
    BACKLOG,
    CLOUD_IDLE_SECONDS,
    cookies_instead,
    each_end,
    fewest,
    idle_limit,
    in_queue,
    inactive_conntrack,
    level,
    neighbours,
    reported,
    silence,
    sysctl,
    sysctls,
)

QUEUES: Final = (
    Limit(
        "accept-queue",
        "connections that wait for a listener to accept them (net.core.somaxconn, listen())",
        Scope.NAMESPACE,
        "net.core.somaxconn",
        value=fewest(sysctl("net.core.somaxconn"), reported("listen_backlog"), lambda _host, _ask: BACKLOG),
        need=in_queue,
        symptom=Symptom(
            ("ETIMEDOUT",),
            ("ListenOverflows", "ListenDrops", "TCPReqQFullDoCookies"),
            "connects take 1, 3 or 7 s, or clients hold connections that no server has",
        ),
        cure="raise it and the listener's own backlog, pace the run (--rate), or lower --in-flight",
        settings=sysctls("net.core.somaxconn"),
    ),
    Limit(
        "syn-queue",
        "handshakes that a listener may have in progress (net.ipv4.tcp_max_syn_backlog)",
        Scope.NAMESPACE,
        "net.ipv4.tcp_max_syn_backlog",
        value=sysctl("net.ipv4.tcp_max_syn_backlog"),
        need=in_queue,
        unless=cookies_instead,
        symptom=Symptom(
            ("ETIMEDOUT",),
            ("TCPReqQFullDrop", "TCPReqQFullDoCookies", "SyncookiesSent"),
            "connects take 1, 3 or 7 s",
        ),
        cure="raise it, or turn net.ipv4.tcp_syncookies on and raise the backlog",
        settings=sysctls("net.ipv4.tcp_max_syn_backlog"),
    ),
    Limit(
        "netdev-backlog",
        "packets that wait for a CPU (net.core.netdev_max_backlog)",
        Scope.HOST,
        "net.core.netdev_max_backlog",
        value=sysctl("net.core.netdev_max_backlog"),
        need=unasked,  # how many packets arrive at once is known only afterwards; softnet_dropped counts the dropped ones
        symptom=Symptom((), ("softnet_dropped",), "SYNs are retransmitted after 1 s, and a lost RST leaves its peer open"),
        cure="raise it, or pace the run (--rate, --close-rate)",
        settings=sysctls("net.core.netdev_max_backlog"),
    ),
    Limit(
        "conntrack",
        "connections that the firewall tracks (net.netfilter.nf_conntrack_max)",
        Scope.NAMESPACE,
        "net.netfilter.nf_conntrack_max",
        value=sysctl("net.netfilter.nf_conntrack_max"),
        used=level("conntrack"),
        need=each_end,
        stops=True,
        once=True,
        unless=inactive_conntrack,
        symptom=Symptom(("ETIMEDOUT",), pattern="growth ends at 262,144, and the kernel logs 'nf_conntrack: table full'"),
        cure="raise it, or exempt these ports from tracking (notrack)",
        settings=sysctls("net.netfilter.nf_conntrack_max"),
    ),
    Limit(
        "neighbours",
        "neighbours on its own network whose hardware address a host knows (neigh.default.gc_thresh3)",
        Scope.HOST,
        "net.ipv4.neigh.default.gc_thresh3",
        value=fewest(sysctl("net.ipv4.neigh.default.gc_thresh3"), sysctl("net.ipv6.neigh.default.gc_thresh3")),
        need=neighbours,
        symptom=Symptom(("EHOSTUNREACH", "ENOBUFS"), pattern="the kernel logs 'neighbour table overflow'"),
        cure="raise it, or route the sources through one address of the worker",
        settings=sysctls("net.ipv4.neigh.default.gc_thresh3", "net.ipv6.neigh.default.gc_thresh3"),
    ),
    Limit(
        "rp-filter",
        "packets that arrive on an unexpected interface are dropped (rp_filter)",
        Scope.NAMESPACE,
        "rp_filter",
        value=reported("rp_filter"),
        need=unasked,  # only the routing tables know whether the way back to a source is the interface it came in on
        symptom=Symptom(("ETIMEDOUT",), ("IPReversePathFilter",), "only connections from some addresses time out"),
        cure="set it to 2 (loose), or route the sources back through the interface that they arrive on",
        settings=lambda _value, _host: {"net.ipv4.conf.all.rp_filter": "2"},
    ),
    Limit(
        "idle-timeout",
        "seconds that a firewall or NAT remembers an idle connection",
        Scope.NODE,
        "plan",
        value=idle_limit,
        need=silence,
        unit="s",
        symptom=Symptom(("ETIMEDOUT", "ECONNRESET"), pattern="after minutes of silence connections are gone on one side only"),
        cure=f"send heartbeats or keepalive probes on every connection more often than every {CLOUD_IDLE_SECONDS} s",
    ),
)
