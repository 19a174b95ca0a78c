"""Limits between a SYN and an accepted connection, and of what stands in between. Pure."""

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
        "handshakes that a listener may have under way (net.ipv4.tcp_max_syn_backlog)",
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
        "packets that wait for a processor (net.core.netdev_max_backlog)",
        Scope.HOST,
        "net.core.netdev_max_backlog",
        value=sysctl("net.core.netdev_max_backlog"),
        need=unasked,  # how many come at once is known only afterwards; softnet_dropped counts what did not fit
        symptom=Symptom((), ("softnet_dropped",), "SYNs are sent again after 1 s, and a RST that is lost leaves its peer open"),
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
        cure="raise it, or let the firewall not track these ports (notrack)",
        settings=sysctls("net.netfilter.nf_conntrack_max"),
    ),
    Limit(
        "neighbours",
        "addresses on its own network that a host knows the hardware addresses of (neigh.default.gc_thresh3)",
        Scope.HOST,
        "net.ipv4.neigh.default.gc_thresh3",
        value=fewest(sysctl("net.ipv4.neigh.default.gc_thresh3"), sysctl("net.ipv6.neigh.default.gc_thresh3")),
        need=neighbours,
        symptom=Symptom(("EHOSTUNREACH", "ENOBUFS"), pattern="the kernel logs 'neighbour table overflow'"),
        cure="raise it, or route the sources to the worker by one address of it",
        settings=sysctls("net.ipv4.neigh.default.gc_thresh3", "net.ipv6.neigh.default.gc_thresh3"),
    ),
    Limit(
        "rp-filter",
        "packets from where their sender is not expected are dropped (rp_filter)",
        Scope.NAMESPACE,
        "rp_filter",
        value=reported("rp_filter"),
        need=unasked,  # whether a source routes back to where it comes from is known only to the routes
        symptom=Symptom(("ETIMEDOUT",), ("IPReversePathFilter",), "connections from some addresses only time out"),
        cure="set it to 2 (loose), or route the sources back to where they come from",
        settings=lambda _value, _host: {"net.ipv4.conf.all.rp_filter": "2"},
    ),
    Limit(
        "idle-timeout",
        "seconds that a firewall or NAT remembers a connection that says nothing",
        Scope.NODE,
        "plan",
        value=idle_limit,
        need=silence,
        unit="s",
        symptom=Symptom(("ETIMEDOUT", "ECONNRESET"), pattern="after minutes of silence connections are gone on one side only"),
        cure=f"let every connection say something, or probe it, more often than every {CLOUD_IDLE_SECONDS} s",
    ),
)
