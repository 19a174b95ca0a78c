"""Workers, targets and pools as a plan knows them."""

from __future__ import annotations

from c1m.coordinator.planning.capacity import TargetFacts, WorkerFacts
from c1m.limits.budget import Budget
from c1m.limits.connection_memory import MEMORY_MARGIN, TARGET_END, WORKER_END
from c1m.limits.table import BY_NAME
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges

LOCAL_8 = AddressPool((AddressBlock(127 << 24, 2**24 - 1, 4),))
SLASH_64 = AddressPool((AddressBlock(0xFD << 120, 2**64, 6),))
ALL_PORTS = PortRanges(((1024, 65535),))


def pool(first: int, count: int) -> AddressPool:
    return AddressPool((AddressBlock((10 << 24) + first, count, 4),))


def remembering(host: str, memory: int | None, each: int) -> tuple[Budget, ...]:
    """The budget of a host's memory, as its nodes tell it; none where it is unknown."""
    return () if memory is None else (Budget(BY_NAME["memory"], host, memory * (1 - MEMORY_MARGIN), each),)


def worker(
    name: str = "w",
    host: str = "h",
    namespace: str = "h 1",
    cores: int = 2,
    each: int = 1_000,
    memory: int | None = None,
    sources: AddressPool = LOCAL_8,
    ports: PortRanges = ALL_PORTS,
) -> WorkerFacts:
    return WorkerFacts(name, namespace, cores, each, sources, ports, remembering(host, memory, WORKER_END))


def target(
    host: str = "h", cores: int = 2, each: int = 1_000, ports: int = 1_000, memory: int | None = None, single: bool = False
) -> TargetFacts:
    return TargetFacts("t", cores, each, ports, single_port=single, budgets=remembering(host, memory, TARGET_END))


def endpoint(ports: int) -> TargetFacts:
    return TargetFacts("e", 0, 0, ports, is_endpoint=True)
