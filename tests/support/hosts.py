"""A host as a node describes it."""

from __future__ import annotations

from c1m.measure.sample import Host

FACTS = {"net.core.somaxconn": "64", "fs.epoll.max_user_watches": "1000", "kernel.pid_max": "500", "kernel.threads-max": "400"}
LEVELS = {"threads": 390, "memory_available_bytes": 10**10}
HOST = Host(1, "", "boot", "srv", "6.18", 2, 10**10, 10**10, 20_000, 19_900, 1, FACTS, levels=LEVELS)
