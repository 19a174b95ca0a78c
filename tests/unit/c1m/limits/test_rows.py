"""The table of limits, row by row: what is read, what is used, what a run needs, when that stops it, and what lifts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from hosts import SMALL_HOST

from c1m.limits.assessment import Member, assess, assess_place, usages
from c1m.limits.ceilings import CEILINGS
from c1m.limits.limit import NO_LIMIT, Demand, HostRole, Limit, LimitStatus, Scope
from c1m.limits.memory_limits import MEMORY
from c1m.limits.process_limits import PROCESSES
from c1m.limits.queue_limits import QUEUES
from c1m.limits.table import BY_NAME, LIMITS
from c1m.limits.tuple_limits import TUPLES

OK, TIGHT, STOPS, UNKNOWN = LimitStatus.OK, LimitStatus.TIGHT, LimitStatus.STOPS, LimitStatus.UNKNOWN
WORKER, TARGET, SERVER = HostRole.WORKER, HostRole.TARGET, HostRole.SERVER

HOST = replace(
    SMALL_HOST,
    facts={
        "net.ipv4.tcp_mem": "10 20 1500",
        "net.ipv4.tcp_rmem": "4096 131072 6291456",
        "net.ipv4.tcp_max_orphans": "4096",
        "net.ipv4.tcp_max_tw_buckets": "8192",
        "net.ipv4.tcp_ehash_entries": "-64",
        "fs.nr_open": "1048576",
        "fs.file-max": "5000",
        "fs.epoll.max_user_watches": "900",
        "kernel.threads-max": "300",
        "kernel.pid_max": "29",
        "net.ipv4.ip_local_port_range": "32768 60999",
        "net.ipv4.ip_local_reserved_ports": "5000-5009,6000",
        "net.core.somaxconn": "64",
        "net.ipv4.tcp_max_syn_backlog": "32",
        "net.ipv4.tcp_syncookies": "0",
        "net.core.netdev_max_backlog": "1000",
        "net.netfilter.nf_conntrack_max": "1100",
        "net.netfilter.nf_conntrack_tcp_timeout_established": "200",
        "net.ipv4.neigh.default.gc_thresh3": "1024",
        "net.ipv6.neigh.default.gc_thresh3": "60",
    },
    limits={
        "cgroup": 5,
        "cgroup_memory_bytes": 6_000_000,
        "cgroup_pids": 30,
        "RLIMIT_NPROC": 4,
        "most_connections": 999,
        "most_rate": 499,
        "most_bandwidth": 8_000_000,
        "server_descriptors": 990,
        "rp_filter": 1,
        "listen_backlog": 4_096,
    },
    levels={
        "memory_available_bytes": 4_000_000,
        "cgroup_memory_bytes": 1_000_000,
        "tcp_mem_pages": 501,
        "tcp_orphans": 6,
        "tcp_time_wait": 8,
        "tcp_inuse": 30,
        "open_files": 4_100,
        "cgroup_pids": 11,
        "threads": 12,
        "conntrack": 200,
    },
)


def ask(role: HostRole) -> Demand:
    return Demand(role, 1_000, 3, 950, in_queue=70, neighbours=61, rate=500.0, bandwidth=9e6, silent_seconds=201.0, fin=True)


@dataclass(frozen=True)
class Row:
    """What one limit is on that host for that run. ``need``: of a worker, a target and an observed server."""

    scope: Scope
    value: int
    used: int | None
    need: tuple[float | None, float | None, float | None]
    worst: LimitStatus
    settings: Mapping[str, str] = field(default_factory=dict)  # that lift it for the worst of the three


NOBODY = (None, None, None)
ENDS = (1_000, 1_000, 1_000)
NODE, CGROUP, NAMESPACE, MACHINE = Scope.NODE, Scope.CGROUP, Scope.NAMESPACE, Scope.HOST
ROWS = {
    "descriptors": Row(NODE, 264, None, (264, 264, None), OK),
    "server-descriptors": Row(NODE, 990, None, (None, None, 1_000), TIGHT),
    "nr-open": Row(MACHINE, 1_048_576, None, NOBODY, OK),
    "open-files": Row(MACHINE, 5_000, 4_100, ENDS, STOPS, {"fs.file-max": "5400"}),
    "epoll-watches": Row(MACHINE, 900, None, ENDS, STOPS, {"fs.epoll.max_user_watches": "1300"}),
    "pids": Row(CGROUP, 30, 11, (5, 5, None), STOPS, {"TasksMax": "34"}),
    "threads": Row(MACHINE, 29, 12, (5, 5, None), STOPS, {"kernel.pid_max": "35", "kernel.threads-max": "35"}),
    "user-processes": Row(MACHINE, 4, None, (5, 5, None), STOPS, {"RLIMIT_NPROC": "7"}),
    "tuples": Row(NODE, 950, None, (1_000, None, None), STOPS),
    "listening-ports": Row(NODE, 950, None, (None, 1_000, None), STOPS),
    "ports": Row(NAMESPACE, 28_232, None, NOBODY, OK),
    "reserved-ports": Row(NAMESPACE, 11, None, NOBODY, OK),
    "sources": Row(NODE, NO_LIMIT, None, NOBODY, OK),
    "accept-queue": Row(NAMESPACE, 64, None, (70, 70, 70), TIGHT, {"net.core.somaxconn": "71"}),
    "syn-queue": Row(NAMESPACE, 32, None, (70, 70, 70), TIGHT, {"net.ipv4.tcp_max_syn_backlog": "71"}),
    "netdev-backlog": Row(MACHINE, 1_000, None, NOBODY, OK),
    "conntrack": Row(NAMESPACE, 1_100, 200, ENDS, STOPS, {"net.netfilter.nf_conntrack_max": "1500"}),
    "neighbours": Row(
        MACHINE,
        60,
        None,
        (61, 61, 61),
        TIGHT,
        {"net.ipv4.neigh.default.gc_thresh3": "62", "net.ipv6.neigh.default.gc_thresh3": "62"},
    ),
    "rp-filter": Row(NAMESPACE, 1, None, NOBODY, OK),
    "idle-timeout": Row(NODE, 200, None, (201, 201, 201), TIGHT),
    "memory": Row(MACHINE, 10_000_000, 6_000_000, (4_600_000, 4_350_000, 4_250_000), STOPS),
    "cgroup-memory": Row(CGROUP, 6_000_000, 1_000_000, (4_600_000, 4_350_000, 4_250_000), TIGHT, {"MemoryMax": "7100000"}),
    "tcp-mem": Row(MACHINE, 1_500, 501, (None, 1_000, 1_000), TIGHT, {"net.ipv4.tcp_mem": "800 1066 1600"}),
    "socket-buffers": Row(NAMESPACE, 6_291_456, None, NOBODY, OK),
    "orphans": Row(MACHINE, 4_096, 6, NOBODY, OK),
    "time-wait": Row(NAMESPACE, 8_192, 8, NOBODY, OK),
    "ehash": Row(MACHINE, 1_024, 30, ENDS, TIGHT),
    "most-connections": Row(NODE, 999, None, (1_000, None, None), STOPS),
    "most-rate": Row(NODE, 499, None, (500, None, None), STOPS),
    "most-bandwidth": Row(NODE, 8_000_000, None, (9_000_000, None, None), STOPS),
}


def test_the_table_has_all_limits_once() -> None:
    assert sorted(ROWS) == sorted(limit.name for limit in LIMITS) == sorted(BY_NAME)
    assert len((*CEILINGS, *MEMORY, *PROCESSES, *QUEUES, *TUPLES)) == len(LIMITS)


@pytest.mark.parametrize("name", ROWS)
def test_a_limit_is_what_the_host_says_and_its_need_what_the_run_asks(name: str) -> None:
    limit, row = BY_NAME[name], ROWS[name]

    found = {role: assess_place(limit, [Member("n", HOST, ask(role))]) for role in HostRole}

    assert tuple(found[role].need for role in (WORKER, TARGET, SERVER)) == row.need
    concerned = [each for each in found.values() if each.value != NO_LIMIT] or list(found.values())
    assert {(each.value, each.used) for each in concerned} == {(row.value, row.used)}
    worst = max(found.values(), key=lambda each: each.standing)
    assert (limit.scope, worst.standing, worst.settings) == (row.scope, row.worst, row.settings)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.need != NOBODY])
def test_a_run_that_needs_little_of_a_limit_is_ok(name: str) -> None:
    roomy = replace(HOST, facts={**HOST.facts, "kernel.pid_max": "4194304"}, limits={**HOST.limits, "cgroup_pids": 10**6})
    little = Demand(WORKER, 1, 1, 5, in_queue=1, neighbours=1, rate=1.0, bandwidth=1.0, silent_seconds=1.0, fin=True)

    for role in HostRole:
        assert assess_place(BY_NAME[name], [Member("n", roomy, replace(little, role=role))]).standing is OK


@pytest.mark.parametrize("name", ["open-files", "pids", "threads", "cgroup-memory", "memory", "conntrack"])
def test_what_is_used_already_leaves_less(name: str) -> None:
    limit = BY_NAME[name]
    idle = replace(HOST, levels={**dict.fromkeys(HOST.levels, 0), "memory_available_bytes": 10_000_000, "conntrack": 1})

    before, now = (assess_place(limit, [Member("n", host, ask(WORKER))]) for host in (idle, HOST))

    assert before.left is not None
    assert now.left is not None
    assert before.left > now.left
    assert (before.value, before.standing <= now.standing) == (now.value, True)


def test_a_cgroups_memory_stops_a_run_that_the_machine_could_hold() -> None:
    member = Member("n", replace(HOST, limits={**HOST.limits, "cgroup_memory_bytes": 5_800_000}), ask(WORKER))

    found = assess_place(BY_NAME["cgroup-memory"], [member])

    assert (found.standing, found.value, found.left) == (STOPS, 5_800_000, 4_800_000 * 0.95)
    assert found.commands == ["systemctl set-property UNIT MemoryMax=7100000   # docker --memory 7100000"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("descriptors", {"fs.nr_open": "2000000", "RLIMIT_NOFILE": "2000000"}),
        ("nr-open", {"fs.nr_open": "2000000"}),
        ("ports", {"net.ipv4.ip_local_port_range": "1024 65535"}),
        ("reserved-ports", {"net.ipv4.ip_local_reserved_ports": ""}),
        ("netdev-backlog", {"net.core.netdev_max_backlog": "2000000"}),
        ("rp-filter", {"net.ipv4.conf.all.rp_filter": "2"}),
        ("orphans", {"net.ipv4.tcp_max_orphans": "2000000"}),
        ("time-wait", {"net.ipv4.tcp_max_tw_buckets": "2000000"}),
        ("threads", {"kernel.pid_max": "2000000", "kernel.threads-max": "2000000"}),
        ("tcp-mem", {"net.ipv4.tcp_mem": "1000000 1333333 2000000"}),
        ("socket-buffers", {}),
        ("sources", {}),
        ("idle-timeout", {}),
    ],
)
def test_what_lifts_a_limit_that_no_plan_asks_for(name: str, settings: Mapping[str, str]) -> None:
    assert BY_NAME[name].settings(2_000_000, HOST) == settings


def test_a_setting_stays_within_what_the_kernel_takes() -> None:
    assert BY_NAME["descriptors"].settings(5_000, HOST) == {"RLIMIT_NOFILE": "5000"}  # fs.nr_open is more already
    assert BY_NAME["threads"].settings(5_000_000, HOST) == {"kernel.pid_max": "4194304", "kernel.threads-max": "5000000"}


@pytest.mark.parametrize(
    ("name", "stops", "planned", "unit", "once"),
    [
        ("descriptors", True, True, "", False),
        ("server-descriptors", False, False, "", False),
        ("open-files", True, False, "", False),
        ("tuples", True, True, "", False),
        ("listening-ports", True, True, "", False),
        ("conntrack", True, False, "", True),
        ("memory", True, False, "B", False),
        ("cgroup-memory", True, False, "B", False),
        ("tcp-mem", False, False, "pages", False),
        ("socket-buffers", False, False, "B", False),
        ("idle-timeout", False, False, "s", False),
        ("most-rate", True, False, "/s", False),
        ("most-bandwidth", True, False, "bit/s", False),
    ],
)
def test_how_a_limit_counts(name: str, stops: bool, planned: bool, unit: str, once: bool) -> None:
    limit = BY_NAME[name]

    assert (limit.stops, limit.planned, limit.unit, limit.once) == (stops, planned, unit, once)


PRIVILEGED = {"capabilities": "CAP_NET_ADMIN CAP_SYS_ADMIN"}


def test_a_privileged_node_is_exempt_from_limits_of_files_and_processes() -> None:
    root = replace(HOST, machine=PRIVILEGED)
    files = assess_place(BY_NAME["open-files"], [Member("n", root, ask(WORKER))])
    processes = assess_place(BY_NAME["user-processes"], [Member("n", root, ask(WORKER))])

    assert (files.standing, processes.standing) == (TIGHT, OK)
    assert files.remark == "c1m has CAP_SYS_ADMIN here and is exempt; every other program on the host is not"
    assert processes.remark == "it does not apply to a process with CAP_SYS_ADMIN"


@pytest.mark.parametrize(
    ("name", "without", "remark"),
    [
        ("conntrack", {"levels": {"conntrack": 0}}, "nothing is tracked in this network namespace"),
        (
            "syn-queue",
            {"facts": {"net.ipv4.tcp_syncookies": "1"}},
            "with tcp_syncookies on, only the listener's backlog counts",
        ),
    ],
)
def test_a_limit_that_does_not_matter_on_a_host_is_ok_and_says_why(
    name: str, without: Mapping[str, Mapping[str, str]], remark: str
) -> None:
    ((where, changed),) = without.items()
    host = replace(HOST, **{where: {**getattr(HOST, where), **changed}})  # type: ignore[arg-type]

    found = assess_place(BY_NAME[name], [Member("n", host, ask(TARGET))])

    assert (found.standing, found.remark, found.settings) == (OK, remark, {})


def test_sockets_in_time_wait_are_not_reported_as_a_limit_that_is_used_up() -> None:
    levels = {"tcp_time_wait": 8_192, "tcp_orphans": 4_096}

    found = usages([BY_NAME["time-wait"], BY_NAME["orphans"]], HOST, ask(WORKER), dict.fromkeys(levels, 0), levels)

    assert [each.limit.name for each in found] == ["orphans"]


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.need != NOBODY and name != "idle-timeout"])
def test_what_a_host_does_not_tell_is_unknown_and_not_unlimited(name: str) -> None:
    silent = replace(HOST, memory_total_bytes=None, facts={"net.ipv4.tcp_syncookies": "0"}, limits={}, levels={"conntrack": 5})

    found = {assess_place(BY_NAME[name], [Member("n", silent, replace(ask(role), space=None))]).standing for role in HostRole}

    told_by_the_node = {"descriptors", "most-connections", "most-rate", "most-bandwidth"}
    assert (UNKNOWN in found) == (name not in told_by_the_node and name != "accept-queue")


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_every_limit_says_how_it_shows_and_what_to_do(limit: Limit) -> None:
    assert limit.symptom.pattern
    assert limit.cure
    assert limit.title
    assert limit.read


SYMPTOMS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "descriptors": (("EMFILE",), ()),
    "server-descriptors": (("ETIMEDOUT", "ECONNRESET"), ("ListenOverflows",)),
    "nr-open": (("EPERM",), ()),
    "open-files": (("ENFILE",), ()),
    "epoll-watches": (("ENOSPC",), ()),
    "pids": (("EAGAIN",), ()),
    "threads": (("EAGAIN",), ()),
    "user-processes": (("EAGAIN",), ()),
    "tuples": (("EADDRNOTAVAIL",), ()),
    "ports": (("EADDRNOTAVAIL", "EADDRINUSE"), ()),
    "sources": (("EADDRNOTAVAIL",), ()),
    "accept-queue": (("ETIMEDOUT",), ("ListenOverflows", "ListenDrops", "TCPReqQFullDoCookies")),
    "syn-queue": (("ETIMEDOUT",), ("TCPReqQFullDrop", "TCPReqQFullDoCookies", "SyncookiesSent")),
    "netdev-backlog": ((), ("softnet_dropped",)),
    "conntrack": (("ETIMEDOUT",), ()),
    "neighbours": (("EHOSTUNREACH", "ENOBUFS"), ()),
    "rp-filter": (("ETIMEDOUT",), ("IPReversePathFilter",)),
    "idle-timeout": (("ETIMEDOUT", "ECONNRESET"), ()),
    "memory": (("ENOMEM", "ENOBUFS"), ()),
    "cgroup-memory": (("ENOMEM", "ENOBUFS"), ()),
    "tcp-mem": ((), ("TCPMemoryPressures", "TCPAbortOnMemory")),
    "socket-buffers": ((), ("PruneCalled",)),
    "orphans": ((), ("TCPAbortOnMemory",)),
    "time-wait": (("EADDRNOTAVAIL",), ("TCPTimeWaitOverflow",)),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_errors_and_counters_by_which_a_limit_shows(name: str) -> None:
    symptom = BY_NAME[name].symptom

    assert (symptom.errnos, symptom.counters) == SYMPTOMS.get(name, ((), ()))


# -- places


def test_nodes_of_one_place_share_its_limits_and_others_do_not() -> None:
    here, also_here = Member("a", HOST, ask(WORKER)), Member("b", HOST, ask(TARGET))
    elsewhere = Member("c", replace(HOST, network_namespace=8, limits={**HOST.limits, "cgroup": 6}), ask(WORKER))

    found = {(each.limit.name, each.nodes): each for each in assess(LIMITS, [here, also_here, elsewhere])}

    assert found["open-files", ("a", "b", "c")].need == 3_000  # of the machine
    assert found["cgroup-memory", ("a", "b")].need == 8_950_000
    assert found["cgroup-memory", ("c",)].need == 4_600_000
    assert found["conntrack", ("a", "b")].need == 1_000  # a connection of which both ends are here is tracked once
    assert found["conntrack", ("c",)].need == 1_000
    assert found["most-connections", ("a",)].value == 999
