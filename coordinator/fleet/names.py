"""Names of servers: which of their addresses a run connects to, since a worker binds sources of one address family."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from c1m.errors import UsageError
from c1m.net.endpoints import Endpoint

TRY_SECONDS = 1.0  # for one address of a name to accept a connection


class ChosenAddress(NamedTuple):
    """One address of a host, and the others that it has."""

    host: str  # as the user wrote it
    address: str
    others: Sequence[str] = ()

    @property
    def sentence(self) -> str:
        """Which address of a name is used, as a sentence; empty if the user wrote an address."""
        if self.host == self.address or is_address(self.host):
            return ""
        unused = f"; its other addresses are not used: {', '.join(self.others)}" if self.others else ""
        return f"{self.host} is {self.address}{unused}"


def is_address(host: str) -> bool:
    """Return whether a host is an IP address, and not a name."""
    with suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False


async def addresses_of(host: str) -> list[str]:
    """Return all addresses of a host, in the order of the resolver. Raises UsageError when it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"cannot resolve {host!r}: {error.strerror}; write an address, or correct the name") from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))


async def first_of(host: str, version: int | None = None) -> ChosenAddress | None:
    """Return the first address of a host; None if it has none of that IP version.

    ``version``: 4 or 6; None: either. Raises UsageError for a name that cannot be resolved.
    """
    found = await addresses_of(host)
    fitting = [address for address in found if version in (None, ipaddress.ip_address(address).version)]
    return chosen(host, fitting[0], found) if fitting else None


async def accepting_of(endpoint: Endpoint) -> ChosenAddress:
    """Return the first address of an endpoint's host that accepts a connection on its first port, as any client would do.

    A host with one address is not tried. If no address accepts, the first is returned: the workers may reach what this
    machine does not. Raises UsageError for a name that cannot be resolved.
    """
    found = await addresses_of(endpoint.host)
    if len(found) > 1:
        for address in found:
            if await accepts(address, endpoint.ports.at(0)):
                return chosen(endpoint.host, address, found)
    return chosen(endpoint.host, found[0], found)


async def accepts(address: str, port: int) -> bool:
    """Return whether a connection to an address and port can be opened within TRY_SECONDS. It is closed at once."""
    try:
        async with asyncio.timeout(TRY_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def chosen(host: str, address: str, found: Sequence[str]) -> ChosenAddress:
    """Return an address of a host with the others that the host has."""
    return ChosenAddress(host, address, tuple(each for each in found if each != address))
