"""Assessing a limit: what is left, when it is tight and when it stops a run, whose it is, and what lifts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from c1m.limits.assessment import (
    Assessment,
    Member,
    amount,
    assess,
    assess_not_ok,
    assess_place,
    command,
    left,
    several,
    usages,
)
from c1m.limits.limit import NO_LIMIT, Demand, HostRole, Limit, LimitStatus, Scope
from c1m.measure.sample import Host

OK, UNKNOWN, TIGHT, STOPS = LimitStatus
HOST = Host(2, "", "boot", "h", "6.18", 2, None, None, 264, 200, 7)


def limit(**changed: Any) -> Limit:
    """A limit whose value and usage are what the host says, and whose need is the connections."""
    made = Limit(
        "files",
        "open files",
        Scope.HOST,
        "files",
        value=lambda host, _ask: host.limits.get("files"),
        cure="raise it",
        need=lambda ask, _host: ask.connections,
        used=lambda levels, _host: levels.get("files"),
        stops=True,
        settings=lambda value, _host: {"fs.files": str(value)},
    )
    return replace(made, **changed)


def member(
    need: int, value: int | None = 1_000, used: int | None = None, name: str = "a", role: HostRole = HostRole.WORKER, **of: Any
) -> Member:
    limits = {} if value is None else {"files": value}
    host = replace(HOST, limits={**limits, **of.pop("limits", {})}, levels={} if used is None else {"files": used}, **of)
    return Member(name, host, Demand(role, need))


@pytest.mark.parametrize(
    ("changed", "need", "used", "standing"),
    [
        ({}, 800, None, OK),  # TIGHT_SHARE of what is left
        ({}, 801, None, TIGHT),
        ({}, 1_000, None, TIGHT),
        ({}, 1_001, None, STOPS),
        ({}, 400, 500, OK),
        ({}, 401, 500, TIGHT),
        ({}, 501, 500, STOPS),
        ({}, 1, 2_000, STOPS),
        ({}, 0, 2_000, OK),  # nothing is needed
        ({"reserve": 100}, 900, None, TIGHT),
        ({"reserve": 100}, 901, None, STOPS),
        ({"margin": 0.5}, 500, None, TIGHT),
        ({"margin": 0.5}, 501, None, STOPS),
        ({"planned": True}, 1_000, None, OK),  # a plan may use all of it
        ({"planned": True}, 1_001, None, STOPS),
        ({"stops": False}, 1_000, None, OK),
        ({"stops": False}, 1_001, None, TIGHT),
        ({"need": lambda _ask, _host: None}, 5_000, None, OK),
    ],
)
def test_a_limit_stands_by_what_is_needed_of_what_is_left(
    changed: Mapping[str, Any], need: int, used: int | None, standing: LimitStatus
) -> None:
    made, place = limit(**changed), [member(need, used=used)]

    assert assess_place(made, place).standing is standing
    assert [each.standing for each in assess_not_ok([made], place)] == [standing] * (standing is not OK)


@pytest.mark.parametrize(
    ("changed", "used", "room"),
    [
        ({}, None, 1_000),
        ({}, 300, 700),
        ({}, 3_000, 0),
        ({"reserve": 100}, 300, 600),
        ({"reserve": 100, "margin": 0.25}, 300, 450),
    ],
)
def test_what_is_left_is_the_value_without_usage_reserve_and_margin(
    changed: Mapping[str, Any], used: int | None, room: float
) -> None:
    assert left(limit(**changed), 1_000, used) == assess_place(limit(**changed), [member(1, used=used)]).left == room
    assert left(limit(**changed), None, used) is None


@pytest.mark.parametrize(
    ("changed", "need", "used", "wanted"),
    [
        ({}, 1_001, None, 1_300),  # 1,001 / 0.8 = 1,251.25, and one more
        ({}, 1_001, 500, 1_800),
        ({}, 1_001, 50_000, 52_000),
        ({"reserve": 700}, 1_001, None, 2_000),
        ({"margin": 0.5}, 1_001, None, 2_600),
        ({"planned": True}, 1_001, None, 1_100),
        ({"stops": False}, 1_001, None, 1_100),
    ],
)
def test_a_setting_makes_the_limit_ok_again_in_two_digits(
    changed: Mapping[str, Any], need: int, used: int | None, wanted: int
) -> None:
    made = limit(**changed)

    found = assess_place(made, [member(need, used=used)])

    assert found.settings == {"fs.files": str(wanted)}
    assert assess_place(made, [member(need, wanted, used)]).standing is OK


def test_a_value_of_few_digits_is_not_rounded() -> None:
    found = assess_place(limit(stops=False), [member(11, 10)])

    assert found.settings == {"fs.files": "12"}


def test_what_is_ok_needs_no_setting() -> None:
    assert assess_place(limit(), [member(10)]).settings == {}


def test_a_tight_limit_has_a_setting_that_makes_it_roomy() -> None:
    found = assess_place(limit(), [member(900)])

    assert (found.standing, found.settings) == (TIGHT, {"fs.files": "1200"})


# -- what is special about a host


def test_an_unknown_limit_says_why_and_asks_for_nothing() -> None:
    hidden = member(10, None, unknown={"files": "/proc is hidden"})

    found = [assess_place(limit(), [each]) for each in (hidden, member(10, None))]

    assert [(each.standing, each.remark, each.settings) for each in found] == [
        (UNKNOWN, "/proc is hidden", {}),
        (UNKNOWN, "a does not report files", {}),
    ]


def test_a_limit_that_does_not_matter_here_is_ok_with_the_reason_even_if_it_is_unknown() -> None:
    made = limit(unless=lambda host: "nothing is tracked" if host.cores == 2 else "")

    for each in (member(5_000), member(5_000, None), member(1)):
        found = assess_place(made, [each])
        assert (found.standing, found.remark, found.settings) == (OK, "nothing is tracked", {})
    assert assess_place(made, [member(5_000, cores=3)]).standing is STOPS


def test_a_limit_that_stops_only_others_is_tight_at_worst() -> None:
    made = limit(exempt=lambda _host: "c1m is exempt")

    stopped, tight = assess_place(made, [member(5_000)]), assess_place(made, [member(900)])

    assert (stopped.standing, stopped.remark, stopped.settings) == (TIGHT, "c1m is exempt", {"fs.files": "6300"})
    assert (tight.standing, tight.remark, tight.settings) == (OK, "", {})


# -- places


def test_nodes_of_one_place_need_their_sum_and_a_node_elsewhere_its_own() -> None:
    nodes = [member(300, name="a"), member(400, name="b"), member(500, name="c", boot_id="other")]

    found = assess([limit()], nodes)

    assert [(each.nodes, each.need) for each in found] == [(("a", "b"), 700), (("c",), 500)]


@pytest.mark.parametrize(
    ("scope", "groups"),
    [
        (Scope.NODE, [("a",), ("b",), ("c",), ("d",)]),
        (Scope.CGROUP, [("a", "c"), ("b",), ("d",)]),
        (Scope.NAMESPACE, [("a", "b"), ("c",), ("d",)]),
        (Scope.HOST, [("a", "b", "c"), ("d",)]),
    ],
)
def test_a_scope_says_who_shares(scope: Scope, groups: list[tuple[str, ...]]) -> None:
    nodes = [
        member(1, name="a", limits={"cgroup": 1}),
        member(1, name="b", limits={"cgroup": 2}),
        member(1, name="c", limits={"cgroup": 1}, network_namespace=8),
        member(1, name="d", limits={"cgroup": 1}, boot_id="other"),
    ]

    assert [each.nodes for each in assess([limit(scope=scope)], nodes)] == groups


def test_a_node_without_a_known_cgroup_shares_none() -> None:
    nodes = [member(1, name="a"), member(1, name="b")]

    assert [each.nodes for each in assess([limit(scope=Scope.CGROUP)], nodes)] == [("a",), ("b",)]


def test_of_different_values_in_one_place_the_one_with_the_least_room_counts() -> None:
    nodes = [member(1, 900, 100, "a"), member(1, 1_000, 700, "b"), member(1, None, None, "c"), member(1, 500, None, "d")]

    found = assess_place(limit(), nodes)

    assert (found.value, found.used, found.left) == (1_000, 700, 300)


def test_where_nobody_knows_a_value_it_is_unknown() -> None:
    found = assess_place(limit(), [member(1, None, name="a"), member(1, None, name="b")])

    assert (found.value, found.standing, found.nodes) == (None, UNKNOWN, ("a", "b"))


@pytest.mark.parametrize(("once", "need"), [(True, 700), (False, 1_200)])
def test_a_connection_with_both_ends_in_a_place_counts_once_where_the_limit_says_so(once: bool, need: int) -> None:
    nodes = [
        member(300, name="a"),
        member(200, name="b"),
        member(400, name="t", role=HostRole.TARGET),
        member(300, name="s", role=HostRole.SERVER),
    ]

    assert assess_place(limit(once=once), nodes).need == need


def test_only_nodes_that_need_something_are_named_or_all_if_none_does() -> None:
    made = limit(need=lambda ask, _host: ask.connections or None)

    assert assess_place(made, [member(0, name="a"), member(5, name="b")]).nodes == ("b",)
    none = assess_place(made, [member(0, name="a"), member(0, name="b")])
    assert (none.nodes, none.need) == (("a", "b"), None)


def test_a_limit_that_is_unlimited_is_left_out_and_one_that_is_unknown_is_not() -> None:
    assert assess([limit()], [member(1, NO_LIMIT)]) == []
    assert len(assess([limit()], [member(1, NO_LIMIT - 1)])) == len(assess([limit()], [member(1, None)])) == 1


# -- sentences


def test_a_sentence_has_nodes_value_usage_need_and_cure() -> None:
    full = Assessment(limit(), ("a", "b"), 5_000, 4_100, 1_000, STOPS, "root is exempt", {"fs.files": "5400"})
    bare = Assessment(limit(), ("a",), None, None, None, UNKNOWN)

    assert full.sentence() == (
        "a and b: open files: 5,000, 4,100 of it used, and 1,000 is needed (root is exempt); raise it; sysctl -w fs.files=5400"
    )
    assert bare.sentence() == "a: open files: unknown; raise it"
    assert (
        replace(full, used=0, need=0.0, remark="", settings={}).sentence()
        == "a and b: open files: 5,000, and 0 is needed; raise it"
    )


@pytest.mark.parametrize(
    ("nodes", "most", "text"),
    [
        (["a"], 2, "a"),
        (["a", "b"], 2, "a and b"),
        (["a", "b", "c"], 2, "a, b and 1 more"),
        ([str(number) for number in range(1_003)], 3, "0, 1, 2 and 1,000 more"),
        (["a", "b", "c"], 3, "a and b and c"),
    ],
)
def test_of_many_nodes_the_first_are_named(nodes: list[str], most: int, text: str) -> None:
    assert several(nodes, most) == text


def test_two_nodes_are_named_unless_more_are_asked_for() -> None:
    assert several(["a", "b", "c"]) == "a, b and 1 more"


@pytest.mark.parametrize(
    ("unit", "number", "text"),
    [
        ("B", 4_000_000, "4 MB"),
        ("bit/s", 4_000_000, "4 Mbit/s"),
        ("s", 240, "240 s"),
        ("pages", 12_345.6, "12,346 pages"),
        ("", 12_345, "12,345"),
    ],
)
def test_an_amount_is_in_the_unit_of_its_limit(unit: str, number: float, text: str) -> None:
    assert amount(number, limit(unit=unit)) == text


@pytest.mark.parametrize(
    ("setting", "value", "typed"),
    [
        ("fs.file-max", "5400", "sysctl -w fs.file-max=5400"),
        ("net.ipv4.tcp_mem", "1 2 3", 'sysctl -w net.ipv4.tcp_mem="1 2 3"'),
        ("RLIMIT_NOFILE", "9", "ulimit -Hn 9   # LimitNOFILE=9 in a unit, docker --ulimit nofile=9:9"),
        ("RLIMIT_NPROC", "9", "ulimit -Hu 9   # LimitNPROC=9 in a unit"),
        ("TasksMax", "9", "systemctl set-property UNIT TasksMax=9   # docker --pids-limit 9"),
        ("MemoryMax", "9", "systemctl set-property UNIT MemoryMax=9   # docker --memory 9"),
    ],
)
def test_what_an_operator_types_to_change_a_setting(setting: str, value: str, typed: str) -> None:
    assert command(setting, value) == typed


# -- while a run goes on


@pytest.mark.parametrize(
    ("before", "now", "standing"),
    [
        (100, 100, OK),
        (100, 820, OK),  # 80 % of the 900 that were left
        (100, 821, TIGHT),
        (100, 999, TIGHT),
        (100, 1_000, STOPS),
        (100, 50, OK),
        (990, 991, OK),
        (990, 999, TIGHT),
        (1_000, 1_000, OK),  # it was full before, and the run has no part in it
        (1_000, 1_001, STOPS),
    ],
)
def test_a_limit_is_used_up_by_what_the_run_added(before: int, now: int, standing: LimitStatus) -> None:
    (found,) = usages([limit()], member(1).host, Demand(HostRole.WORKER), {"files": before}, {"files": now})

    assert (found.value, found.before, found.now, found.standing) == (1_000, before, now, standing)


def test_a_limit_that_stops_only_others_is_never_used_up_for_c1m() -> None:
    made = limit(exempt=lambda _host: "c1m is exempt")

    (found,) = usages([made], member(1).host, Demand(HostRole.WORKER), {"files": 0}, {"files": 1_000})

    assert found.standing is TIGHT


def test_usage_is_told_only_where_all_of_it_is_known_and_the_limit_matters() -> None:
    host, idle, both = member(1).host, Demand(HostRole.WORKER), {"files": 5}

    assert usages([limit()], host, idle, {}, both) == usages([limit()], host, idle, both, {}) == []
    assert usages([limit()], member(1, None).host, idle, both, both) == []
    irrelevant = limit(unless=lambda _host: "it does not matter")
    assert [each.limit.name for each in usages([irrelevant, limit()], host, idle, both, both)] == ["files"]
    assert usages([irrelevant], host, idle, both, both) == []


def test_a_limit_is_asked_and_watched_where_it_has_need_and_usage() -> None:
    bare = Limit("x", "x", Scope.NODE, "x", value=lambda _host, _ask: 1, cure="none")

    assert (limit().is_asked, limit().is_watched, bare.is_asked, bare.is_watched) == (True, True, False, False)
    assert [str(each) for each in LimitStatus] == ["ok", "unknown", "tight", "will stop you"]
