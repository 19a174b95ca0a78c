"""Converts addresses, ports and routes to protobuf messages and back."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from c1m.errors import UsageError
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import Route
from c1m.v1 import node_pb2, worker_pb2

from . import bounds


def pool_to_wire(pool: AddressPool) -> list[node_pb2.AddressBlock]:
    """Return the protobuf messages for the address blocks of a pool."""
    return [
        node_pb2.AddressBlock(first=str(_address(block.version, block.first)), count=min(block.count, 2**63))
        for block in pool.blocks
    ]


def pool_from_wire(blocks: Iterable[node_pb2.AddressBlock]) -> AddressPool:
    """Return the pool of addresses from the protobuf messages of its blocks.

    Raises UsageError for invalid addresses, and for more than MOST_BLOCKS blocks.
    """
    found = list(blocks)
    bounds.at_most("blocks of addresses", found, bounds.MOST_BLOCKS)
    try:
        firsts = [(ipaddress.ip_address(block.first), block.count) for block in found]
        pool = AddressPool(tuple(AddressBlock(int(first), count, first.version) for first, count in firsts))
    except ValueError as error:
        raise UsageError(f"the source addresses of a request are invalid: {error}") from None
    return pool


def ports_to_wire(ports: PortRanges) -> list[node_pb2.PortRange]:
    """Return the protobuf messages for ranges of ports."""
    return [node_pb2.PortRange(low=low, high=high) for low, high in ports.ranges]


def ports_from_wire(ranges: Iterable[node_pb2.PortRange]) -> PortRanges:
    """Return the ports from the protobuf messages of their ranges.

    Raises UsageError for invalid ports, and for more than MOST_RANGES ranges.
    """
    found = list(ranges)
    bounds.at_most("ranges of ports", found, bounds.MOST_RANGES)
    try:
        return PortRanges(tuple((item.low, item.high) for item in found))
    except ValueError as error:
        raise UsageError(f"the client ports of a request are invalid: {error}") from None


def route_to_wire(route: Route) -> worker_pb2.Route:
    """Return the protobuf message for a route: connections to one destination."""
    host, port = route.destination
    return worker_pb2.Route(
        destination=node_pb2.Address(host=host, port=port),
        first=route.first,
        span=route.span,
        count=route.count,
    )


def route_from_wire(route: worker_pb2.Route) -> Route:
    """Return a route (connections to one destination) from its protobuf message."""
    return Route((route.destination.host, route.destination.port), route.first, route.span, route.count)


def _address(version: int, number: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number)
