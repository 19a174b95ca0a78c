"""What to change before a run, and where: pure, on the hosts of a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hosts import FACTS, HOST

from c1m.coordinator.planning.advice import Advice, advised, once, script
from c1m.limits.assessment import Member, assess_place
from c1m.limits.limit import Demand, HostRole
from c1m.limits.table import BY_NAME
from c1m.measure.sample import Host


def advice(limit: str, ask: Demand, **hosts: Host) -> list[Advice]:
    """On one limit of a place that these nodes share, each of which is asked so much."""
    members = [Member(name, host, ask) for name, host in hosts.items()]
    return list(advised(assess_place(BY_NAME[limit], members), hosts))


def test_a_limit_that_two_settings_lift_is_two_of_them() -> None:
    found = advice("threads", Demand(HostRole.WORKER, 1000, processes=100), a=HOST)

    assert [(each.setting, each.now) for each in found] == [("kernel.pid_max", "500"), ("kernel.threads-max", "400")]
    assert all(int(each.wanted) > 500 and each.is_tunable for each in found)


def test_what_is_no_less_already_is_not_asked_for() -> None:
    """A server's own backlog is short, and somaxconn is not what makes it so."""
    long = replace(HOST, facts={**FACTS, "net.core.somaxconn": "4096"}, limits={"listen_backlog": 7})
    (found,) = advice("accept-queue", Demand(HostRole.SERVER, 1000, in_queue=100), a=long)

    assert (found.setting, found.command) == ("", "")
    assert "the listener's own backlog" in found.why
    assert "sysctl" not in found.why


def test_who_writes_is_who_sees_it_and_lets_others() -> None:
    blind = replace(HOST, facts={}, tunable=True)
    ask = Demand(HostRole.WORKER, 2000)

    assert advice("epoll-watches", ask, a=blind, b=HOST)[0].node == "b"
    assert advice("epoll-watches", ask, a=HOST, b=replace(HOST, tunable=True))[0].node == "b"
    assert advice("epoll-watches", ask, a=HOST, b=HOST)[0].node == "a"


@pytest.mark.parametrize("told", ["64 $(reboot)", "64\nreboot"])
def test_what_a_node_tells_is_nothing_that_a_shell_would_do(told: str) -> None:
    lying = replace(HOST, facts={**FACTS, "net.core.somaxconn": told})
    lines = script(1, advice("accept-queue", Demand(HostRole.TARGET, 1000, in_queue=100), a=lying))

    assert lines[0] == "# on a"
    assert "net.core.somaxconn is unknown, but 100 is needed" in lines[1]
    assert lines[2:] == ["sysctl -w net.core.somaxconn=110"]


def test_nodes_of_one_host_ask_once_for_what_both_need() -> None:
    """No process there may have as many descriptors as a node needs for itself; fs.nr_open is in the way of both."""
    few = replace(HOST, facts={**FACTS, "fs.nr_open": "40"}, descriptors_per_process=50, connections_per_process=0)
    fewer = replace(few, descriptors_per_process=64)
    ask = Demand(HostRole.WORKER, 100, processes=1)
    found = once([*advice("descriptors", ask, a=few), *advice("descriptors", ask, b=fewer)])

    assert [(each.node, each.setting, each.wanted) for each in found] == [
        ("b", "fs.nr_open", "66"),
        ("a", "RLIMIT_NOFILE", "52"),
        ("b", "RLIMIT_NOFILE", "66"),
    ]
