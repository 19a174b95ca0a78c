"""The allow list of a worker: which servers may be loaded from here, and which of them with slow clients."""

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

from .target_proof import CLOSED

FORMS = "write 10.0.0.5, 10.0.0.0/24, 10.0.0.5:80, srv:8000-8010 or [fd00::/64]:80"

BRACKETS = re.compile(r"\[(?P<network>[^]]+)\](:(?P<ports>.+))?")
WITH_PORTS = re.compile(r"(?P<network>[^:]+)(:(?P<ports>.+))?")
BARE = re.compile(r"(?P<network>.+)")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class AllowRule:
    """A rule that allows runs to load one server, by host and ports. ``ports`` is None where all ports are allowed."""

    host: str  # an address, a network, or a name
    ports: PortRanges | None

    def covers(self, destination: Address, networks: Iterable[Network]) -> bool:
        """Return whether the rule allows a destination. ``networks`` are those of the rule's host."""
        host, port = destination
        inside = any(ipaddress.ip_address(host) in network for network in networks)
        return inside and (self.ports is None or port in self.ports)


LOOPBACK = (AllowRule("127.0.0.0/8", None), AllowRule("::1", None))


@dataclass(frozen=True, slots=True)
class AllowList:
    """The servers that runs may load from this worker: ``plain`` are the rules of --allow, ``slow`` those of --allow-slow,
    which imply --allow.
    """

    plain: Sequence[AllowRule] = ()
    slow: Sequence[AllowRule] = ()

    def beyond(self, destinations: Iterable[Address], *, slow: bool) -> list[Address]:
        """Return the destinations that no rule allows: they must prove to be targets of the run.

        Raises UsageError for a rule with a name that has no address.
        """
        named = self.slow if slow else (*LOOPBACK, *self.plain, *self.slow)
        known = [(allowance, networks_of(allowance.host)) for allowance in named]
        return [
            destination
            for destination in destinations
            if not any(allowance.covers(destination, networks) for allowance, networks in known)
        ]


def parse_allowance(text: str) -> AllowRule:
    """Return the allow rule in a text such as "10.0.0.5", "10.0.0.0/24:80" or "srv:80". Raises ValueError for other text."""
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
    """Return the allow rule for a network and its ports, such as "10.0.0.0/24:80".

    Raises ValueError for other text. After an IPv6 network ports are possible only if the network is in brackets.
    """
    found = BRACKETS.fullmatch(bare) or (BARE if bare.count(":") > 1 else WITH_PORTS).fullmatch(bare)
    if found is None:
        raise ValueError(f"{text!r} is no network; {FORMS}")
    network, ports = found["network"], found.groupdict().get("ports")
    try:
        return AllowRule(str(ipaddress.ip_network(network)), parse_ports(ports) if ports else None)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}; {FORMS}") from None


def networks_of(host: str) -> list[Network]:
    """Return the networks of an allow rule's host: the network itself, or the addresses of a name.

    Raises UsageError for a name without an address.
    """
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
    """Return the sentence that refuses to load a destination.

    ``instead`` is what the destination did when it was asked for a proof; it is empty if the destination could not be asked.
    """
    host, port = destination
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    option, may = ("--allow-slow", "slow clients may hold it up") if slow else ("--allow", "it may be loaded")
    what = f"did not prove to be a c1m-target of this run ({instead})" if instead else "is no c1m-target"
    if instead in CLOSED:
        what += ", perhaps because a NAT translates this worker's sources and it was started with --only-run-sources"
    return f"{where} {what}, and this worker was not told that {may}; start it with {option} {where}"
