"""What the operator of a worker allows: which servers may be loaded from here, and which of them held up by slow clients."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from c1m.errors import UsageError
from c1m.net.endpoints import parse_endpoint
from c1m.net.ports import PortRanges, parse_ports
from c1m.net.tuples import Address

FORMS = "write 10.0.0.5, 10.0.0.0/24, 10.0.0.5:80, srv:8000-8010 or [fd00::/64]:80"

BRACKETS = re.compile(r"\[(?P<network>[^]]+)\](:(?P<ports>.+))?")
WITH_PORTS = re.compile(r"(?P<network>[^:]+)(:(?P<ports>.+))?")
BARE = re.compile(r"(?P<network>.+)")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class AllowRule:
    """``ports`` is None for all of the host's."""

    host: str  # an address, a network, or a name
    ports: PortRanges | None

    def covers(self, destination: Address, networks: Iterable[Network]) -> bool:
        """``networks`` are the host's."""
        host, port = destination
        inside = any(ipaddress.ip_address(host) in network for network in networks)
        return inside and (self.ports is None or port in self.ports)


LOOPBACK = (AllowRule("127.0.0.0/8", None), AllowRule("::1", None))


@dataclass(frozen=True, slots=True)
class AllowList:
    """``plain``: --allow. ``slow``: --allow-slow, which allows all the rest as well."""

    plain: Sequence[AllowRule] = ()
    slow: Sequence[AllowRule] = ()

    def beyond(self, destinations: Iterable[Address], *, slow: bool) -> list[Address]:
        """Those that are not allowed by words, and have to prove that they are on the run. Raises UsageError."""
        named = self.slow if slow else (*LOOPBACK, *self.plain, *self.slow)
        known = [(allowance, networks_of(allowance.host)) for allowance in named]
        return [
            destination
            for destination in destinations
            if not any(allowance.covers(destination, networks) for allowance, networks in known)
        ]


def parse_allowance(text: str) -> AllowRule:
    """From "10.0.0.5", "10.0.0.0/24:80" or "srv:80". Raises ValueError."""
    bare = text.strip()
    if "/" in bare:
        return parse_network(bare, text)
    try:
        endpoint = parse_endpoint(bare)
    except ValueError:
        pass
    else:
        return AllowRule(endpoint.host, endpoint.ports)
    try:
        return AllowRule(parse_endpoint(f"[{bare}]:1" if bare.count(":") > 1 and "[" not in bare else f"{bare}:1").host, None)
    except ValueError:
        raise ValueError(f"{text!r} is no server; {FORMS}") from None


def parse_network(bare: str, text: str) -> AllowRule:
    """Ports stand after an IPv6 network only where that is in brackets."""
    found = BRACKETS.fullmatch(bare) or (BARE if bare.count(":") > 1 else WITH_PORTS).fullmatch(bare)
    if found is None:
        raise ValueError(f"{text!r} is no network; {FORMS}")
    network, ports = found["network"], found.groupdict().get("ports")
    try:
        return AllowRule(str(ipaddress.ip_network(network)), parse_ports(ports) if ports else None)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}; {FORMS}") from None


def networks_of(host: str) -> list[Network]:
    """Raises UsageError for a name that has no address."""
    try:
        return [ipaddress.ip_network(host)]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"--allow {host}: {error.strerror}; write an address, or correct the name") from None
    return [ipaddress.ip_network(str(item[4][0]).partition("%")[0]) for item in found]


def refusal(destination: Address, instead: str, *, slow: bool) -> str:
    """``instead``: what it did when it was asked for a proof; empty: nobody could ask."""
    host, port = destination
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    option, may = ("--allow-slow", "slow clients may hold it up") if slow else ("--allow", "it may be loaded")
    what = f"did not prove to be a c1m-target of this run ({instead})" if instead else "is no c1m-target"
    return f"{where} {what}, and this worker was not told that {may}; start it with {option} {where}"
