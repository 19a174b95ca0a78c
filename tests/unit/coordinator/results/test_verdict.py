"""The verdict, as the summary has it: which event decides the exit code, and every reason with its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from outcomes import TARGET, THEN, TOTAL, WORKER, document, finished, not_held

from c1m.coordinator.diagnosis.causes import Cause
from c1m.coordinator.diagnosis.diagnosis import Finding
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.ledger.schedule_stages import Rest
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.results.reconciliation import Counts, reconcile
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.summary.reconciliation import Probed
from c1m.measure.phase import Phase
from c1m.measure.reasons import ChildKind, ExitKind, ExitReason
from c1m.measure.sample import Replacement, Sample
from c1m.measure.tally import Tally
from c1m.traffic.turnover import Wave

FULL = Tally(attempted=TOTAL, opened=TOTAL)
CPU = Cause("CPU", WORKER, "its processes get no CPU", ("a process waits 60 % of the time",), "add workers")


def with_settings(outcome: Outcome, **settings: Any) -> Outcome:
    return replace(outcome, spec=make_spec([("here", {"total": TOTAL, **settings})]))


def judged(outcome: Outcome) -> tuple[str, int, list[str], list[str]]:
    summary = document(outcome)
    return summary["verdict"], summary["exit_code"], summary["reasons"], summary["notes"]


def at_hold_end(outcome: Outcome, **changed: Any) -> Outcome:
    assert outcome.hold_end
    outcome.hold_end = replace(outcome.hold_end, **changed)
    return outcome


def sampled(outcome: Outcome, sample: Sample, node: str = WORKER) -> Outcome:
    assert outcome.ledger
    outcome.ledger.take(outcome.ledger.entry(node), sample)
    return outcome


# -- ghosts, rests, requirements


def test_ghosts_that_the_probe_finds_fail_a_run() -> None:
    outcome = finished()
    outcome.probed = Probed(1_000, 3)

    assert judged(outcome)[:3] == (
        "failed",
        1,
        ["3 of 1,000 probed connections were answered with a RST: the server's kernel does not know them"],
    )


def test_a_probe_that_finds_none_changes_nothing() -> None:
    outcome = finished()
    outcome.probed = Probed(1_000, 0)

    assert judged(outcome) == ("passed", 0, [], [])


def test_a_difference_while_the_schedule_stood_still_fails_a_run_with_the_total_of_then() -> None:
    outcome = finished()
    assert outcome.hold_end
    agreed = reconcile(Counts(1_500, 1_500, 1_500, 1_500, 0, client_opened=1_500, accepted=1_500), [])
    differed = reconcile(Counts(1_000, 1_000, 990, 990, 0, client_opened=1_000, accepted=990), [])
    outcome.rests = [
        (Rest(5.0, 60.0, 1_500), replace(outcome.hold_end, reconciliation=agreed)),
        (Rest(90.0, 160.0, 1_000), replace(outcome.hold_end, reconciliation=differed)),
    ]

    name, code, reasons, _ = judged(outcome)

    assert (name, code, len(reasons)) == ("failed", 1, 1)
    assert reasons[0].startswith("while the schedule stood at 1,000: 10 connections are ghosts")


def test_a_requirement_that_is_not_met_fails_a_run_and_is_its_reason() -> None:
    outcome = with_settings(finished(), require=["established >= 3k", "dropped == 0"])

    assert judged(outcome)[:3] == ("failed", 1, ["required established >= 3k, and established_at_hold_end was 2,000"])


# -- what was reached, held and filled


def test_the_first_words_of_the_server_are_quoted_where_connections_were_dropped() -> None:
    refusing = sampled(
        not_held(),
        Sample(
            Phase.HOLDING, Tally(attempted=TOTAL, opened=TOTAL, dropped={"peer_reset": 7}), first_received=b"421 too many\r\n"
        ),
    )

    assert judged(refusing)[2] == [
        "1,993 of 2,000 established connections were held to the end; dropped: 7 peer_reset; the server said: 421 too many"
    ]
    assert judged(not_held())[2] == ["1,993 of 2,000 established connections were held to the end; dropped: 7 peer_reset"]


def test_connections_that_stayed_half_closed_are_told_apart() -> None:
    outcome = at_hold_end(not_held(), half_closed=5)

    assert "; 5 stayed after the server had closed its side; dropped:" in judged(outcome)[2][0]


def test_what_the_run_closed_itself_need_not_be_held() -> None:
    tally = Tally(attempted=TOTAL, opened=TOTAL, closed=500)

    assert judged(at_hold_end(finished(tally), closed=500))[0] == "passed"
    assert judged(at_hold_end(finished(tally), closed=499))[2] == [
        "1,500 of 1,501 established connections were held to the end; dropped: none"
    ]


@pytest.mark.parametrize(
    ("established", "away", "waiting", "reason"),
    [
        (2_000, 0, 0, None),
        (1_900, 100, 0, None),
        (1_900, 99, 0, "1,900 of 2,000 connections were held at the end of the hold, 99 more were away as the run asked"),
        (1_900, 0, 40, "1,900 of 2,000 connections were held at the end of the hold; 40 were waiting to be reopened"),
    ],
)
def test_with_turnover_the_schedule_is_to_be_filled_by_who_is_there_or_away(
    established: int, away: int, waiting: int, reason: str | None
) -> None:
    outcome = with_settings(finished(), lifetime="exp:60s", downtime="fixed:2s", reopen=True)
    outcome = at_hold_end(outcome, established=established, away=away, waiting=waiting)

    name, _, reasons, _ = judged(outcome)

    assert (name, reasons) == (("failed", [f"{reason}; dropped: none; failed: none"]) if reason else ("passed", []))


def test_with_turnover_losses_are_told_by_cause() -> None:
    tally = Tally(attempted=2_010, opened=2_004, dropped={"peer_reset": 4, "peer_closed": 1}, failed={"ETIMEDOUT": 6})
    outcome = with_settings(finished(tally), lifetime="exp:60s")

    assert judged(outcome)[2] == [
        "1,999 of 2,000 connections were held at the end of the hold; dropped: 1 peer_closed, 4 peer_reset; failed: 6 ETIMEDOUT"
    ]


@pytest.mark.parametrize(("returned", "name"), [(600, "passed"), (599, "failed")])
def test_a_storm_whose_connections_do_not_all_return_fails_a_run(returned: int, name: str) -> None:
    outcome = with_settings(finished(), storm=["at=3s,drop=30%,return=1s"])
    outcome = sampled(outcome, Sample(Phase.HOLDING, FULL, waves=(Wave(600, returned, 1.5, 0.01),)))

    told, _, reasons, _ = judged(outcome)

    assert told == name
    assert reasons == (
        ["599 of 600 connections that left in the storm at=3s,drop=30%,return=1s came back"] if name == "failed" else []
    )


# -- heartbeats and server push


def talking(client: Mapping[str, Any], server: Mapping[str, Any], **settings: Any) -> Outcome:
    """A run whose clients and server counted this besides their connections."""
    outcome = with_settings(finished(), **settings)
    sampled(outcome, Sample(Phase.HOLDING, replace(FULL, **client)))
    return sampled(outcome, Sample(Phase.HOLDING, replace(Tally(opened=TOTAL), **server)), TARGET)


SPOKEN = {"heartbeats": {"sent": TOTAL, "answered": TOTAL}, "bytes_sent": 128_000, "bytes_received": 128_000}
HEARD = {"bytes_sent": 128_000, "bytes_received": 128_000}


def test_heartbeats_that_were_all_answered_pass() -> None:
    assert judged(talking(SPOKEN, HEARD, heartbeat="5s")) == ("passed", 0, [], [])


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        (
            {"sent": 2_500, "answered": 2_490, "missing": 10, "recovered": 4},
            "10 of 2,500 heartbeats were not answered within 5 s; 4 of them were answered later",
        ),
        ({"sent": 2_500, "answered": 2_500, "wrong": 3}, "3 of 2,500 heartbeats got an unexpected answer"),
        ({"sent": 2_500, "answered": 2_500, "unasked_bytes": 77}, "clients received 77 bytes that answer no heartbeat"),
    ],
)
def test_heartbeats_that_fail_fail_the_run(counts: dict[str, int], reason: str) -> None:
    assert judged(talking({**SPOKEN, "heartbeats": counts}, HEARD, heartbeat="5s"))[:3] == ("failed", 1, [reason])


def test_without_heartbeats_nobody_asks_for_answers_or_for_bytes() -> None:
    assert judged(talking({**SPOKEN, "heartbeats": {"sent": 5, "missing": 5}}, {}))[0] == "passed"


@pytest.mark.parametrize("settings", [{"heartbeat": "5s"}, {"server_push": "1/s"}])
def test_bytes_that_do_not_arrive_fail_a_run_that_talks(settings: dict[str, str]) -> None:
    outcome = talking(SPOKEN, {"bytes_sent": 128_064, "bytes_received": 127_936}, **settings)

    assert judged(outcome)[:3] == (
        "failed",
        1,
        [
            "the clients sent 128,000 bytes, and the acceptors received 127,936",
            "the acceptors sent 128,064 bytes, and the clients received 128,000",
        ],
    )


@pytest.mark.parametrize("settings", [{"heartbeat": "5s"}, {"server_push": "1/s"}, {"heartbeat": "5s", "server_push": "1/s"}])
def test_bytes_that_are_no_push_fail_a_run_that_talks(settings: dict[str, str]) -> None:
    outcome = talking({**SPOKEN, "pushes": {"received": 9, "wrong_bytes": 12}}, HEARD, **settings)

    assert judged(outcome)[2] == ["clients received 12 bytes that are neither a pushed message nor an answer"]


def test_bytes_are_not_compared_where_a_node_is_lost() -> None:
    outcome = talking(SPOKEN, {"bytes_sent": 1, "bytes_received": 1}, heartbeat="5s")
    assert outcome.ledger
    outcome.ledger.lose(outcome.ledger.workers[0], LossReason(LossKind.UNREACHABLE, f"{WORKER} did not answer for 10 s"), 0.0)

    assert not any("bytes" in reason for reason in judged(outcome)[2])


def test_connections_that_never_sent_a_heartbeat_are_a_note() -> None:
    outcome = talking({**SPOKEN, "heartbeats": {"sent": 500, "answered": 500}}, HEARD, heartbeat="5s")

    name, _, reasons, notes = judged(outcome)

    assert (name, reasons, len(notes)) == ("passed", [], 1)
    assert notes[0].startswith("at least 1,500 of 2,000 connections never sent a heartbeat")


# -- processes and nodes that ended

DIED = ExitReason(ExitKind.SIGNALLED, ChildKind.SHARD, (3,), pid=12, number=1, value=9)
REPLACED = Sample(
    Phase.HOLDING,
    Tally(attempted=TOTAL + 40, opened=TOTAL + 40, dropped={"process_died": 40}),
    exit_reasons=(DIED,),
    replacements=(Replacement(DIED, 40, 5_000_000_000, 250_000_000),),
)
MENDED = (
    f"{WORKER}: {DIED}, 5.0 s into the run; its last report had 40 connections, and another process took its place after 0.25 s"
)


def test_a_replaced_process_whose_connections_are_all_back_is_told_and_fails_nothing() -> None:
    assert judged(sampled(finished(), REPLACED)) == ("passed", 0, [MENDED], [])


def test_a_replaced_process_whose_connections_are_not_all_back_degrades_the_run() -> None:
    outcome = at_hold_end(sampled(finished(), REPLACED), established=1_999)

    name, code, reasons, _ = judged(outcome)

    assert (name, code, reasons[0]) == ("degraded", 4, MENDED)
    assert reasons[1].startswith("1,999 of 2,000 connections were held at the end of the hold")


def taken_over() -> Outcome:
    """One of two workers was lost, and the other took over all of its share."""
    other = "worker x:7100"
    outcome = finished()
    ledger = Ledger([NodeRecord(WORKER, 500), NodeRecord(other, 1_500)], NodeRecord(TARGET, TOTAL))
    ledger.take(ledger.workers[0], Sample(Phase.HOLDING, Tally(attempted=500, opened=500)))
    ledger.take(ledger.workers[1], Sample(Phase.HOLDING, FULL))
    ledger.take(ledger.entries[2], Sample(Phase.HOLDING, Tally(opened=TOTAL + 500, dropped={"peer_reset": 500})))
    ledger.lose(ledger.workers[0], LossReason(LossKind.UNREACHABLE, f"{WORKER} did not answer for 10 s"), 0.0)
    ledger.move(WORKER, {other: 500}, "")
    outcome.ledger = ledger
    return outcome


def test_a_lost_share_that_was_taken_over_is_told_and_fails_nothing() -> None:
    told = (
        f"lost before the start: {WORKER} did not answer for 10 s; of its share of 500 connections others have taken over: "
        "worker x:7100 500"
    )

    assert judged(taken_over()) == ("passed", 0, [told], [])


def test_a_lost_share_that_was_taken_over_is_told_beside_what_failed() -> None:
    outcome = at_hold_end(taken_over(), established=1_990)

    name, code, reasons, _ = judged(outcome)

    assert (name, code, len(reasons)) == ("failed", 1, 2)
    assert "1,990 of 2,000" in reasons[0]
    assert "others have taken over" in reasons[1]


def test_an_interrupted_run_says_so_first_then_what_was_wrong_and_why() -> None:
    outcome = sampled(finished(), Sample(Phase.OPENING, FULL, exit_reasons=(DIED,)))
    outcome.diagnosis = [Finding(CPU, 3.0)]
    outcome.interrupted, outcome.hold_end = True, None

    assert judged(outcome) == ("interrupted", 130, ["interrupted by the operator", f"{WORKER}: {DIED}", CPU.sentence], [])


def test_a_run_of_which_the_end_is_unknown_says_so_first_then_what_was_wrong_and_why() -> None:
    outcome = sampled(finished(), Sample(Phase.OPENING, FULL, exit_reasons=(DIED,)))
    outcome.diagnosis = [Finding(CPU, 3.0)]
    outcome.cut_off, outcome.interrupted = "its journal ends 3 s after the start", True

    assert judged(outcome)[:3] == ("incomplete", 5, [outcome.cut_off, f"{WORKER}: {DIED}", CPU.sentence])


def test_troubles_come_before_what_failed_and_that_before_causes_each_once() -> None:
    outcome = sampled(
        finished(), Sample(Phase.HOLDING, Tally(attempted=TOTAL, opened=1_999, failed={"ETIMEDOUT": 1}), exit_reasons=(DIED,))
    )
    outcome = at_hold_end(outcome, established=1_999)
    outcome.diagnosis = [Finding(CPU, 3.0)]
    outcome.troubles = [f"{WORKER}: {DIED}", "could not be asked to close: 1 of 2 nodes"]

    name, code, reasons, notes = judged(outcome)

    assert (name, code, notes) == ("degraded", 4, [])
    assert reasons == [
        f"{WORKER}: {DIED}",
        "could not be asked to close: 1 of 2 nodes",
        "1,999 of 2,000 connections were established; failed: 1 ETIMEDOUT",
        CPU.sentence,
    ]


def test_a_refused_run_gives_only_the_refusals_and_starts_at_a_known_time() -> None:
    outcome = Outcome("r", make_spec([("here", {"total": TOTAL})]), THEN, refusals=("one", "two"), troubles=["three"])

    assert judged(outcome) == ("refused", 3, ["one", "two"], [])
