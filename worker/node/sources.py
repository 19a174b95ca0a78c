"""The source addresses of a worker: what --source names on this machine, and what it means when nothing was named."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

import psutil

from c1m.errors import RefusedError, UsageError
from c1m.kernel.ipv6 import local_prefixes
from c1m.net.addresses import AddressBlock, AddressPool, Interface

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
DISCARD_PORT = 9  # a UDP socket connects to it without sending anything


def resolve(items: Iterable[AddressBlock | Interface]) -> AddressPool:
    """Blocks as they are, interfaces as the addresses that they have now. Raises UsageError for an unknown interface."""
    blocks: list[AddressBlock] = []
    for item in items:
        blocks += [item] if isinstance(item, AddressBlock) else addresses_of(item.name)
    return AddressPool(tuple(blocks))


def addresses_of(interface: str) -> list[AddressBlock]:
    """An interface's own addresses, less link-local ones, which need a scope."""
    interfaces = psutil.net_if_addrs()
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
    """The addresses of the interface that routes to a destination; all of 127.0.0.0/8 toward loopback.

    Raises UsageError when there is no route.
    """
    target = ipaddress.ip_address(destination)
    if target in LOOPBACK:
        return AddressPool((AddressBlock(int(LOOPBACK[1]), LOOPBACK.num_addresses - 2, 4),)).without(destination)
    local = source_toward(destination)
    for name, entries in psutil.net_if_addrs().items():
        if any(entry.address.partition("%")[0] == local for entry in entries):
            return AddressPool(tuple(addresses_of(name))).of_version(target.version)
    return AddressPool((AddressBlock(int(ipaddress.ip_address(local)), 1, target.version),))


def on_link(pool: AddressPool, destinations: Iterable[str]) -> int:
    """How many of the addresses are on one network with a destination, whose host has to know the way to each of them.

    A prefix that was made local is on none: it is routed, by one address of this machine.
    """
    found = AddressPool(tuple(piece for network in networks_of(destinations) for piece in shared(pool, network)))
    return found.size


def networks_of(destinations: Iterable[str]) -> list[Network]:
    """Those of this machine's interfaces that hold a destination; loopback, where nobody is a neighbour, is none."""
    wanted = [ipaddress.ip_address(destination) for destination in destinations]
    own = [
        ipaddress.ip_interface(f"{entry.address.partition('%')[0]}/{prefix_length(entry.netmask)}").network
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in (socket.AF_INET, socket.AF_INET6) and entry.netmask
    ]
    return [network for network in own if not network.is_loopback and any(address in network for address in wanted)]


def prefix_length(mask: str) -> int:
    """Of a mask as psutil writes it, for either family."""
    return int(ipaddress.ip_address(mask)).bit_count()


def shared(pool: AddressPool, network: Network) -> Iterable[AddressBlock]:
    """The parts of a pool that are in a network."""
    first, end = int(network.network_address), int(network.network_address) + network.num_addresses
    for block in pool.blocks:
        low, high = max(first, block.first), min(end, block.end)
        if block.version == network.version and low < high:
            yield AddressBlock(low, high - low, block.version)


def source_toward(destination: str) -> str:
    """The address that the kernel would choose."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((destination, DISCARD_PORT))
        except OSError as error:
            raise UsageError(f"this machine has no route to {destination}: {error.strerror}") from None
        return str(probe.getsockname()[0])


def check_local(pool: AddressPool) -> None:
    """Raises RefusedError, naming the first address found that is not this machine's. Looks at the ends of each block."""
    for block in pool.blocks:
        alone = AddressPool((block,))
        for address in {alone.at(0), alone.at(alone.size - 1)}:
            if not is_local(address):
                raise RefusedError(
                    f"the source address {address} is not this machine's; add it (ip addr add), or make its prefix local "
                    f"(ip route add local PREFIX dev lo), or name others with --source"
                )


def is_local(address: str) -> bool:
    """Whether the kernel lets us bind it. For IPv6 a local prefix counts as well: sources are bound with IPV6_FREEBIND."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return family == socket.AF_INET6 and any(ipaddress.IPv6Address(address) in prefix for prefix in local_prefixes())
    return True
