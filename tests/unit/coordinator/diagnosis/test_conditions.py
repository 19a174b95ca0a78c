"""Conditions: what each sees, from which number on, in which words, and whether it could have seen it."""

from __future__ import annotations

from typing import Any

import pytest

from c1m.coordinator.diagnosis.conditions import (
    AtLeast,
    Condition,
    Dropped,
    Ended,
    Error,
    Full,
    Lost,
    Overflowing,
    Rose,
    Silent,
)
from c1m.coordinator.ledger.doing import Role
from c1m.coordinator.ledger.evidence import Evidence
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.measure.reasons import ChildKind, ExitKind, ExitReason


def seen(**known: Any) -> Evidence:
    return Evidence("worker w:7100", Role.WORKER, **known)


CONNTRACK = Full("conntrack", "net.netfilter.nf_conntrack_max", "{value} of {limit} entries", percent=99.5)
QUEUE = AtLeast("accept_queue", 1_000, "{value} wait")


@pytest.mark.parametrize(
    ("tracked", "shown"),
    [
        (262_144, "262,144 of 262,144 entries"),
        (260_834, "260,834 of 262,144 entries"),  # 99.5 % are 260,833.28
        (260_833, ""),
        (26, ""),  # 0.01 %
        (0, ""),
    ],
)
def test_full_is_what_reached_its_share_of_a_sysctl(tracked: int, shown: str) -> None:
    facts = {"net.netfilter.nf_conntrack_max": "262144"}

    assert CONNTRACK.shows(seen(levels={"conntrack": tracked}, facts=facts)) == shown


def test_full_is_a_hundred_percent_where_nothing_else_is_said() -> None:
    full = Full("chosen", "choosable", "{value} of {limit}")

    assert full.shows(seen(levels={"chosen": 100, "choosable": 100})) == "100 of 100"
    assert full.shows(seen(levels={"chosen": 99, "choosable": 100})) == ""


def test_a_level_is_a_limit_before_a_sysctl_of_that_name() -> None:
    full = Full("descriptors", "limit", "{value} of {limit}")

    assert full.shows(seen(levels={"descriptors": 9, "limit": 8}, facts={"limit": "20000"})) == "9 of 8"


@pytest.mark.parametrize(
    ("levels", "facts", "known"),
    [
        ({"conntrack": 5}, {"net.netfilter.nf_conntrack_max": "10"}, True),
        ({"conntrack": 5}, {}, False),
        ({"conntrack": 5}, {"net.netfilter.nf_conntrack_max": ""}, False),
        ({}, {"net.netfilter.nf_conntrack_max": "10"}, False),
        ({}, {}, False),
    ],
)
def test_whether_something_is_full_takes_both_numbers(levels: dict[str, int], facts: dict[str, str], known: bool) -> None:
    evidence = seen(levels=levels, facts=facts)

    assert (CONNTRACK.known(evidence), CONNTRACK.shows(evidence)) == (known, "")


@pytest.mark.parametrize(
    ("errors", "shown"),
    [
        ({}, ""),
        ({"connect EPERM": 9}, ""),
        ({"connect ENETUNREACH": 0}, ""),
        ({"connect ENETUNREACH": 1_234}, "1,234 x ENETUNREACH from connect"),
        (
            {"handshake EHOSTUNREACH": 2, "connect ENETUNREACH": 1},
            "1 x ENETUNREACH from connect, 2 x EHOSTUNREACH from handshake",
        ),
    ],
)
def test_errors_are_counted_by_name_and_call(errors: dict[str, int], shown: str) -> None:
    assert Error("connect ENETUNREACH", "handshake EHOSTUNREACH").shows(seen(errors=errors)) == shown


@pytest.mark.parametrize(
    ("rose", "shown", "known"),
    [
        ({"ListenOverflows": 1}, "ListenOverflows +1", True),
        ({"ListenOverflows": 12_345}, "ListenOverflows +12,345", True),
        ({"ListenOverflows": 0}, "", True),
        ({"ListenOverflows": -3}, "", True),
        ({"ListenDrops": 5}, "", False),
    ],
)
def test_a_counter_shows_when_it_rose_and_is_known_when_it_was_read(rose: dict[str, int], shown: str, known: bool) -> None:
    evidence = seen(rose=rose)

    assert (Rose("ListenOverflows").shows(evidence), Rose("ListenOverflows").known(evidence)) == (shown, known)


