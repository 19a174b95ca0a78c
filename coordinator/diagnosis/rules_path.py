"""Rules of the way between clients and server: addresses, ports, routes, firewalls, and a server that hangs up. Pure."""

from __future__ import annotations

from typing import Final

from .conditions import AtLeast, Dropped, Error, Full, Rose
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
        "other programs hold so many of its client ports that not every connection found one; what the kernel chooses ports "
        "from is net.ipv4.ip_local_port_range ({net.ipv4.ip_local_port_range})",
        "give more --source addresses or other --ports, or close what holds them (ss -tan); TIME_WAIT takes a minute",
        limit="tuples",
    ),
    Rule(
        "no route",
        WORKER,
        ANY,
        (Error("connect ENETUNREACH", "connect EHOSTUNREACH"),),
        "it has no route to where it connects",
        "add one (ip route add), or say with --data-host where the target is to be reached from there",
    ),
    Rule(
        "forbidden there",
        WORKER,
        ANY,
        (Error("connect EACCES", "connect EPERM", "handshake EPERM"),),
        "its own firewall or routes forbid these connections",
        "look at nft list ruleset and ip route there, for a reject, a drop in output, or a prohibit",
    ),
    Rule(
        "unreachable",
        WORKER,
        ANY,
        (Error("handshake EHOSTUNREACH", "handshake ENETUNREACH", "handshake EACCES"),),
        "it is told that the target cannot be reached: by ICMP from a router or a firewall on the way, or because nobody on "
        "its network has the address",
        "look at the routes and firewalls between them, and whether the target's machine is up",
        instead_of=("SYN unanswered",),
    ),
    Rule(
        "refused",
        WORKER,
        ANY,
        (Error("handshake ECONNREFUSED"),),
        "its connections are refused, although the target listens: a firewall answers in the target's place",
        "look for rules that reject with tcp reset, on the target and on the way",
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
        "the kernel has no port left to choose there for connections that the server itself opens, as a proxy does: "
        "net.ipv4.ip_local_port_range ({net.ipv4.ip_local_port_range}) without the reserved "
        "({net.ipv4.ip_local_reserved_ports})",
        limit="ports",
        instead_of=("server closes",),
    ),
    Rule(
        "server closes",
        WORKER,
        ANY,
        (Dropped("peer_closed", "peer_reset"),),
        "the server accepts connections and closes them again itself",
        "look at its limit of connections (maxclients, maxconn, worker_connections) and at its log",
    ),
    Rule(
        "conntrack table",
        BOTH,
        ANY,
        (Full("conntrack", "net.netfilter.nf_conntrack_max", "{value} of {limit} entries", percent=99.5),),
        "its table of tracked connections is full, and the kernel drops packets of new ones without a word",
        limit="conntrack",
        also=(Rose("conntrack_dropped"), Rose("TCPSynRetrans")),
        instead_of=("SYN unanswered",),
    ),
)
