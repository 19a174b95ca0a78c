"""The table of limits, and how they stand: pure. That nodes read the truth is at the end, in children with lowered limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.kernel.limits import CAPABILITIES, parse_capabilities
from c1m.kernel.process_footprint import parse_descriptor_limit
from c1m.kernel.reader import parse_threads
from c1m.limits.assessment import Member, assess, assess_place, command, usages, wanted
from c1m.limits.limit import NO_LIMIT, Demand, HostRole, Limit, LimitStatus, Scope
from c1m.limits.sysctls import SYSCTLS, path_of
from c1m.limits.table import BY_NAME, LIMITS
from c1m.measure.sample import Host

GB = 10**9
FACTS = {
    "net.core.somaxconn": "4096",
    "net.core.netdev_max_backlog": "1000",
    "net.ipv4.ip_local_port_range": "32768 60999",
    "net.ipv4.ip_local_reserved_ports": "8080,9148-9150",
    "net.ipv4.neigh.default.gc_thresh3": "1024",
    "net.ipv4.tcp_ehash_entries": "262144",
    "net.ipv4.tcp_max_syn_backlog": "2048",
    "net.ipv4.tcp_mem": "287898 383867 575796",
    "net.ipv4.tcp_syncookies": "1",
    "net.netfilter.nf_conntrack_max": "262144",
    "fs.epoll.max_user_watches": "5491511",
    "fs.file-max": "2466170",
    "fs.nr_open": "1048576",
    "kernel.pid_max": "32768",
    "kernel.threads-max": "192730",
}
LEVELS = {
    "memory_available_bytes": 20 * GB,
    "open_files": 1000,
    "conntrack": 0,
    "threads": 200,
    "tcp_inuse": 10,
    "tcp_mem_pages": 5,
    "tcp_orphans": 0,
    "tcp_time_wait": 0,
}
OWN = {
    "RLIMIT_NOFILE": 20_000,
    "RLIMIT_NPROC": 96_000,
    "cgroup_pids": NO_LIMIT,
    "cgroup_memory_bytes": NO_LIMIT,
    "rp_filter": 0,
}


def host(name: str = "a", netns: int = 1, each: int = 19_900, **more: dict[str, object]) -> Host:
    """A host like the one of the measurements; ``facts``, ``levels``, ``limits``, ``machine`` are laid over its own."""
    made = Host(1, "0", name, name, "6.18", 2, 24 * GB, 20 * GB, 20_000, each, netns, FACTS, {}, {}, OWN, LEVELS)
    merged = {field: {**getattr(made, field), **values} for field, values in more.items()}
    return replace(made, **merged)  # type: ignore[arg-type]


def member(role: HostRole, connections: int, where: Host, name: str = "n", **more: int) -> Member:
    return Member(name, where, Demand(role, connections, **more))  # type: ignore[arg-type]


def standing(limit: str, *members: Member) -> LimitStatus:
    return assess_place(BY_NAME[limit], list(members)).standing


def test_names_are_pages_and_settings_are_known() -> None:
    assert len(BY_NAME) == len(LIMITS)
    known = {*SYSCTLS, "RLIMIT_NOFILE", "RLIMIT_NPROC", "TasksMax", "MemoryMax"}
    for limit in LIMITS:
        assert limit.name == limit.name.lower().replace("_", "-")
        assert set(limit.settings(10**7, host())) <= known, limit.name
        assert limit.cure, limit.name
        assert limit.symptom.pattern, limit.name


@pytest.mark.parametrize("limit", [limit for limit in LIMITS if limit.stops], ids=lambda limit: limit.name)
@given(role=st.sampled_from(HostRole), connections=st.integers(1, 10**7))
def test_what_stops_is_asked_for_in_proportion(limit: Limit, role: HostRole, connections: int) -> None:
    """So that what one connection takes says how many fit."""
    if limit.name == "descriptors":  # a node starts more processes instead
        return
    one, many = (limit.need(Demand(role, count), host()) for count in (1, connections))

    assert (one is None) == (many is None)
    if one is not None and many is not None:
        assert many == pytest.approx(one * connections)


@pytest.mark.parametrize("said", ["many", "²", "1e9", "5-", "9" * 5000])
def test_what_no_kernel_says_is_unknown(said: str) -> None:
    """Facts come from nodes, or from whoever listens in their place."""
    where = host(facts=dict.fromkeys(SYSCTLS, said))
    found = {limit.name: limit.value(where, Demand(HostRole.WORKER, 5)) for limit in LIMITS if limit.read in SYSCTLS}

    assert {name for name, value in found.items() if value is not None} == {"accept-queue"}  # which c1m knows the least of


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(1, 10**7))
def test_a_stopping_limit_stops_exactly_where_it_is_exceeded(value: int, used: int, connections: int) -> None:
    where = host(facts={"fs.file-max": str(value)}, levels={"open_files": used})
    found = assess_place(BY_NAME["open-files"], [member(HostRole.WORKER, connections, where)])

    room = max(value - used, 0)
    assert (found.standing is LimitStatus.STOPS) == (connections > room)
    assert (found.standing is LimitStatus.OK) == (connections <= 0.8 * room)
    assert found.left == room


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_the_cure_cures(used: int, connections: int) -> None:
    where = host(facts={"fs.file-max": "0"}, levels={"open_files": used})
    found = assess_place(BY_NAME["open-files"], [member(HostRole.WORKER, connections, where)])
    cured = host(facts=dict(found.settings), levels={"open_files": used})

    assert standing("open-files", member(HostRole.WORKER, connections, cured)) is LimitStatus.OK
    assert int(found.settings["fs.file-max"]) <= (used + connections / 0.8) * 1.1 + 2  # and is no more than it takes


@given(st.sampled_from([limit for limit in LIMITS if limit.stops]), st.integers(0, 10**9), st.floats(1, 1e12))
def test_what_is_wanted_is_enough(limit: Limit, used: int, need: float) -> None:
    assert (wanted(limit, used, need) - used) * (1 - limit.margin) >= need


def test_nodes_of_one_place_share_its_limit() -> None:
    here, other_netns, elsewhere = host(), host(netns=2), host("b")
    two = [member(HostRole.WORKER, 1_000_000, where, name) for where, name in ((here, "w1"), (other_netns, "w2"))]
    found = {
        (each.limit.name, each.nodes): each.need for each in assess(LIMITS, [*two, member(HostRole.TARGET, 7, elsewhere, "t")])
    }

    assert found["open-files", ("w1", "w2")] == 2_000_000
    assert found["conntrack", ("w1",)] == found["conntrack", ("w2",)] == 1_000_000
    assert found["open-files", ("t",)] == 7


def test_a_connection_is_tracked_once_where_both_ends_are() -> None:
    tracking = host(levels={"conntrack": 5})
    both = [member(HostRole.WORKER, 200_000, tracking, "w"), member(HostRole.TARGET, 200_000, tracking, "t")]
    apart = assess_place(BY_NAME["conntrack"], both)

    assert apart.need == 200_000
    assert apart.standing is LimitStatus.OK
    assert standing("conntrack", member(HostRole.WORKER, 300_000, tracking)) is LimitStatus.STOPS
    assert standing("conntrack", member(HostRole.WORKER, 300_000, host())) is LimitStatus.OK  # nothing is tracked there


def test_root_is_exempt_from_file_max_and_its_neighbours_are_not() -> None:
    root = host(machine={"capabilities": "CAP_SYS_ADMIN"}, facts={"fs.file-max": "5000"})
    found = assess_place(BY_NAME["open-files"], [member(HostRole.WORKER, 10_000, root)])

    assert found.standing is LimitStatus.TIGHT
    assert "every other program" in found.remark
    assert found.settings


@pytest.mark.parametrize(
    ("name", "asked", "where", "expected"),
    [
        ("descriptors", Demand(HostRole.WORKER, 10**6), host(), LimitStatus.OK),  # more processes
        ("descriptors", Demand(HostRole.WORKER, 1), host(each=0), LimitStatus.STOPS),
        (
            "pids",
            Demand(HostRole.WORKER, 10**6),
            host(limits={"cgroup_pids": 40}, levels={"cgroup_pids": 2}),
            LimitStatus.STOPS,
        ),
        ("pids", Demand(HostRole.TARGET, 19_900), host(limits={"cgroup_pids": 40}, levels={"cgroup_pids": 2}), LimitStatus.OK),
        ("user-processes", Demand(HostRole.WORKER, 10**6), host(limits={"RLIMIT_NPROC": 40}), LimitStatus.STOPS),
        (
            "user-processes",
            Demand(HostRole.WORKER, 10**6),
            host(limits={"RLIMIT_NPROC": 40}, machine={"capabilities": "CAP_SYS_RESOURCE"}),
            LimitStatus.OK,
        ),
        ("tuples", Demand(HostRole.WORKER, 64_512, space=64_512), host(), LimitStatus.OK),  # exactly full is what plans do
        ("tuples", Demand(HostRole.WORKER, 64_513, space=64_512), host(), LimitStatus.STOPS),
        ("listening-ports", Demand(HostRole.TARGET, 3, space=2), host(), LimitStatus.STOPS),
        ("accept-queue", Demand(HostRole.TARGET, 9_999, in_queue=1024), host(), LimitStatus.OK),
        (
            "accept-queue",
            Demand(HostRole.TARGET, 9_999, in_queue=1024),
            host(facts={"net.core.somaxconn": "128"}),
            LimitStatus.TIGHT,
        ),
        (
            "accept-queue",
            Demand(HostRole.SERVER, 9_999, in_queue=1024),
            host(limits={"listen_backlog": 511}),
            LimitStatus.TIGHT,
        ),
        ("syn-queue", Demand(HostRole.TARGET, 9_999, in_queue=4096), host(), LimitStatus.OK),  # cookies
        (
            "syn-queue",
            Demand(HostRole.TARGET, 9_999, in_queue=4096),
            host(facts={"net.ipv4.tcp_syncookies": "0"}),
            LimitStatus.TIGHT,
        ),
        ("memory", Demand(HostRole.WORKER, 4_000_000), host(), LimitStatus.TIGHT),
        ("memory", Demand(HostRole.WORKER, 5_000_000), host(), LimitStatus.STOPS),
        ("tcp-mem", Demand(HostRole.TARGET, 1_000_000, fin=True), host(), LimitStatus.TIGHT),
        ("tcp-mem", Demand(HostRole.TARGET, 1_000_000), host(), LimitStatus.OK),  # idle connections hold no page
        ("tcp-mem", Demand(HostRole.TARGET, 1_000_000, fin=True), host(facts={"net.ipv4.tcp_mem": ""}), LimitStatus.UNKNOWN),
        ("ehash", Demand(HostRole.WORKER, 1_000_000), host(facts={"net.ipv4.tcp_ehash_entries": "-262144"}), LimitStatus.OK),
        ("ehash", Demand(HostRole.WORKER, 10_000_000), host(), LimitStatus.TIGHT),
        ("neighbours", Demand(HostRole.TARGET, 1, neighbours=2000), host(), LimitStatus.TIGHT),
        ("idle-timeout", Demand(HostRole.WORKER, 1, silent_seconds=600), host(), LimitStatus.TIGHT),
        ("idle-timeout", Demand(HostRole.WORKER, 1, silent_seconds=60), host(), LimitStatus.OK),
        ("ports", Demand(HostRole.WORKER, 10**6), host(facts={"net.ipv4.ip_local_port_range": "20000 20009"}), LimitStatus.OK),
    ],
)
def test_standings(name: str, asked: Demand, where: Host, expected: LimitStatus) -> None:
    assert standing(name, Member("n", where, asked)) is expected


def test_an_idle_node_of_an_ordinary_host_stands_well() -> None:
    assert {found.standing for found in assess(LIMITS, [Member("n", host(), Demand(HostRole.WORKER))])} == {LimitStatus.OK}


def test_unknown_has_its_reason() -> None:
    blind = replace(host(facts={"net.ipv4.tcp_mem": ""}), unknown={"net.ipv4.tcp_mem": "it is the host's"})
    found = assess_place(BY_NAME["tcp-mem"], [member(HostRole.TARGET, 9, blind, fin=True)])

    assert (found.value, found.remark) == (None, "it is the host's")


def test_usage_while_running() -> None:
    ask, before = Demand(HostRole.WORKER), {"open_files": 1000}
    tight = 1000 + int(0.8 * (2_466_170 - 1000)) + 1
    seen = {
        now: {use.limit.name: use.standing for use in usages(LIMITS, host(), ask, before, {"open_files": now})}
        for now in (1000, tight - 2, tight, 2_466_170)
    }

    assert [each["open-files"] for each in seen.values()] == [
        LimitStatus.OK,
        LimitStatus.OK,
        LimitStatus.TIGHT,
        LimitStatus.STOPS,
    ]
    assert set(seen[1000]) == {"open-files"}  # of the others nothing was read


def test_a_limit_that_others_had_filled_before_is_not_what_the_run_took() -> None:
    nearly_full = {"tcp_orphans": 131_000}
    where = host(facts={"net.ipv4.tcp_max_orphans": "131072"})
    (found,) = usages([BY_NAME["orphans"]], where, Demand(HostRole.WORKER), nearly_full, nearly_full)

    assert found.standing is LimitStatus.OK


def test_commands_are_what_one_types() -> None:
    assert command("fs.file-max", "5000") == "sysctl -w fs.file-max=5000"
    assert command("net.ipv4.tcp_mem", "1 2 3") == 'sysctl -w net.ipv4.tcp_mem="1 2 3"'
    assert "LimitNOFILE=99" in command("RLIMIT_NOFILE", "99")


def test_descriptors_beyond_nr_open_take_both() -> None:
    assert BY_NAME["descriptors"].settings(2_000_000, host()) == {"fs.nr_open": "2000000", "RLIMIT_NOFILE": "2000000"}


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("CapPrm:\t0\nCapEff:\t000001fffeffffff\n", ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]),
        ("CapEff:\t000001ffffffffff\n", list(CAPABILITIES)),
        ("CapEff:\t0000000000000000\n", []),
        ("nothing", []),
    ],
)
def test_capabilities_are_parsed(status: str, found: list[str]) -> None:
    assert parse_capabilities(status) == found


def test_the_limit_that_binds_a_process_is_parsed() -> None:
    text = "Max processes   96365   96365   processes\nMax open files   1024   524288   files\n"
    assert parse_descriptor_limit(text) == 1024
    with pytest.raises(ValueError, match="Max open files"):
        parse_descriptor_limit("")


def test_threads_are_parsed() -> None:
    assert parse_threads("6.86 6.12 3.01 1/91 10825\n") == 91
    assert parse_threads("") is None


# -- what a process reads of its own

READ = """
import json
from c1m.node.node import read_facts
from c1m.kernel.limits import read_limits, unknown_limits
from c1m.kernel.reader import read_levels
print(json.dumps([read_facts(), read_limits(), unknown_limits(), read_levels()]))
"""


def read_inside(*prefix: str) -> tuple[dict[str, str], dict[str, int], dict[str, str], dict[str, int]]:
    told = subprocess.run([*prefix, sys.executable, "-c", READ], capture_output=True, text=True, check=True, timeout=60)
    facts, own, unknown, levels = json.loads(told.stdout)
    return facts, own, unknown, levels


def test_a_process_reads_its_own_limits() -> None:
    _, own, _, levels = read_inside("prlimit", "--nofile=500:700", "--nproc=4000:5000")

    assert own["RLIMIT_NOFILE"] == 700
    assert own["RLIMIT_NPROC"] == 4000
    assert levels["open_files"] > 0
    assert levels["threads"] > 1


@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace takes root")
def test_a_namespace_is_read_from_inside_and_hides_what_is_the_hosts() -> None:
    lower = f'echo 77 > {path_of("net.core.somaxconn")}; exec "$@"'
    facts, _, unknown, levels = read_inside("unshare", "-n", "sh", "-c", lower, "sh")

    assert facts["net.core.somaxconn"] == "77"
    assert "net.ipv4.tcp_mem" not in facts
    assert "belongs to the host" in unknown["net.ipv4.tcp_mem"]
    assert levels["conntrack"] == 0


def test_scopes_are_all_used() -> None:
    assert {limit.scope for limit in LIMITS} == set(Scope)
