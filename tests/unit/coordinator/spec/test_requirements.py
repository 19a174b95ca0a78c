"""Requirements: what a person may write, what a summary has to say for it, and what is watched through the hold."""

from __future__ import annotations

from typing import Any

import pytest
from outcomes import document, finished

from c1m.coordinator.spec.requirements import Judgement, RequirementMonitor, judge, judge_all, parse
from c1m.coordinator.summary.codec import from_plain, to_plain
from c1m.coordinator.summary.summary import Figures, Snapshot

SUMMARY: dict[str, Any] = {
    "established_at_hold_end": 999_000,
    "established_peak": 1_000_000,
    "dropped": {"peer_reset": 3, "timed_out": 4},
    "failed": {},
    "ramp_seconds": 12.5,
    "connect_latency_us": {"count": 9, "min": 10, "p50": 900, "p90": 9_000, "p99": 50_000, "p999": 60_000, "max": 70_000},
    "heartbeat_rtt_us": {"count": 0},
    "workers": [
        {"node": "worker a", "skipped_ports": 0, "memory": {"unknown": ["no root"], "bytes_per_connection": None}},
        {
            "node": "worker b",
            "skipped_ports": 2,
            "memory": {"unknown": ["no slabinfo", "no PSS"], "bytes_per_connection": None},
        },
        {"node": "worker c", "skipped_ports": 5, "memory": {"unknown": [], "bytes_per_connection": 4_000.0}},
    ],
    "target": None,
    "reconciliation": {"ghosts": None, "at_ramp_end": None, "probed": None},
    "heartbeats": None,
}


BASE = document(finished())


STORM = {
    "at_seconds": 1.0,
    "by": "clients",
    "drop_percent": 5.0,
    "return_seconds": 1.0,
    "dropped": 1,
    "returned": 0,
    "forgone": 0,
    "recovery_seconds": None,
    "slowest_connect_us": None,
    "accept_queues": None,
}
SPEECHLESS = {"sent": 5} | dict.fromkeys(
    ("answered", "late", "missing", "recovered", "wrong", "cut_off", "unasked_bytes", "under_way")
)


def over(base: Any, changed: Any) -> Any:
    """A document with some of its parts changed; rows are changed copies of its first."""
    if isinstance(base, dict) and isinstance(changed, dict):
        return base | {name: over(base.get(name), value) for name, value in changed.items()}
    if isinstance(base, list) and base and isinstance(changed, list):
        return [over(base[0], each) for each in changed]
    return changed


def figures(**changed: Any) -> Figures:
    return from_plain(over(BASE, SUMMARY | changed), Figures)


def judged(text: str, **changed: Any) -> Judgement:
    return judge(parse(text), figures(**changed))


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("established >= 999k", True),
        ("established >= 999001", False),
        ("established <= 999k", True),
        ("established <= 998999", False),
        ("established == 999000", True),
        ("established == 999001", False),
        ("established != 999000", False),
        ("established != 999001", True),
        ("established > 998999", True),
        ("established > 999000", False),
        ("established < 999001", True),
        ("established < 999000", False),
        ("connect_latency.p99 <= 50ms", True),  # exactly, though 50,000 us times a millionth would be less
        ("connect_latency.p99 < 50ms", False),
        ("ramp < 12.6s", True),
        ("ramp > 12.5s", False),
        ("dropped == 7", True),  # all causes together
        ("dropped.peer_reset == 3", True),
        ("dropped.peer_closed == 0", True),  # what was never counted there is none
        ("failed == 0", True),
    ],
)
def test_an_operator_means_what_it_says_in_the_unit_that_was_written(text: str, met: bool) -> None:
    found = judged(text)

    assert (found.met, bool(found.reason)) == (met, not met)


def test_a_requirement_that_is_met_has_its_value_and_no_reason() -> None:
    assert to_plain(judged("established >= 999k").to_summary()) == {
        "criterion": "established >= 999k",
        "figure": "established_at_hold_end",
        "met": True,
        "value": 999_000,
        "broken_at_seconds": None,
        "reason": None,
    }


def test_a_requirement_that_is_not_met_says_what_was_there() -> None:
    found = judged("connect_latency.p99 < 40ms")

    assert (found.value, found.reason) == (50_000, "required connect_latency.p99 < 40ms, and connect_latency_us.p99 was 50 ms")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("established >= 1M", " at the end of the hold; established_peak was 1,000,000"),
        ("established >= 1000001", ""),  # the peak did not meet it either
        ("planned >= 1M", None),
    ],
)
def test_a_peak_that_met_what_the_end_did_not_is_told(text: str, hint: str | None) -> None:
    was = "planned was 5" if hint is None else f"established_at_hold_end was 999,000{hint}"

    assert judged(text, planned=5).reason == f"required {text}, and {was}"


