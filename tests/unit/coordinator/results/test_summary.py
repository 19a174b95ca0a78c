"""The verdict and the summary: the gravest thing decides, every reason has its numbers, and there is always a document."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from outcomes import TOTAL, WORKER, at_once, ended_early, finished, not_held, refused

from c1m.coordinator.diagnosis.causes import Cause
from c1m.coordinator.diagnosis.diagnosis import Finding
from c1m.coordinator.ledger.cpu_saturation import Saturation
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.results.summary import summarise
from c1m.coordinator.results.verdict import verdict
from c1m.coordinator.summary.codec import to_plain
from c1m.measure.phase import Phase
from c1m.measure.reasons import ChildKind, ExitKind, ExitReason
from c1m.measure.sample import Reading, Sample
from c1m.measure.tally import Tally


def interrupted() -> Outcome:
    outcome = finished()
    outcome.interrupted = True
    outcome.hold_end = None
    return outcome


def lost() -> Outcome:
    outcome = finished()
    assert outcome.ledger
    outcome.ledger.lose(outcome.ledger.workers[0], LossReason(LossKind.UNREACHABLE, f"{WORKER} did not answer for 10 s"), 0.0)
    return outcome


def lost_and_interrupted() -> Outcome:
    outcome = lost()
    outcome.interrupted = True
    return outcome


DIED = ExitReason(ExitKind.SIGNALLED, ChildKind.SHARD, (3,), pid=12, number=1, value=9)


def with_a_replacement() -> Outcome:
    outcome = finished()
    assert outcome.ledger
    sample = Sample(Phase.HOLDING, Tally(attempted=TOTAL, opened=TOTAL), exit_reasons=(DIED,))
    outcome.ledger.take(outcome.ledger.workers[0], sample)
    return outcome


def in_trouble() -> Outcome:
    outcome = finished()
    outcome.troubles.append("could not be asked to close: 1 of 2 nodes")
    return outcome


def not_reached() -> Outcome:
    return finished(Tally(attempted=TOTAL, opened=1_996, failed={"ETIMEDOUT": 1, "ECONNREFUSED": 3}))


def cut_off() -> Outcome:
    outcome = lost()
    outcome.cut_off = "its journal ends 3 s after the start"
    return outcome


def with_ghosts() -> Outcome:
    return finished(server_open=1_900)


def unexplained() -> Outcome:
    return finished(server_open=1_900, kernel=TOTAL)


Make = Callable[[], Outcome]
OUTCOMES: list[tuple[Make, str, int, str]] = [
    (finished, "passed", 0, ""),
    (refused, "refused", 3, "there are 10"),
    (interrupted, "interrupted", 130, "by the operator"),
    (cut_off, "incomplete", 5, "its journal ends 3 s after the start"),
    (lost, "degraded", 4, f"{WORKER} did not answer for 10 s"),
    (with_a_replacement, "degraded", 4, f"{WORKER}: shard 3 (pid 12) was killed by SIGKILL"),
    (in_trouble, "degraded", 4, "1 of 2 nodes"),
    (at_once, "failed", 1, "before its hold did"),
    (ended_early, "failed", 1, "before its hold did"),
    (not_reached, "failed", 1, "1,996 of 2,000 connections were established; failed: 3 ECONNREFUSED, 1 ETIMEDOUT"),
    (not_held, "failed", 1, "1,993 of 2,000 established connections were held to the end; dropped: 7 peer_reset"),
    (with_ghosts, "failed", 1, "100 connections are ghosts"),
    (unexplained, "failed", 1, "the acceptors hold 1,900 open, the target's kernel 2,000 established"),
]


@pytest.mark.parametrize(("make", "name", "exit_code", "told"), OUTCOMES)
def test_the_verdict_names_what_happened_with_its_numbers(make: Make, name: str, exit_code: int, told: str) -> None:
    judged = verdict(make())

    assert (judged.name, judged.exit_code) == (name, exit_code)
    assert any(told in reason for reason in judged.reasons) if told else judged.reasons == ()


def reading(number: int, levels: dict[str, int]) -> Reading:
    return Reading(number, None, None, None, levels=levels)


CPU = Finding(Cause("CPU", WORKER, "its processes get no CPU", ("a process waits 60 % of the time",), "add workers"), 3.0)


@pytest.mark.parametrize(("make", "is_reason"), [(finished, False), (not_reached, True), (not_held, True), (lost, True)])
def test_a_cause_is_a_reason_where_it_had_an_effect_and_a_note_where_all_was_reached(make: Make, is_reason: bool) -> None:
    outcome = make()
    outcome.diagnosis = [CPU]

    judged = verdict(outcome)

    assert (CPU.cause.sentence in judged.reasons, CPU.cause.sentence in judged.notes) == (is_reason, not is_reason)
    assert bool(judged.reasons) == (judged.name != "passed")


@pytest.mark.parametrize(
    ("busy", "waited", "saturated"),
    [(95, 0, True), (20, 40, True), (89, 39, False), (20, None, False)],
)
def test_a_worker_without_idle_cpu_is_told_as_a_note(busy: int, waited: int | None, saturated: bool) -> None:
    outcome = finished()
    assert outcome.ledger
    levels = {"busiest_cpu_percent": busy} | ({} if waited is None else {"longest_cpu_wait_percent": waited})
    for number, phase in enumerate([Phase.OPENING] * 2 + [Phase.HOLDING] * 2 + [Phase.CLOSING] * 5):
        sample = Sample(phase, Tally(attempted=TOTAL, opened=TOTAL), reading=reading(number, levels), scheduled=TOTAL)
        outcome.ledger.take(outcome.ledger.workers[0], sample)

    judged = verdict(outcome)

    assert (judged.name, judged.reasons) == ("passed", ())
    assert [f"{WORKER}: was CPU-bound in 4 of 4 seconds" in note for note in judged.notes] == [True] * saturated


@pytest.mark.parametrize(("saturated", "idle", "told"), [(2, 0, False), (3, 27, True), (3, 28, False), (0, 0, False)])
def test_saturation_is_worth_a_word_from_three_seconds_and_a_tenth_on(saturated: int, idle: int, told: bool) -> None:
    found = Saturation()
    for busy in [100] * saturated + [10] * idle:
        found.take({"busiest_cpu_percent": busy})
    found.take({})  # not known

    assert bool(found.sentence) == told


@pytest.mark.parametrize(
    ("worst", "name", "also_told"),
    [
        (lambda outcome: setattr(outcome, "interrupted", True), "interrupted", False),
        (lambda outcome: outcome.troubles.append("a node had 1 trouble"), "degraded", True),
    ],
)
def test_the_gravest_thing_decides_and_the_rest_is_still_told(
    worst: Callable[[Outcome], None], name: str, also_told: bool
) -> None:
    outcome = not_reached()
    worst(outcome)

    judged = verdict(outcome)

    assert judged.name == name
    # After ^C that the total was not reached goes without saying.
    assert any("1,996 of 2,000" in reason for reason in judged.reasons) == also_told


@pytest.mark.parametrize("make", [lost, lost_and_interrupted, with_a_replacement, in_trouble])
def test_every_reason_is_told_once(make: Make) -> None:
    reasons = verdict(make()).reasons

    repeated = [(one, other) for one in reasons for other in reasons if one is not other and one in other]
    assert repeated == []


@pytest.mark.parametrize("make", [row[0] for row in OUTCOMES])
def test_there_is_always_a_document(make: Make) -> None:
    outcome = make()

    summary = json.loads(json.dumps(to_plain(summarise(outcome))))

    judged = verdict(outcome)
    assert (summary["verdict"], summary["exit_code"], summary["reasons"]) == (
        judged.name,
        judged.exit_code,
        list(judged.reasons),
    )
    assert summary["schema"] == "c1m.summary/1"
    assert summary["started_at"] == "2026-11-23T00:00:00.000+00:00"


def test_what_was_never_known_is_null_and_never_zero() -> None:
    summary = to_plain(summarise(refused()))

    unknown = ["plan", "planned", "established_at_hold_end", "ramp_seconds", "connections_per_second", "teardown_seconds"]
    assert {name: summary[name] for name in [*unknown, "target", "reconciliation", "ended_at"]} == dict.fromkeys(
        [*unknown, "target", "reconciliation", "ended_at"]
    )
    assert (summary["workers"], summary["environment"], summary["connect_latency_us"]) == ([], {}, {"count": 0})


def test_the_document_tells_what_each_side_counted_and_what_it_took() -> None:
    summary = to_plain(summarise(not_held()))

    worker, target = summary["workers"][0], summary["target"]
    assert (summary["planned"], summary["established_peak"], summary["established_at_hold_end"]) == (2_000, 1_993, 1_993)
    assert (summary["ramp_seconds"], summary["connections_per_second"]) == (4.0, 500.0)
    assert summary["connect_latency_us"]["count"] == 2_000
    assert (worker["planned"], worker["established_at_hold_end"], worker["dropped"]) == (2_000, 1_993, {"peer_reset": 7})
    assert (worker["pss_bytes"], worker["pss_bytes_per_connection"]) == (8_000_000, 8_000_000 / 1_993)
    assert (target["accepted"], target["open_at_hold_end"], target["left_open_by_clients"]) == (1_993, 1_993, 0)
    assert (target["pss_bytes_per_connection"], target["unknown"]) == (None, ["memory: /proc is hidden"])


def haunted() -> Outcome:
    return finished(server_open=TOTAL // 4)


@pytest.mark.parametrize(("make", "ends"), [(finished, 2.0), (haunted, 1.25), (lost, 1.0)])
def test_ends_on_the_targets_machine_are_neither_ghosts_nor_a_lost_workers(make: Make, ends: float) -> None:
    outcome = make()
    host: Any = SimpleNamespace(boot_id="one machine")
    node: Any = SimpleNamespace(host=host)
    outcome.workers, outcome.target = {WORKER: node}, node
    assert outcome.ledger
    assert outcome.ledger.target

    assert outcome.ends_at(host, outcome.ledger.target) == ends
