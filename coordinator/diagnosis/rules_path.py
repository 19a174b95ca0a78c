"""Rules about the path between clients and server: addresses, ports, routes, firewalls, a server that closes. Pure."""

from __future__ import annotations

from typing import Final

from .conditions import AtLeast, Dropped, Error, FromElsewhere, Full, Rose
from .rule import ALWAYS, ANY, BOTH, FAILED, TARGET, WORKER, Rule

WAY_RULES: Final = (
    Rule(
        "source address not local",
        WORKER,
        ALWAYS,
        (Error("bind EADDRNOTAVAIL"),),
        "source addresses of the run are not this machine's",
        limit="sources",
        instead_of=("client ports taken",),
    ),
    Rule(
        "client ports taken",
        WORKER,
        FAILED,
        (Error("bind EADDRINUSE", "connect EADDRNOTAVAIL"),),
        "other programs hold so many of its client ports that some connections found none; the kernel chooses ports from "
        "net.ipv4.ip_local_port_range ({net.ipv4.ip_local_port_range})",
        "give more --source addresses or other --ports, or close what holds them (ss -tan); TIME_WAIT lasts a minute",
        limit="tuples",
    ),
    Rule(
        "no route",
        WORKER,
        ANY,
        (Error("connect ENETUNREACH", "connect EHOSTUNREACH"),),
        "it has no route to the address that it connects to",
        "add one (ip route add), or give the address at which it reaches the target with --data-host",
    ),
    Rule(
        "discarded there",
        WORKER,
        ANY,
        (Error("connect EINVAL"),),
        "its routes discard these connections: the route to the target's address is a blackhole, or a source address is "
        "loopback and the target's address is not",
        "look at ip route get ADDRESS there and delete the blackhole (ip route del), or name other addresses with --source",
    ),
    Rule(
        "forbidden there",
        WORKER,
        ANY,
        (Error("connect EACCES", "connect EPERM", "handshake EPERM"),),
        "its own firewall or routes forbid these connections",
        "check nft list ruleset and ip route there for a reject, a drop in output, or a prohibit",
    ),
    Rule(
        "unreachable",
        WORKER,
        ANY,
        (Error("handshake EHOSTUNREACH", "handshake ENETUNREACH", "handshake EACCES"),),
        "it cannot reach the target: a router or firewall on the path said so by ICMP, or no host on its network has the "
        "address",
        "check the routes and firewalls between them, and whether the target's machine is up",
        instead_of=("SYN unanswered",),
    ),
    Rule(
        "refused",
        WORKER,
        ANY,
        (Error("handshake ECONNREFUSED"),),
        "its connections are refused, although the target listens: a firewall answers in the target's place",
        "look for rules that reject with tcp reset, on the target and on the path",
        elsewhere=(AtLeast("listeners", 1, "{value} listening ports"),),
    ),
    Rule(
        "refused",
        WORKER,
        ANY,
        (Error("handshake ECONNREFUSED"),),
        "its connections are refused: nothing listens on the port, or a firewall rejects them",
        "start the server, correct the port, or look for rules that reject with tcp reset",
    ),
    Rule(
        "kernel-chosen ports",
        TARGET,
        ANY,
        (Full("chosen_ports", "choosable_ports", "{value} of {limit} in use", percent=98),),
        "the kernel has no port left for connections that the server itself opens, as a proxy does: all ports of "
        "net.ipv4.ip_local_port_range ({net.ipv4.ip_local_port_range}) except the reserved ones "
        "({net.ipv4.ip_local_reserved_ports}) are used",
        limit="ports",
        instead_of=("server closes",),
    ),
    Rule(
        "sources translated",
        TARGET,
        ANY,
        (FromElsewhere(),),
        "it was started with --only-run-sources, and closed connections that came from other addresses than the workers' own: "
        "a NAT between them translates the sources (masquerade, a load balancer, a container's network), or others connect to "
        "it",
        "start it without --only-run-sources, or let the workers' addresses reach it untranslated",
        instead_of=("server closes",),
        elsewhere=(Dropped("peer_closed", "peer_reset"),),
    ),
    Rule(
        "server closes",
        WORKER,
        ANY,
        (Dropped("peer_closed", "peer_reset"),),
        "the server accepts connections and then closes them itself",
        "check its limit of connections (maxclients, maxconn, worker_connections) and its log",
    ),
    Rule(
        "conntrack table",
        BOTH,
        ANY,
        (Full("conntrack", "net.netfilter.nf_conntrack_max", "{value} of {limit} entries", percent=99.5),),
        "its table of tracked connections is full, and the kernel silently drops packets of new ones",
        limit="conntrack",
        also=(Rose("conntrack_dropped"), Rose("TCPSynRetrans")),
        instead_of=("SYN unanswered",),
    ),
)