def test_an_always_requirement_is_not_excused_by_a_peak() -> None:
    assert "peak" not in judged("always established >= 1M").reason
    assert "peak" not in judged("established >= 1M", established_peak=None).reason


def test_each_row_has_to_meet_a_requirement_and_the_first_that_does_not_decides() -> None:
    found = judged("workers.skipped_ports <= 1")

    assert (found.met, found.value) == (False, 2)
    assert found.reason == "required workers.skipped_ports <= 1, and workers.skipped_ports of worker b was 2"
    assert judged("workers.skipped_ports <= 5").met


def test_an_unknown_row_decides_at_once_or_only_when_the_known_ones_meet_it() -> None:
    criterion = parse("workers.memory.bytes_per_connection < 3kB")

    assert judge(criterion, figures()).reason.endswith("of worker a is unknown, hence not met: no root")
    assert judge(criterion, figures(), unknown_last=True).value == 4_000.0
    met = parse("workers.memory.bytes_per_connection < 5kB")
    assert judge(met, figures(), unknown_last=True).reason.endswith("of worker a is unknown, hence not met: no root")


@pytest.mark.parametrize(
    ("text", "changed", "why"),
    [
        ("target.accepted >= 1", {}, "the run had no target; put workers. before the name to ask for the workers'"),
        ("ghosts == 0", {"reconciliation": None}, "the run ended before its hold did, and no counts were compared"),
        ("ghosts == 0", {}, "the summary gives no reason"),
        ("at_ramp_end.ghosts == 0", {}, "no counts were compared when the ramp ended"),
        ("probed.ghosts == 0", {}, "no connection was probed; that takes --probe-ghosts"),
        ("heartbeats.missing == 0", {}, "the run had no heartbeats; that takes --heartbeat"),
        ("heartbeats.missing == 0", {"heartbeats": SPEECHLESS}, "with --expect none clients do not wait for answers"),
        ("keepalive.probes_sent > 0", {"keepalive": None}, "the run had no keepalive; that takes --keepalive"),
        ("pushes.received > 0", {"pushes": None}, "the run had no pushes; that takes --server-push"),
        ("storms.returned > 0", {"storms": None}, "the run had no storms"),
        ("storms.recovery_seconds < 5s", {"storms": [STORM]}, "not all connections returned"),
        ("storms.slowest_connect < 5s", {"storms": [STORM]}, "no connection returned"),
        ("stages.reached < 5s", {"stages": [{"reached_seconds": None}]}, "the stage was not reached"),
        ("stages.reached < 5s", {"stages": []}, "the run had no stages"),
        (
            "at_rests.ghosts == 0",
            {"reconciliation": {"at_rests": []}},
            "the schedule never stood still for long enough to compare",
        ),
        ("workers.attempted > 0", {"workers": []}, "the run had no workers"),
        ("ramp < 5s", {"ramp_seconds": None}, "nothing was opened"),
        ("connections_per_second > 5/s", {"connections_per_second": None}, "nothing was opened"),
        ("heartbeat_rtt.p99 < 5ms", {}, "nothing was measured"),
        ("target.memory.connections > 0", {"target": {"memory": {"unknown": ["a", "b"], "connections": None}}}, "a; b"),
    ],
)
def test_what_is_unknown_is_not_met_and_has_a_reason(text: str, changed: dict[str, Any], why: str) -> None:
    found = judged(text, **changed)

    assert (found.met, found.value) == (False, None)
    assert found.reason.endswith(f"is unknown, hence not met: {why}")


def test_the_reason_is_that_of_the_row_which_is_unknown() -> None:
    rows = [
        {"node": "worker a", "memory": {"unknown": ["no root"], "bytes_per_connection": 1.0}},
        {"node": "worker b", "memory": {"unknown": ["no slabinfo", "no PSS"], "bytes_per_connection": None}},
    ]

    found = judged("workers.memory.bytes_per_connection < 3kB", workers=rows)

    assert found.reason.endswith("of worker b is unknown, hence not met: no slabinfo; no PSS")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not a requirement"),
        ("established", "is not a requirement"),
        ("established => 5", "is not a requirement"),
        ("established >= 5 = 6", "not a number"),
        ("sometimes established >= 5", "is not a requirement"),
        ("dropped\u00a0== 0", "is not a requirement"),  # a blank of another kind
        ("dropped == 0\n0", "not a number"),
        ("established >= " + "0" * 200 + "5", "is not a requirement"),
        ("droped == 0", "there is no figure 'droped'; did you mean"),
        ("dropped == many", "not a number"),
        ("always teardown < 5s", "known only at the end"),
        ("always ghosts == 0", "leave out 'always'"),
    ],
)
def test_what_is_no_requirement_is_refused_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse(text)


