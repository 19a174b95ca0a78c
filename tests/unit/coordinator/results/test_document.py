"""The summary's figures: each field has what its side counted, and null where nobody could know it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from outcomes import TARGET, THEN, TOTAL, WORKER, at_once, document, ended_early, finished

from c1m.coordinator.fleet.clock_offset import Clock
from c1m.coordinator.fleet.descriptions import DescribedTarget, DescribedWorker
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.coordinator.ledger.schedule_stages import Rest
from c1m.coordinator.results.host_findings import Findings
from c1m.coordinator.results.outcome import Outcome, TakeoverRecord
from c1m.coordinator.results.reconciliation import Counts, reconcile
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.summary.memory_cost import MemoryCost
from c1m.coordinator.summary.reconciliation import Probed
from c1m.measure.phase import Phase
from c1m.measure.reasons import ChildKind, ExitKind, ExitReason
from c1m.measure.sample import Host, Inspection, Replacement, Sample
from c1m.measure.tally import FROM_ELSEWHERE, Tally
from c1m.net.addresses import AddressPool
from c1m.net.ports import PortRanges
from c1m.schedule.schedule import Revision, Schedule, Stage

HOST = Host(
    protocol=2,
    version="0.9",
    boot_id="boot a",
    hostname="a.example",
    kernel="6.18",
    cores=48,
    memory_total_bytes=256_000,
    memory_available_bytes=200_000,
    descriptors_per_process=20_064,
    connections_per_process=20_000,
    network_namespace=7,
    facts={"net.core.somaxconn": "4096"},
    machine={"cpu": "x"},
)
NOBODY, NOWHERE = AddressPool(()), PortRanges()


DIED = "shard 1 (pid 12) exited with status 1"


def times(value: int, count: int) -> dict[str, int]:
    """The figures of a latency that was always the same."""
    return {"count": count, "min": value, "p50": value, "p90": value, "p99": value, "p999": value, "max": value}


def counted() -> Outcome:
    """A run in which every number is another one."""
    tally = Tally(
        attempted=2_030,
        opened=2_004,
        closed=3,
        skipped_ports=6,
        bytes_received=777,
        bytes_sent=888,
        replaced=12,
        reopened=13,
        failed={"ETIMEDOUT": 26},
        dropped={"peer_reset": 1, "timed_out": 4},
    )
    outcome = finished(tally, server_open=1_990, kernel=1_994)
    assert outcome.ledger
    assert outcome.hold_end
    kinds = {
        "connect_latency_us": {150: 2_000, 1_000_000: 1, 3_000_000: 1, 7_000_000: 2},
        "connect_latency_from_due_us": {200: 5},
        "first_byte_us": {210: 6},
        "heartbeat_rtt_us": {220: 7},
        "alive_after_us": {230: 8},
        "half_closed_after_us": {240: 9},
    }
    died = Replacement(ExitReason(ExitKind.EXITED, ChildKind.SHARD, (1,), 12, 1, 1), 9, 2_500_000_000, 40_000_000)
    worker = Sample(Phase.HOLDING, tally, 4 * 10**9, histograms=kinds, replacements=(died,), first_received=b"220 hello")
    outcome.ledger.take(outcome.ledger.workers[0], worker)
    server = Tally(
        opened=1_994, closed=2, bytes_received=880, bytes_sent=770, dropped={"peer_closed": 2}, errors={FROM_ELSEWHERE: 11}
    )
    assert outcome.ledger.target
    outcome.ledger.take(
        outcome.ledger.target,
        Sample(Phase.HOLDING, server, histograms={"accept_delay_us": {90: 10}}, replacements=(replace(died, ended_ns=None),)),
    )
    outcome.hold_end = replace(
        outcome.hold_end,
        acceptors_full=4,
        away=31,
        waiting=32,
        half_closed=33,
        inspections={
            WORKER: Inspection(1_997, None, None, None, 5_000, 3_994, 1.5, ("w",)),
            TARGET: Inspection(1_994, 41, 42, None, 6_000, 3_980, 2.5, ("t",)),
        },
    )
    outcome.findings = {
        WORKER: Findings(MemoryCost(connections=10), {"TCPSynRetrans": 51}, {"open_files": 52}, 53, 0.54, ("u",)),
        TARGET: Findings(MemoryCost(connections=20), {"ListenDrops": 61}, {"open_files": 62}, 63, 0.64, ("v",)),
    }
    outcome.off_schedule, outcome.widest_gap, outcome.seed = 71, 72, 73
    outcome.teardown_seconds, outcome.left_open = 7.5, 8
    return outcome


def test_the_runs_own_figures() -> None:
    summary = document(counted())

    expected: dict[str, Any] = {
        "seed": 73,
        "planned": 2_000,
        "established_peak": 1_996,
        "established_at_hold_end": 1_996,
        "widest_off_schedule_through_hold": 71,
        "away_at_hold_end": 31,
        "waiting_at_hold_end": 32,
        "half_closed_at_hold_end": 33,
        "attempted": 2_030,
        "replaced": 12,
        "reopened": 13,
        "storms": None,
        "failed": {"ETIMEDOUT": 26},
        "dropped": {"peer_reset": 1, "timed_out": 4},
        "closed": 3,
        "skipped_ports": 6,
        "teardown_seconds": 7.5,
        "ramp_seconds": 4.0,
        "connections_per_second": 501.0,
        "bytes_sent": 888,
        "bytes_received": 777,
        "connect_latency_from_due_us": times(200, 5),
        "first_byte_us": times(210, 6),
        "heartbeat_rtt_us": times(220, 7),
        "alive_after_us": times(230, 8),
        "half_closed_after_us": times(240, 9),
        "syn_retransmissions": {"took_1_seconds": 4, "took_3_seconds": 3, "took_7_seconds": 2},
        "heartbeats": None,
        "keepalive": None,
        "pushes": None,
        "takeovers": [],
        "retargets": [],
        "losses": [],
        "journal": None,
        "limits": None,
    }
    assert {name: summary[name] for name in expected} == expected
    assert (summary["connect_latency_us"]["count"], summary["connect_latency_us"]["p50"]) == (2_004, 150)
    assert summary["stages"] == [{"total": 2_000, "within_seconds": 0.0, "due_seconds": 0.0, "reached_seconds": None}]
    assert (summary["run_id"], summary["started_at"], summary["ended_at"]) == ("r", *2 * ["2026-11-23T00:00:00.000+00:00"])
    assert (summary["spec"]["total"], summary["plan"]["acceptors"]) == (2_000, 2)


def test_the_figures_of_a_worker() -> None:
    (worker,) = document(counted())["workers"]

    expected = {
        "node": WORKER,
        "planned": 2_000,
        "established_peak": 1_996,
        "established_at_hold_end": 1_996,
        "kernel_established_at_hold_end": 1_997,
        "attempted": 2_030,
        "failed": {"ETIMEDOUT": 26},
        "dropped": {"peer_reset": 1, "timed_out": 4},
        "skipped_ports": 6,
        "bytes_sent": 888,
        "bytes_received": 777,
        "troubled_sources": {},
        "server_said_first": "220 hello",
        "connect_latency_from_due_us": times(200, 5),
        "first_byte_us": times(210, 6),
        "heartbeat_rtt_us": times(220, 7),
        "heartbeats": None,
        "ramp_seconds": 4.0,
        "shards": 2,
        "rss_bytes": 5_000,
        "pss_bytes": 3_994,
        "pss_bytes_per_connection": 3_994 / 1_996,
        "cpu_seconds": 1.5,
        "unknown": ["w"],
        "kernel": {
            "established_at_hold_end": 1_997,
            "half_closed_at_hold_end": None,
            "in_accept_queues_at_hold_end": None,
            "counters": {"TCPSynRetrans": 51},
            "levels_at_hold_end": {"open_files": 52},
        },
        "observing": {"readings": 53, "cpu_seconds": 0.54, "slab_bytes_of_descriptor_listings": 0, "unknown": ["u"]},
        "replacements": [
            {"ended": "shard 1 (pid 12) exited with status 1", "connections": 9, "at_seconds": 2.5, "after_seconds": 0.04}
        ],
        "lost": None,
        "lost_at_seconds": None,
        "last_known": None,
    }
    assert {name: worker[name] for name in expected} == expected
    assert worker["connect_latency_us"]["count"] == 2_004
    assert worker["memory"]["connections"] == 10


def test_the_figures_of_a_target() -> None:
    target = document(counted())["target"]

    expected = {
        "node": TARGET,
        "accepted": 1_994,
        "from_elsewhere": 11,
        "open_at_hold_end": 1_990,
        "dropped": {"peer_closed": 2},
        "closed": 2,
        "left_open_by_clients": 8,
        "bytes_received": 880,
        "bytes_sent": 770,
        "accept_delay_us": times(90, 10),
        "acceptors": 2,
        "acceptors_full": 4,
        "rss_bytes": 6_000,
        "pss_bytes": 3_980,
        "pss_bytes_per_connection": 3_980 / 1_990,
        "cpu_seconds": 2.5,
        "unknown": ["t"],
        "kernel": {
            "established_at_hold_end": 1_994,
            "half_closed_at_hold_end": 42,
            "in_accept_queues_at_hold_end": 41,
            "counters": {"ListenDrops": 61},
            "levels_at_hold_end": {"open_files": 62},
        },
        "observing": {"readings": 63, "cpu_seconds": 0.64, "slab_bytes_of_descriptor_listings": 0, "unknown": ["v"]},
        "replacements": [
            {"ended": "shard 1 (pid 12) exited with status 1", "connections": 9, "at_seconds": None, "after_seconds": 0.04}
        ],
        "lost": None,
    }
    assert {name: target[name] for name in expected} == expected
    assert target["memory"]["connections"] == 20


def test_where_nobody_else_connected_that_is_zero_and_not_unknown() -> None:
    target = document(finished())["target"]

    assert (target["accepted"], target["from_elsewhere"], target["closed"], target["dropped"]) == (TOTAL, 0, 0, {})


def test_an_observed_endpoint_accepts_nothing_that_is_known_and_costs_memory_for_what_clients_hold() -> None:
    outcome = replace(counted(), spec=make_spec([("here", {"total": TOTAL, "endpoint": "srv:80"})]))

    target = document(outcome)["target"]

    assert (target["accepted"], target["from_elsewhere"]) == (None, None)
    assert target["pss_bytes_per_connection"] == 3_980 / 1_996


def test_what_the_end_of_a_hold_tells_is_null_without_one() -> None:
    outcome = counted()
    outcome.hold_end = None
    summary = document(outcome)
    (worker,), target = summary["workers"], summary["target"]

    for name in ("established_at_hold_end", "away_at_hold_end", "waiting_at_hold_end", "half_closed_at_hold_end"):
        assert summary[name] is None
    assert summary["reconciliation"] is None
    for name in ("established_at_hold_end", "kernel_established_at_hold_end", "rss_bytes", "pss_bytes_per_connection"):
        assert worker[name] is None
    for name in ("open_at_hold_end", "acceptors_full", "pss_bytes", "cpu_seconds"):
        assert target[name] is None
    assert (worker["attempted"], target["accepted"]) == (2_030, 1_994)


def test_the_footprint_of_a_node_that_holds_nothing_is_no_quotient() -> None:
    outcome = counted()
    assert outcome.hold_end
    outcome.hold_end = replace(outcome.hold_end, by_worker={WORKER: 0})

    (worker,) = document(outcome)["workers"]

    assert (worker["pss_bytes"], worker["pss_bytes_per_connection"]) == (3_994, None)


def test_of_a_lost_node_the_reason_the_moment_and_the_last_counts_are_told() -> None:
    outcome = counted()
    assert outcome.ledger
    assert outcome.ledger.target
    outcome.ledger.timeline.begin(100.0, outcome.ledger.moment)
    outcome.ledger.lose(outcome.ledger.workers[0], LossReason(LossKind.UNREACHABLE, f"{WORKER} did not answer"), 106.5)
    outcome.ledger.lose(outcome.ledger.target, LossReason(LossKind.UNREACHABLE, f"{TARGET} did not answer"), 107.0)

    summary = document(outcome)
    (worker,), target = summary["workers"], summary["target"]

    assert (worker["lost"], worker["lost_at_seconds"]) == (f"{WORKER} did not answer", 6.5)
    assert worker["last_known"] == {"opened": 2_004, "open": 1_996, "in_flight": 0}
    assert (target["lost"], target["lost_at_seconds"], target["accepted"], target["from_elsewhere"]) == (
        f"{TARGET} did not answer",
        7.0,
        None,
        None,
    )
    assert [(loss["node"], loss["at_seconds"], loss["share"]) for loss in summary["losses"]] == [
        (WORKER, 6.5, 2_000),
        (TARGET, 7.0, None),
    ]


def test_the_reconciliation_has_the_hold_the_ramp_the_rests_and_the_probe() -> None:
    outcome = counted()
    assert outcome.hold_end

    def at(count: int) -> Any:
        found = reconcile(Counts(count, count, count, count, 0, client_opened=count, accepted=count), [])
        return replace(outcome.hold_end, reconciliation=found)  # type: ignore[type-var]

    outcome.hold_end, outcome.ramp_end = at(1_000), at(900)
    outcome.rests = [(Rest(1.5, 9.5, 800), at(800))]
    outcome.probed = Probed(100, 0)

    found = document(outcome)["reconciliation"]

    assert (found["client_established"], found["explanation"]) == (
        1_000,
        ["clients and their kernels, acceptors, the target's kernel agree"],
    )
    assert (found["at_ramp_end"]["client_established"], found["widest_gap_through_hold"]) == (900, 72)
    (rest,) = found["at_rests"]
    assert (rest["begin_seconds"], rest["end_seconds"], rest["total"], rest["client_established"]) == (1.5, 9.5, 800, 800)
    assert found["probed"] == {"connections": 100, "ghosts": 0}
    outcome.ramp_end, outcome.probed = None, None
    assert (document(outcome)["reconciliation"]["at_ramp_end"], document(outcome)["reconciliation"]["probed"]) == (None, None)


def described(host: Host, clock: Clock | None = None) -> DescribedWorker:
    return DescribedWorker(host, NOBODY, NOWHERE, "", clock=clock)


def test_the_environment_is_each_nodes_own() -> None:
    outcome = finished()
    outcome.workers = {WORKER: described(HOST, Clock(0.25, 0.001))}
    outcome.target = DescribedTarget(replace(HOST, hostname="b.example", cores=4), "*", NOWHERE, False, "")

    found = document(outcome)["environment"]

    assert found[WORKER] == {
        "hostname": "a.example",
        "kernel": "6.18",
        "cores": 48,
        "memory_total_bytes": 256_000,
        "memory_available_bytes_before": 200_000,
        "descriptors_per_process": 20_064,
        "machine": {"cpu": "x"},
        "sysctls": {"net.core.somaxconn": "4096"},
        "versions": {"c1m": "0.9", "protocol": 2},
        "clock_offset_seconds": 0.25,
        "clock_uncertainty_seconds": 0.001,
    }
    assert (found[TARGET]["hostname"], found[TARGET]["cores"]) == ("b.example", 4)
    assert (found[TARGET]["clock_offset_seconds"], found[TARGET]["clock_uncertainty_seconds"]) == (None, None)
    outcome.ledger = None
    assert list(document(outcome)["environment"]) == [WORKER]


@pytest.mark.parametrize(
    ("namespaces", "counted_by", "sent"),
    [
        ((7, 7), (30, 30), 30),  # one namespace counts once
        ((7, 8), (30, 12), 42),
        ((7, 8), (30, None), None),
    ],
)
def test_keepalive_probes_are_counted_once_for_each_namespace(
    namespaces: tuple[int, int], counted_by: tuple[int, int | None], sent: int | None
) -> None:
    outcome = replace(
        finished(Tally(attempted=TOTAL, opened=TOTAL, dropped={"timed_out": 3})),
        spec=make_spec([("here", {"total": TOTAL, "keepalive": "60s"})]),
    )
    names = (WORKER, "worker x:7100")
    outcome.workers = {
        name: described(replace(HOST, network_namespace=number)) for name, number in zip(names, namespaces, strict=True)
    }
    outcome.findings = {
        name: Findings(counters={} if count is None else {"TCPKeepAlive": count})
        for name, count in zip(names, counted_by, strict=True)
    }

    assert document(outcome)["keepalive"] == {"interval_seconds": 60.0, "probes_sent": sent, "timed_out": 3}


def test_pushes_are_what_the_target_sent_and_the_clients_received() -> None:
    outcome = replace(finished(), spec=make_spec([("here", {"total": TOTAL, "server_push": "1/s"})]))
    assert outcome.ledger
    assert outcome.ledger.target
    client = Tally(attempted=TOTAL, opened=TOTAL, pushes={"received": 19, "wrong_bytes": 1})
    outcome.ledger.take(outcome.ledger.workers[0], Sample(Phase.HOLDING, client))
    outcome.ledger.take(outcome.ledger.target, Sample(Phase.HOLDING, Tally(pushes={"sent": 20, "held_back": 2})))

    assert document(outcome)["pushes"] == {"sent": 20, "held_back": 2, "received": 19, "wrong_bytes": 1}
    outcome.ledger.target = None
    assert document(outcome)["pushes"]["sent"] == 0


def test_heartbeats_of_the_run_and_of_each_worker() -> None:
    outcome = replace(finished(), spec=make_spec([("here", {"total": TOTAL, "heartbeat": "5s"})]))
    assert outcome.ledger
    client = Tally(attempted=TOTAL, opened=TOTAL, heartbeats={"sent": 50, "answered": 45, "missing": 3, "cut_off": 1})
    outcome.ledger.take(outcome.ledger.workers[0], Sample(Phase.HOLDING, client))

    summary = document(outcome)

    for found in (summary["heartbeats"], summary["workers"][0]["heartbeats"]):
        assert (found["sent"], found["answered"], found["missing"], found["cut_off"], found["under_way"]) == (50, 45, 3, 1, 1)


@pytest.mark.parametrize(
    ("cut_off", "untold", "until", "journal"),
    [
        ("", "", None, None),
        ("", "", THEN, {"complete": True, "ends_at": "2026-11-23T00:00:00.000+00:00", "reason": None}),
        ("killed", "", THEN, {"complete": False, "ends_at": "2026-11-23T00:00:00.000+00:00", "reason": "killed"}),
        ("", "the disk is full", None, {"complete": False, "ends_at": None, "reason": "the disk is full"}),
    ],
)
def test_the_journal_says_how_far_the_run_can_be_shown_again(
    cut_off: str, untold: str, until: datetime | None, journal: dict[str, Any] | None
) -> None:
    outcome = finished()
    outcome.cut_off, outcome.untold, outcome.known_until = cut_off, untold, until

    assert document(outcome)["journal"] == journal


def test_takeovers_and_retargets_are_told_in_order() -> None:
    outcome = finished()
    assert outcome.ledger
    outcome.takeovers = [TakeoverRecord(datetime(2026, 11, 23, 0, 0, 9, 500_000, tzinfo=UTC), 4.127, 9.5)]
    more = Schedule((Stage(TOTAL, 0), Stage(3_000, 2 * 10**9)))
    outcome.ledger.revisions.append(Revision(more, 2, 0))

    summary = document(outcome)

    assert summary["takeovers"] == [
        {"at": "2026-11-23T00:00:09.500+00:00", "silent_from_seconds": 4.13, "silent_to_seconds": 9.5}
    ]
    assert [retarget["version"] for retarget in summary["retargets"]] == [2]
    assert [stage["total"] for stage in summary["stages"]] == [2_000, 3_000]


def test_a_run_that_ended_early_has_a_document_without_what_was_never_counted() -> None:
    early, none = document(ended_early()), document(at_once())

    assert (early["planned"], early["plan"]["destinations"], none["plan"], none["timeline"]) == (2_000, 2, None, None)
    assert (none["planned"], none["workers"], none["target"], none["losses"]) == (None, [], None, [])
