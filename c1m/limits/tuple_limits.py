"""Limits of addresses and ports, which determine the available 4-tuples. Pure."""

from __future__ import annotations

from typing import Final

from .limit import NO_LIMIT, HostRole, Limit, Scope, Symptom, unasked
from .terms import by, ephemeral_ports, ports_kept, space_of

TUPLES: Final = (
    Limit(
        "tuples",
        "4-tuples of the plan: source addresses x client ports x destinations",
        Scope.NODE,
        "plan",
        value=space_of(HostRole.WORKER),
        need=by(HostRole.WORKER),
        stops=True,
        planned=True,
        symptom=Symptom(("EADDRNOTAVAIL",), pattern="growth ends at 28,232 or 64,512 times the sources and destination ports"),
        cure="give the worker more source addresses (--source), or the target more ports (--ports)",
    ),
    Limit(
        "listening-ports",
        "ports that acceptors listen on, times the connections that one acceptor holds",
        Scope.NODE,
        "plan",
        value=space_of(HostRole.TARGET),
        need=by(HostRole.TARGET),
        stops=True,
        planned=True,
        cure="give the target more ports (--ports), a higher limit of descriptors, or --single-port",
        symptom=Symptom(pattern="the target refuses the run"),
    ),
    Limit(
        "ports",
        "ports that the kernel assigns to sockets without a bound port (ip_local_port_range)",
        Scope.NAMESPACE,
        "net.ipv4.ip_local_port_range",
        value=ephemeral_ports,
        need=unasked,  # c1m binds its own ports; a proxy uses one of these for each of its connections
        symptom=Symptom(("EADDRNOTAVAIL", "EADDRINUSE"), pattern="growth ends at 28,232 a destination"),
        cure="widen it on the server, or give a proxy more addresses or ports to connect to",
        settings=lambda _value, _host: {"net.ipv4.ip_local_port_range": "1024 65535"},
    ),
    Limit(
        "reserved-ports",
        "ports that neither the kernel nor c1m uses (ip_local_reserved_ports)",
        Scope.NAMESPACE,
        "net.ipv4.ip_local_reserved_ports",
        value=ports_kept,
        need=unasked,  # c1m leaves them out of the plan, so "tuples" accounts for them
        symptom=Symptom(pattern="a source address gives fewer connections than its ports"),
        cure="remove the ports that no program needs",
        settings=lambda _value, _host: {"net.ipv4.ip_local_reserved_ports": ""},
    ),
    Limit(
        "sources",
        "source addresses that belong to this machine",
        Scope.NODE,
        "plan",
        value=lambda _host, _ask: NO_LIMIT,
        need=unasked,  # a worker refuses a source address that is not its machine's
        symptom=Symptom(("EADDRNOTAVAIL",), pattern="every connection from one address fails at once"),
        cure="add the address (ip addr add), or make its prefix local (ip route add local PREFIX dev lo)",
    ),
)
