"""HOST:PORT and HOST:PORT-PORT as people write them. IPv6 addresses are in brackets and kept in short form."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from .ports import HIGHEST_PORT, PortRanges, parse_ports

ENDPOINT_FORMS: Final = "write 10.0.0.5:80, srv:9000-9010 or [fd00::1]:80"
HOST_PORT_FORMS: Final = "write 10.0.0.5:7100, srv:7100 or [fd00::1]:7100"

LONGEST_NAME: Final = 253  # RFC 1035's 255 bytes on the wire, as text

# RFC 1123 labels, plus the underscore, which container networks use in names.
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One host and the ports to connect to, in order. ``host`` is a name, or an address without brackets."""

    host: str
    ports: PortRanges

    def __str__(self) -> str:
        return f"{_bracketed(self.host)}:{self.ports}"


@dataclass(frozen=True, slots=True)
class HostPort:
    """One host and one port. Port 0, for listening, lets the kernel choose."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether the host is a loopback address or "localhost". Other names are not resolved."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @property
    def uri(self) -> str:
        """The address HOST:PORT in gRPC's notation."""
        return str(self)

    def bound(self, port: int) -> HostPort:
        """Return the address with this host and the given port, which the kernel chose for listening on port 0."""
        return HostPort(self.host, port)

    def __str__(self) -> str:
        return f"{_bracketed(self.host)}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """Return the host and ports in a text such as "10.0.0.5:80", "srv:9000-9010" or "[fd00::1]:80,443".

    Raises ValueError for any other text.
    """
    host, ports = _split(text, ENDPOINT_FORMS)
    if ports is None:
        raise ValueError(f"{text!r} has no port; {ENDPOINT_FORMS}")
    return Endpoint(host, parse_ports(ports))


def parse_host_port(text: str, default_port: int | None = None, *, allow_zero: bool = False) -> HostPort:
    """Return the host and port in a text such as "a:7100", "[::1]:7100", or "a" alone if there is a default port.

    Raises ValueError for any other text.
    """
    host, port = _split(text, HOST_PORT_FORMS)
    if port is None:
        if default_port is None:
            raise ValueError(f"{text!r} has no port; {HOST_PORT_FORMS}")
        return HostPort(host, default_port)
    lowest = 0 if allow_zero else 1
    if not re.fullmatch("[0-9]{1,5}", port) or not lowest <= int(port) <= HIGHEST_PORT:
        raise ValueError(f"{text!r} has no port from {lowest} to {HIGHEST_PORT}; {HOST_PORT_FORMS}")
    return HostPort(host, int(port))


def _split(text: str, forms: str) -> tuple[str, str | None]:
    """Return the host in a text "HOST:PORTS" and the text after the colon, or None for the latter if there is no colon.

    Raises ValueError with the accepted ``forms`` if the text has neither form.
    """
    bare = text.strip()
    if bare.startswith("["):
        inside, closed, rest = bare[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} has brackets that are not closed, or not followed by a colon; {forms}")
        return _ipv6(inside, text), rest[1:] if rest else None
    if bare.count(":") > 1:
        raise ValueError(f"{text!r} has more than one colon; IPv6 addresses go in brackets: {forms}")
    host, colon, port = bare.partition(":")
    return _name_or_ipv4(host, text, forms), port if colon else None


def _ipv6(inside: str, text: str) -> str:
    if "%" in inside:
        raise ValueError(f"{text!r} has a scope, which c1m does not support; use a global or fd00::/8 address")
    try:
        return str(ipaddress.IPv6Address(inside))
    except ValueError:
        raise ValueError(f"{text!r} has no IPv6 address in its brackets; write [fd00::1]:80") from None


def _name_or_ipv4(host: str, text: str, forms: str) -> str:
    if not host:
        raise ValueError(f"{text!r} names no host; {forms}, with 0.0.0.0 to listen on every IPv4 address")
    if len(host) > LONGEST_NAME or not _NAME.fullmatch(host):
        raise ValueError(f"{text!r} does not begin with a host name or an address; {forms}")
    # Resolvers read "10.1" as 10.0.0.1 and "10.0.0.010" as 10.0.0.8, which is not what people mean by them.
    if host.rstrip(".").rpartition(".")[2].isdigit():
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError(f"{text!r} does not begin with an IPv4 address; {forms}") from None
    return host


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
