"""What the operator of a worker allows: servers that may be held up by slow clients from here."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

from c1m.endpoints import parse_endpoint
from c1m.errors import RefusedError, UsageError
from c1m.ports import PortRanges
from c1m.routes import Address

FORMS = "write 10.0.0.5, 10.0.0.5:80, srv:8000-8010 or [fd00::1]:80"


@dataclass(frozen=True, slots=True)
class Allowance:
    """``ports`` is None for all of the host's."""

    host: str  # an address, or a name
    ports: PortRanges | None

    def covers(self, destination: Address, addresses: Iterable[str]) -> bool:
        """``addresses`` are the host's."""
        host, port = destination
        return host in addresses and (self.ports is None or port in self.ports)


def parse_allowance(text: str) -> Allowance:
    """From "10.0.0.5" or "srv:80". Raises ValueError."""
    bare = text.strip()
    try:
        endpoint = parse_endpoint(bare)
    except ValueError:
        pass
    else:
        return Allowance(endpoint.host, endpoint.ports)
    try:
        return Allowance(parse_endpoint(f"[{bare}]:1" if bare.count(":") > 1 and "[" not in bare else f"{bare}:1").host, None)
    except ValueError:
        raise ValueError(f"{text!r} is no server; {FORMS}") from None


def check(allowances: Iterable[Allowance], destinations: Iterable[Address]) -> None:
    """Raises RefusedError for the first server that was not allowed."""
    known = [(allowance, addresses_of(allowance.host)) for allowance in allowances]
    for destination in destinations:
        if not any(allowance.covers(destination, addresses) for allowance, addresses in known):
            host, port = destination
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            raise RefusedError(
                f"{where} is no c1m-target, and this worker was not told that slow clients may hold it up; "
                f"start it with --allow-slow {where}"
            )


def addresses_of(host: str) -> frozenset[str]:
    """Raises UsageError for a name that has none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"--allow-slow {host}: {error.strerror}; write an address, or correct the name") from None
    return frozenset(str(item[4][0]) for item in found)
