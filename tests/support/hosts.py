"""A host as a node describes it."""

from __future__ import annotations

from c1m.measure.sample import Host

FACTS = {"net.core.somaxconn": "64", "fs.epoll.max_user_watches": "1000", "kernel.pid_max": "500", "kernel.threads-max": "400"}
LEVELS = {"threads": 390, "memory_available_bytes": 10**10}
HOST = Host(1, "", "boot", "srv", "6.18", 2, 10**10, 10**10, 20_000, 19_900, 1, FACTS, levels=LEVELS)
SMALL_HOST = Host(
    protocol=2,
    version="",
    boot_id="boot",
    hostname="h",
    kernel="6.18",
    cores=2,
    memory_total_bytes=10_000_000,
    memory_available_bytes=4_000_000,
    descriptors_per_process=264,
    connections_per_process=200,
    network_namespace=7,
)