def test_the_longest_text_that_is_read_has_200_characters() -> None:
    text = "dropped" + " " * 189 + "== 0"

    assert (len(text), parse(text).name) == (200, "dropped")
    with pytest.raises(ValueError, match="is not a requirement"):
        parse(text + " ")


def test_a_requirement_is_shown_as_it_was_meant() -> None:
    assert str(parse("  always   established>=1M ")) == "always established >= 1M"
    assert str(parse("connect_latency.p99 < 50ms")) == "connect_latency.p99 < 50ms"


# -- through the hold


def at(established: int, dropped: int = 0) -> Figures:
    return figures(established_at_hold_end=established, dropped={"peer_reset": dropped})


def test_after_one_requirement_is_broken_the_others_are_still_watched() -> None:
    one, other = parse("always established >= 10"), parse("always dropped == 0")
    monitor = RequirementMonitor([one, parse("established >= 5"), other])
    assert (monitor.criteria, monitor.watching) == ([one, other], True)

    monitor.look(Snapshot(1.0, at(10)))
    monitor.look(Snapshot(2.004, at(9)))
    assert (monitor.is_broken(one), monitor.is_broken(other), monitor.watching) == (True, False, True)

    monitor.look(Snapshot(3.5, at(8, dropped=2)))
    assert (monitor.is_broken(other), monitor.watching) == (True, False)

    first, second = monitor.judgement(one), monitor.judgement(other)
    assert (first.met, first.value, first.broken_at_seconds) == (False, 9, 2.0)
    assert first.reason == "required always established >= 10, and established_at_hold_end was 9, 2.0 s after the start"
    assert (second.value, second.broken_at_seconds) == (2, 3.5)


def test_what_was_broken_once_stays_broken() -> None:
    criterion = parse("always established >= 10")
    monitor = RequirementMonitor([criterion])

    monitor.look(Snapshot(1.0, at(9)))
    monitor.look(Snapshot(2.0, at(10)))

    assert (monitor.judgement(criterion).met, monitor.judgement(criterion).broken_at_seconds) == (False, 1.0)


def test_what_held_at_every_moment_is_met_with_its_last_value() -> None:
    criterion = parse("always established >= 10")
    monitor = RequirementMonitor([criterion])

    monitor.look(Snapshot(1.0, at(12)))
    monitor.look(Snapshot(2.0, at(11)))

    assert (monitor.judgement(criterion).met, monitor.judgement(criterion).value) == (True, 11)
    assert not monitor.is_broken(criterion)


def test_a_latency_that_was_not_measured_yet_breaks_nothing_and_one_that_is_unknown_does() -> None:
    latency, workers = parse("always heartbeat_rtt.p99 < 5ms"), parse("always workers.memory.bytes_per_connection > 1B")
    monitor = RequirementMonitor([latency, workers])

    monitor.look(Snapshot(1.0, figures()))

    assert (monitor.is_broken(latency), monitor.is_broken(workers)) == (False, True)
    assert not monitor.judgement(latency).met  # when the run ends so, it is not met all the same
    monitor.look(Snapshot(2.0, figures(heartbeat_rtt_us=SUMMARY["connect_latency_us"] | {"p99": 6_000})))
    assert monitor.judgement(latency).broken_at_seconds == 2.0


def test_through_the_hold_a_row_that_is_known_decides_before_one_that_is_not() -> None:
    criterion = parse("always workers.memory.bytes_per_connection < 3kB")
    monitor = RequirementMonitor([criterion])

    monitor.look(Snapshot(1.0, figures()))

    assert monitor.judgement(criterion).value == 4_000.0
    assert "of worker c was 4,000 B" in monitor.judgement(criterion).reason


def test_without_a_hold_an_always_requirement_is_not_met() -> None:
    criterion = parse("always dropped == 0")

    found = RequirementMonitor([criterion]).judgement(criterion)

    assert (found.met, found.value) == (False, None)
    assert found.reason == "required always dropped == 0, and there was no hold, hence not met"


def test_nothing_is_watched_where_nothing_is_required_always() -> None:
    assert not RequirementMonitor([parse("dropped == 0")]).watching


def test_the_end_is_judged_by_the_summary_and_always_by_the_monitor() -> None:
    always, once = parse("always established >= 10"), parse("established >= 10")
    monitor = RequirementMonitor([always, once])
    monitor.look(Snapshot(4.0, at(9)))

    found = judge_all([once, always], monitor, at(10))

    assert [(each.criterion, each.met) for each in found] == [(once, True), (always, False)]
