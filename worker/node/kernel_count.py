"""Counts the connections of shards in this machine's kernel, by sock_diag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from c1m.kernel import sockdiag
from c1m.net.tuples import Address
from c1m.worker.shard.assignment import ShardAssignment

CLOSING_STATES = frozenset({4, 5, 11})  # FIN_WAIT1, FIN_WAIT2 and CLOSING of enum tcp_states, include/net/tcp_states.h


def established(shards: Sequence[ShardAssignment]) -> int:
    """Return how many connections the kernel has established from the shards' sources and ports to their destinations.

    Connections of others in the namespace do not count.
    """
    ports, family = ports_of(shards)
    space = shards[0].space
    counts = sockdiag.count_by_port(ports, "remote", family, local=space.sources.networks(), local_ports=space.ports.ranges)
    return sum(counts.values())


def are_closing(shards: Sequence[ShardAssignment]) -> bool:
    """Return whether the kernel still has connections of the shards whose FINs their peers have not answered.

    False if the kernel does not report it.
    """
    ports, family = ports_of(shards)
    try:
        return bool(sockdiag.count_by_state(ports, "remote", CLOSING_STATES, family))
    except OSError:
        return False


def ports_of(shards: Sequence[ShardAssignment]) -> tuple[list[tuple[int, int]], sockdiag.Family]:
    """Return the destination ports of some shards as (port, port) ranges, and the address family of their sources, 4 or 6."""
    ports = sorted({port for _, port in destinations_of(shards)})
    return [(port, port) for port in ports], 6 if shards[0].space.sources.version == 6 else 4


def destinations_of(shards: Iterable[ShardAssignment]) -> set[Address]:
    return {route.destination for shard in shards for route in shard.routes}
