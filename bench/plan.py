"""How long it takes to plan a billion connections on ten thousand nodes: facts, plan, every limit of every node, ranking.

Pure computing; nothing is asked or opened. `python bench/plan.py [NODES [TOTAL]]`
"""

from __future__ import annotations

import sys
import time

from c1m.coordinator.planning.capacity import TargetFacts, WorkerFacts
from c1m.coordinator.planning.documents import plan_document
from c1m.coordinator.planning.preflight import Fleet, Preflight, RunDemand
from c1m.limits.budget import budgets_of
from c1m.limits.limit import NO_LIMIT, HostRole
from c1m.measure.sample import Host
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges

PORTS = PortRanges(((1024, 32767), (32768, 59999)))
FACTS = {
    "net.core.somaxconn": "65535",
    "net.ipv4.ip_local_port_range": "32768 60999",
    "net.ipv4.ip_local_reserved_ports": "",
    "net.ipv4.tcp_mem": "287898 383867 575796",
    "net.ipv4.tcp_ehash_entries": "524288",
    "net.ipv4.tcp_syncookies": "1",
    "fs.epoll.max_user_watches": "5491511",
    "fs.file-max": "2466170",
    "fs.nr_open": "1048576",
    "kernel.pid_max": "4194304",
    "kernel.threads-max": "192730",
}
WORKER_BYTES, TARGET_BYTES = 16 * 10**9, 8 * 10**12


def host(name: str, each: int, memory: int) -> Host:
    """An ordinary machine; the target's only has more of everything, since the question is the planner."""
    scale = memory // WORKER_BYTES
    facts = {**FACTS, "fs.file-max": str(2466170 * scale), "fs.epoll.max_user_watches": str(5491511 * scale)}
    limits = {"RLIMIT_NPROC": 96000, "cgroup_pids": NO_LIMIT, "cgroup_memory_bytes": NO_LIMIT, "rp_filter": 0}
    levels = {"memory_available_bytes": memory, "open_files": 2000, "threads": 300, "tcp_inuse": 20, "conntrack": 0}
    return Host(1, "", name, name, "6.18", 8, memory, memory, each + 64, each, 1, facts, {}, {}, limits, levels)


def fleet(nodes: int) -> Fleet:
    hosts = {f"worker {index}": host(f"host {index}", 19_936, WORKER_BYTES) for index in range(nodes)}
    workers = [
        WorkerFacts(name, of.namespace, of.cores, 19_936, sources(index), PORTS, budgets_of(name, of, HostRole.WORKER))
        for index, (name, of) in enumerate(hosts.items())
    ]
    big = host("server", 1 << 20, TARGET_BYTES)
    target = TargetFacts("target", 64, 1 << 20, 60_000, budgets=budgets_of("target", big, HostRole.TARGET))
    return Fleet(workers, target, {**hosts, "target": big})


def sources(index: int) -> AddressPool:
    """Two addresses for each node."""
    return AddressPool((AddressBlock((10 << 24) + 4 * index, 2, 4),))


def main() -> None:
    nodes, total = (int(word) for word in [*sys.argv[1:], *("10000", "1000000000")[len(sys.argv) - 1 :]])
    began, used = time.perf_counter(), time.process_time()
    made = fleet(nodes)
    described = time.perf_counter()
    preflight = Preflight(total, made, RunDemand())
    plan, refused = preflight.plan()
    planned = time.perf_counter()
    troubled, ceiling, ranking = preflight.not_ok, preflight.ceiling, preflight.ranking
    assessed, used = time.perf_counter(), time.process_time() - used
    plan_document(preflight, plan, refused)
    ended = time.perf_counter()
    print(f"{nodes:,} nodes, {total:,} connections: {'planned' if plan else refused[0]}")
    print(f"{len(troubled):,} limits of nodes are not ok; the fleet holds {ceiling:,}; first is {ranking[0].limit.name}")
    print(f"describing the fleet {described - began:.2f} s, its document {ended - assessed:.2f} s")
    print(f"plan and assessment {planned - described:.2f} s, ranking and ceiling {assessed - planned:.2f} s")
    print(f"facts -> plan -> assessment -> ranking: {assessed - began:.2f} s, {used:.2f} s of CPU")


if __name__ == "__main__":
    main()
