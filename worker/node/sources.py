"""The source addresses of a worker: what --source names on this machine, and the default where nothing was named."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psutil

from c1m.errors import RefusedError, UsageError
from c1m.kernel.ipv6 import local_prefixes
from c1m.net.addresses import AddressBlock, AddressPool, Interface

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
DISCARD_PORT = 9  # a UDP socket connects to it without sending anything

# errno of connect() -> what kind of route `ip route get` shows, and what to do about it.
ROUTES = {
    errno.EINVAL: "its route there is a blackhole; delete it (ip route del)",
    errno.EACCES: "its route there is a prohibit, or its firewall forbids it; delete it (ip route del)",
    errno.EPERM: "its firewall forbids it (nft list ruleset)",
    errno.EHOSTUNREACH: "its route there is an unreachable, or the host does not answer; look at ip route get",
    errno.ENETUNREACH: "add one (ip route add), or name an address that it reaches",
}
UNLISTED = (
    "cannot list this machine's interfaces ({reason}): AF_NETLINK is forbidden here, by RestrictAddressFamilies= of the unit "
    "or a seccomp profile; permit it, or name addresses with --source instead of {name}"
)


def resolve(items: Iterable[AddressBlock | Interface]) -> AddressPool:
    """Return the pool of the source addresses that --source names: blocks as they are, interfaces as the addresses that they
    have now. Raises UsageError for an unknown interface.
    """
    blocks: list[AddressBlock] = []
    for item in items:
        blocks += [item] if isinstance(item, AddressBlock) else addresses_of(item.name)
    return AddressPool(tuple(blocks))


def interfaces_if_known() -> Mapping[str, Sequence[Any]]:
    """Return {name: addresses} of this machine's interfaces; empty if AF_NETLINK is forbidden, by which they are listed."""
    try:
        return psutil.net_if_addrs()
    except OSError:
        return {}


def addresses_of(interface: str) -> list[AddressBlock]:
    """Return an interface's addresses without link-local ones, which need a scope.

    Raises UsageError for an unknown interface, and RefusedError if the interfaces cannot be listed.
    """
    try:
        interfaces = psutil.net_if_addrs()
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        raise RefusedError(UNLISTED.format(reason=reason, name=interface)) from None
    if interface not in interfaces:
        known = ", ".join(sorted(interfaces))
        raise UsageError(f"this machine has no interface {interface!r}, it has {known}; name one of these or addresses")
    blocks = []
    for entry in interfaces[interface]:
        if entry.family in (socket.AF_INET, socket.AF_INET6):
            address = ipaddress.ip_address(entry.address.partition("%")[0])
            if not address.is_link_local:
                blocks.append(AddressBlock(int(address), 1, address.version))
    return blocks


def toward(destination: str) -> AddressPool:
    """Return the addresses of the interface that routes to a destination; all of 127.0.0.0/8 for loopback.

    Raises UsageError when there is no route.
    """
    target = ipaddress.ip_address(destination)
    if target in LOOPBACK:
        return AddressPool((AddressBlock(int(LOOPBACK[1]), LOOPBACK.num_addresses - 2, 4),)).without(destination)
    local = source_toward(destination)
    for name, entries in interfaces_if_known().items():
        if any(entry.address.partition("%")[0] == local for entry in entries):
            return AddressPool(tuple(addresses_of(name))).of_version(target.version)
    return AddressPool((AddressBlock(int(ipaddress.ip_address(local)), 1, target.version),))


def on_link(pool: AddressPool, destinations: Iterable[str]) -> int:
    """Return how many of the pool's addresses share a network with a destination.

    The destination's host needs a neighbour entry for each of them. Addresses of a prefix that was made local share none: they
    are routed, through one address of this machine.
    """
    found = AddressPool(tuple(piece for network in networks_of(destinations) for piece in shared(pool, network)))
    return found.size


def networks_of(destinations: Iterable[str]) -> list[Network]:
    """Return the networks of this machine's interfaces that contain a destination. Loopback has no neighbours and does not
    count.
    """
    wanted = [ipaddress.ip_address(destination) for destination in destinations]
    own = [
        ipaddress.ip_interface(f"{entry.address.partition('%')[0]}/{prefix_length(entry.netmask)}").network
        for entries in interfaces_if_known().values()
        for entry in entries
        if entry.family in (socket.AF_INET, socket.AF_INET6) and entry.netmask
    ]
    return [network for network in own if not network.is_loopback and any(address in network for address in wanted)]


def prefix_length(mask: str) -> int:
    """Return the prefix length of a netmask, such as 24 for 255.255.255.0, for either family."""
    return int(ipaddress.ip_address(mask)).bit_count()


def shared(pool: AddressPool, network: Network) -> Iterable[AddressBlock]:
    """Yield the parts of a pool of addresses that lie in a network, as blocks."""
    first, end = int(network.network_address), int(network.network_address) + network.num_addresses
    for block in pool.blocks:
        low, high = max(first, block.first), min(end, block.end)
        if block.version == network.version and low < high:
            yield AddressBlock(low, high - low, block.version)


def source_toward(destination: str) -> str:
    """Return the source address that the kernel would choose toward a destination. Raises UsageError when there is no route."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((destination, DISCARD_PORT))
        except OSError as error:
            cure = ROUTES.get(error.errno or 0)
            told = f"this machine has no route to {destination}: {error.strerror}" + (f"; {cure}" if cure else "")
            raise UsageError(told) from None
        return str(probe.getsockname()[0])


def check_local(pool: AddressPool) -> None:
    """Raise RefusedError if the pool contains an address that does not belong to this machine.

    Only the ends of each block are checked.
    """
    for block in pool.blocks:
        alone = AddressPool((block,))
        for address in {alone.at(0), alone.at(alone.size - 1)}:
            if not is_local(address):
                raise RefusedError(
                    f"the source address {address} is not this machine's; add it (ip addr add), or make its prefix local "
                    f"(ip route add local PREFIX dev lo), or name others with --source"
                )


def is_local(address: str) -> bool:
    """Return whether the kernel lets this process bind an address.

    Sources are bound with IPV6_FREEBIND, so for IPv6 a local prefix counts as well.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            # EADDRINUSE: a program has used up the ephemeral ports of this address, which is therefore local.
            if error.errno != errno.EADDRNOTAVAIL:
                return True
            return family == socket.AF_INET6 and any(ipaddress.IPv6Address(address) in prefix for prefix in local_prefixes())
    return True
