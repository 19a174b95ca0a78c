"""What kernels write in /proc, and over netlink: whatever it is, a parser understands it, or says so with a ValueError."""

from __future__ import annotations

import struct
from collections import Counter
from random import Random

from c1m.kernel import (
    activity,
    cgroup,
    cgroup_events,
    ipv6,
    limits,
    machine,
    meminfo,
    owners,
    packet_drops,
    process_footprint,
    reader,
    slab,
    sockdiag,
    sockstat,
)
from c1m.limits.sysctls import whole
from c1m.net import ports
from chance import decoded, text
from fuzzed import Target, each, tried

SEEDS = (
    "slabinfo - version: 2.1\n# name\nTCP  65 117 2496 13 8 : tunables 0 0 0 : slabdata 9 9 0\n",
    "MemTotal:  24578120 kB\nMemFree: 1 kB\nActive(file): 2 kB\nInactive(file): 3 kB\nSlab: 4 kB\nHugePages_Total: 0\n",
    "sockets: used 290\nTCP: inuse 7 orphan 0 tw 2 alloc 12 mem 1\n",
    "TcpExt: SyncookiesSent ListenDrops\nTcpExt: 0 18446744073709551615\n",
    "00000001 00000000 00000000\n00000002 00000000 0000ffff 00000000\n",
    "entries searched drop early_drop\n00000001 00000000 00000000 00000000\n",
    "Rss:  1676 kB\nPss:  488 kB\n",
    "3404 (ca) t) R 3396 3404 1 0 -1 4194304 91 0 0 0 7 9 0 0 20 0 1 0 5 6 7\n",
    "FDSize:\t64\nCapEff:\t000001ffffffffff\n",
    "Max open files            1024                 4096                 files     \n",
    "cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1\n",
    "4:memory:/a/b\n0::/c\n",
    "35 31 0:32 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n36 31 0:33 /a /m\\040n rw - cgroup c rw,memory\n",
    "max 12\nnr_throttled 3\noom_kill 0\n",
    f"fd{'0' * 30} 40 {'0' * 32} 00 {'0' * 32} 00000400 00000001 00000000 80200001       lo\n",
    "model name\t: AMD EPYC\nflags\t\t: fpu hypervisor\n",
    "1024\t0\t9223372036854775807\n",
    "0.52 0.58 0.59 2/512 12345\n",
    "100 200 3\n",
    "32768\t60999\n",
    "8080,9148-9150\n",
    "total_inactive_file 4096\ninactive_file 1\n",
    "max\n",
)
WORDS = (*{word: None for seed in SEEDS for word in seed.replace("\n", " ").split(" ") if word}, *"\n\n  \t", " kB\n")
PARSERS = (
    slab.parse_slabinfo,
    lambda words: slab.merged([(word, words[:9]) for word in words.split()]),
    whole,
    meminfo.parse_meminfo,
    lambda words: meminfo.memory_state(meminfo.parse_meminfo(words)),
    meminfo.parse_limit,
    meminfo.parse_inactive_file,
    sockstat.parse_sockstat,
    sockstat.parse_netstat,
    packet_drops.parse_softnet,
    packet_drops.parse_conntrack,
    process_footprint.parse_smaps_rollup,
    process_footprint.parse_cpu_ticks,
    process_footprint.parse_fd_size,
    process_footprint.parse_descriptor_limit,
    machine.parse_ticks,
    machine.counters,
    owners.parse_parent,
    process_footprint.parse_state,
    activity.parse_run_delay,
    activity.parse_descriptor_limit,
    cgroup.parse_cgroups,
    cgroup.parse_mountinfo,
    lambda words: cgroup.directories("4:memory:/a/b\n0::/c\n", words, "memory"),
    lambda words: cgroup.directories(words, SEEDS[12], "memory"),
    lambda words: cgroup_events.number_after("max", words),
    ipv6.parse_ipv6_route,
    limits.parse_capabilities,
    machine.processor,
    lambda words: machine.hypervisor(words, words),
    machine.steal,
    reader.parse_file_nr,
    reader.parse_threads,
    ports.parse_port_range,
    ports.parse_kernel_ports,
)


def make(chance: Random) -> bytes:
    return text(chance, WORDS)


def socket_dump(chance: Random) -> bytes:
    """Messages of netlink, mostly of the right length and type, and mostly with an end."""
    messages = []
    for _ in range(chance.randrange(4)):
        length = chance.choice((88, 88, 88, 96, 0, 1, 87, 65_536, 2**32 - 1))
        body = chance.randbytes(min(length, 96) if length >= 16 else 88)
        messages.append(struct.pack("=IH", length, chance.choice((20, 20, 20, 2, 3, 0))) + body[6:])
    error = chance.choice((0, 0, -2, -4095, -4096, 1, -(2**31)))
    return b"".join(messages) + struct.pack("=IHHIIi", 20, chance.choice((3, 3, 2, 20)), 0, 0, 0, error)


def folded(data: bytes) -> str:
    """By every fold; OSError is the kernel's refusal."""
    counts: dict[int, int] = {}
    folds = (
        lambda: sockdiag.fold_ports(data, counts, "local"),
        lambda: sockdiag.fold_states(data, Counter()),
        lambda: sockdiag.fold_queues(data, {}),
        lambda: sockdiag.fold_inodes(data, set()),
        lambda: sockdiag.fold_pairs(data, Counter()),
    )
    return " ".join(tried(fold, refusals=(ValueError, OSError)) for fold in folds)


TARGETS = (
    Target("proc", tuple(seed.encode() for seed in SEEDS), make, lambda data: each(PARSERS, decoded(data))),
    Target("netlink", (struct.pack("=IHHIIi", 20, 3, 0, 0, 0, 0),), socket_dump, folded),
)