@pytest.mark.parametrize(
    ("levels", "shown", "known"),
    [
        ({"accept_queue": 1_000}, "1,000 wait", True),
        ({"accept_queue": 999}, "", True),
        ({"accept_backlog": 5_000}, "", False),
    ],
)
def test_a_level_shows_from_its_least_on(levels: dict[str, int], shown: str, known: bool) -> None:
    assert (QUEUE.shows(seen(levels=levels)), QUEUE.known(seen(levels=levels))) == (shown, known)


def test_a_level_that_nobody_read_is_not_there_even_where_little_is_enough() -> None:
    assert AtLeast("listeners", 1, "{value} listening ports").shows(seen()) == ""


@pytest.mark.parametrize(
    ("levels", "shown", "known"),
    [
        ({"accept_queue": 65, "accept_backlog": 64}, "65 wait in an accept queue with a backlog of 64", True),
        ({"accept_queue": 64, "accept_backlog": 64}, "", True),
        ({"accept_queue": 64}, "", True),
        ({"accept_backlog": 64}, "", False),
    ],
)
def test_a_queue_overflows_when_it_is_longer_than_its_backlog(levels: dict[str, int], shown: str, known: bool) -> None:
    assert (Overflowing().shows(seen(levels=levels)), Overflowing().known(seen(levels=levels))) == (shown, known)


def test_a_lost_node_shows_by_its_reason() -> None:
    lost = seen(lost=LossReason(LossKind.SILENT, silent_seconds=4.5))

    assert Lost(LossKind.SILENT).shows(lost) == Lost().shows(lost) != ""
    assert "worker w:7100" in Lost().shows(lost)
    assert Lost(LossKind.LEFT).shows(lost) == Lost().shows(seen()) == ""


@pytest.mark.parametrize(("seconds", "shown"), [(3.0, "no sample for 3 s"), (12.6, "no sample for 13 s"), (2.99, "")])
def test_a_node_is_silent_from_its_seconds_on(seconds: float, shown: str) -> None:
    assert Silent(3.0).shows(seen(silent_seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("dropped", "heard", "shown"),
    [
        ({}, "421 too many", ""),
        ({"timed_out": 5}, "", ""),
        ({"peer_reset": 1_500}, "", "1,500 peer_reset"),
        ({"peer_reset": 2, "peer_closed": 1}, "421 too many", "1 peer_closed, 2 peer_reset; it said first: 421 too many"),
        ({"peer_reset": 0, "peer_closed": 1}, "", "1 peer_closed"),
    ],
)
def test_dropped_connections_are_counted_by_cause_with_what_the_server_said(
    dropped: dict[str, int], heard: str, shown: str
) -> None:
    assert Dropped("peer_closed", "peer_reset").shows(seen(dropped=dropped, heard=heard)) == shown


def killed(index: int, by: int) -> ExitReason:
    return ExitReason(ExitKind.SIGNALLED, ChildKind.SHARD, (index,), pid=100 + index, value=by)


def test_ended_processes_are_told_where_kind_and_signal_fit() -> None:
    evidence = seen(exit_reasons=(killed(1, 9), killed(2, 15), killed(3, 9)))

    shown = "shard 1 (pid 101) was killed by SIGKILL; shard 3 (pid 103) was killed by SIGKILL"
    assert Ended(by_signal=9).shows(evidence) == Ended(ChildKind.SHARD, 9).shows(evidence) == shown
    assert Ended(ChildKind.ACCEPTOR).shows(evidence) == Ended().shows(seen()) == ""


@pytest.mark.parametrize("condition", [Error("connect EPERM"), Lost(), Silent(3.0), Dropped("peer_reset"), Ended()])
def test_what_samples_always_tell_is_always_known(condition: Condition) -> None:
    assert condition.known(seen())
