"""Budgets: which limits of a node's places bound a plan, what they leave, and what one connection takes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hosts import SMALL_HOST

from c1m.limits.budget import Budget, budgets_of
from c1m.limits.connection_memory import TARGET_END, WORKER_END
from c1m.limits.limit import NO_LIMIT, HostRole
from c1m.limits.table import BY_NAME
from c1m.measure.sample import Host

HOST = replace(
    SMALL_HOST,
    facts={
        "fs.file-max": "5000",
        "fs.epoll.max_user_watches": "900",
        "kernel.threads-max": "300",
        "kernel.pid_max": "250",
        "net.core.somaxconn": "64",
        "net.netfilter.nf_conntrack_max": "1100",
    },
    limits={
        "cgroup": 5,
        "cgroup_memory_bytes": 6_000_000,
        "cgroup_pids": 90,
        "RLIMIT_NPROC": 40,
        "most_connections": 999,
        "most_rate": 499,
        "most_bandwidth": 8_000_000,
    },
    levels={
        "memory_available_bytes": 4_000_000,
        "cgroup_memory_bytes": 1_000_000,
        "open_files": 4_100,
        "cgroup_pids": 11,
        "threads": 12,
        "conntrack": 200,
    },
)


def budgets(host: Host = HOST, role: HostRole = HostRole.WORKER, rate: float = 0.0, bits: float = 0.0) -> dict[str, Budget]:
    return {budget.limit.name: budget for budget in budgets_of("w", host, role, rate, bits)}


def test_every_limit_that_stops_a_worker_is_a_budget_of_its_place_the_smallest_place_first() -> None:
    found = budgets(rate=0.5, bits=40.0)

    assert [(name, budget.place, budget.room, budget.each) for name, budget in found.items()] == [
        ("most-connections", "w", 999.0, 1),
        ("most-rate", "w", 499.0, 0.5),
        ("most-bandwidth", "w", 8_000_000.0, 40.0),
        ("pids", "boot 5", 63.0, 1 / 200),
        ("cgroup-memory", "boot 5", 5_000_000 * 0.95, WORKER_END),
        ("conntrack", "boot 7", 900.0, 1),
        ("open-files", "boot", 900.0, 1),
        ("epoll-watches", "boot", 900.0, 1),
        ("threads", "boot", 222.0, 1 / 200),
        ("user-processes", "boot", 40.0, 1 / 200),
        ("memory", "boot", 4_000_000 * 0.95, WORKER_END),
    ]


def test_a_target_has_no_operators_ceilings_and_its_ends_are_cheaper() -> None:
    found = budgets(role=HostRole.TARGET, rate=0.5, bits=40.0)

    assert not {"most-connections", "most-rate", "most-bandwidth"} & set(found)
    assert found["memory"].each == TARGET_END


def test_what_a_connection_does_not_need_bounds_nothing() -> None:
    assert not {"most-rate", "most-bandwidth"} & set(budgets())


@pytest.mark.parametrize(
    ("changed", "left_out"),
    [
        ({"facts": {**HOST.facts, "fs.file-max": str(NO_LIMIT)}}, "open-files"),
        ({"facts": {}}, "epoll-watches"),  # unknown
        ({"levels": {**HOST.levels, "conntrack": 0}}, "conntrack"),  # nothing is tracked there
        ({"machine": {"capabilities": "CAP_SYS_ADMIN"}}, "open-files"),  # it is exempt
        ({"machine": {"capabilities": "CAP_SYS_RESOURCE"}}, "user-processes"),
        ({"limits": {**HOST.limits, "cgroup_memory_bytes": NO_LIMIT}}, "cgroup-memory"),
    ],
)
def test_a_limit_that_is_none_there_or_unknown_is_left_out(changed: dict[str, dict[str, str]], left_out: str) -> None:
    assert left_out in budgets()
    assert left_out not in budgets(replace(HOST, **changed))  # type: ignore[arg-type]


def test_what_is_used_up_leaves_nothing_and_is_a_budget_all_the_same() -> None:
    full = replace(HOST, levels={**HOST.levels, "open_files": 6_000})

    assert budgets(full)["open-files"] == Budget(BY_NAME["open-files"], "boot", 0.0, 1)


def test_limits_that_only_do_harm_or_that_a_plan_respects_itself_are_no_budgets() -> None:
    assert not {"accept-queue", "tuples", "descriptors", "ehash", "tcp-mem"} & set(budgets())
