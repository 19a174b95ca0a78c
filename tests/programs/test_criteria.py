"""What a run is required to be: how it is written, which figures there are, and how a run is judged by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from outcomes import TARGET, WORKER, ended_early, finished, not_held, refused
from partial_records import figures, moment
from programs import run_coord

from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.results.summary import measured, summarise
from c1m.coordinator.spec.grammar import Answer
from c1m.coordinator.spec.metrics import EACH, FIGURES, bare, find
from c1m.coordinator.spec.requirements import OPERATORS, RequirementMonitor, judge, parse
from c1m.coordinator.spec.spec import RunSpec
from c1m.coordinator.summary.codec import to_plain
from c1m.coordinator.summary.units import Unit
from c1m.traffic.heartbeat import Expect

BOUNDS = {
    Unit.COUNT: st.sampled_from(["0", "999000", "999k", "1_000_000", "0.25"]),
    **dict.fromkeys((Unit.SECONDS, Unit.MICROSECONDS), st.sampled_from(["50ms", "1m30s", "0.2", "250us"])),
    Unit.BYTES: st.sampled_from(["4500", "4.2kB", "2 GiB", "512 B"]),
    Unit.PER_SECOND: st.sampled_from(["50k/s", "600/m", "1"]),
    Unit.PERCENT: st.sampled_from(["98", "99.5%", "100 %"]),
}


def is_one(name: str) -> bool:
    """Whether a name is that of one figure, and could not be that of several."""
    try:
        find(name)
    except ValueError:
        return False
    return True


@st.composite
def criteria(draw: st.DrawFn) -> str:
    """As a person might write one: some of the path, with units or without."""
    figure = draw(st.sampled_from([each for each in FIGURES if each.path[-1] != EACH]))
    words = [draw(st.sampled_from([word, bare(word)])) for word in figure.path]
    name = ".".join(words[draw(st.integers(0, len(words) - 1)) :])
    assume(is_one(name))
    always = "always " if draw(st.booleans()) and find(name).through_hold else ""
    blank = draw(st.sampled_from(["", " ", "  "]))
    sign = draw(st.sampled_from(sorted(OPERATORS)))
    return f"{always}{name}{blank}{sign}{blank}{draw(BOUNDS[find(name).unit])}"


@given(criteria())
def test_what_is_printed_parses_back(text: str) -> None:
    assert parse(str(parse(text))) == parse(text)


@given(st.text() | st.text("always .<>=!_0123456789abekmst*") | st.builds("{} {} {}".format, st.text(), st.text(), st.text()))
def test_any_text_is_a_criterion_or_a_sentence(text: str) -> None:
    try:
        criterion = parse(text)
    except ValueError as error:
        assert str(error)
    else:
        assert parse(str(criterion)) == criterion


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("established", "established_at_hold_end"),
        ("connect_latency.p99", "connect_latency_us.p99"),
        ("connect_latency_us.p99", "connect_latency_us.p99"),
        ("dropped", "dropped"),
        ("dropped.peer_reset", "dropped.peer_reset"),
        ("memory.slab_bytes_per_connection", "target.memory.slab_bytes_per_connection"),
        ("workers.memory.slab_bytes_per_connection", "workers.memory.slab_bytes_per_connection"),
        ("ghosts", "reconciliation.ghosts"),
        ("probed.ghosts", "reconciliation.probed.ghosts"),
        ("accepted", "target.accepted"),
        ("counters.ListenOverflows", "target.kernel.counters.ListenOverflows"),
        ("ramp", "ramp_seconds"),
        ("storms.slowest_connect", "storms.slowest_connect_us"),
        ("widest_off_schedule", "widest_off_schedule_through_hold"),
        ("probes_sent", "keepalive.probes_sent"),
        ("held_back", "pushes.held_back"),
        ("slowest.connect_p99", "sources.slowest.connect_p99_us"),
    ],
)
def test_a_short_name_is_the_end_of_a_path(name: str, path: str) -> None:
    assert str(find(name)) == path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("conect_latency.p99 < 50ms", "did you mean connect_latency.p99"),
        ("establishd >= 5", "did you mean established"),
        ("ListenOverflows == 0", "path in the summary"),  # of what?
        ("failed.ETIMEOUT == 0", "did you mean ETIMEDOUT"),  # it would be 0 in every run
        ("always ghosts == 0", "leave out 'always'"),
        ("always memory.user_bytes_per_connection < 3 apples", "'3 apples' is not a number of bytes"),
        ("established >= 50ms", "'50ms' is not a number"),
        ("connect_latency.p99 < 4kB", "is not a duration"),
        ("established = 5", "write FIGURE OPERATOR VALUE"),
        ("established >", "write FIGURE OPERATOR VALUE"),
        ("established >= -5", "zero or more"),
        ("", "write FIGURE OPERATOR VALUE"),
        ("established >= " + "9" * 500, "write FIGURE OPERATOR VALUE"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse(text)


def judged(text: str, outcome: Outcome) -> tuple[bool, float | None]:
    found = judge(parse(text), measured(outcome))
    assert bool(found.reason) is not found.met
    return found.met, found.value


@pytest.mark.parametrize(
    ("text", "met", "value"),
    [
        ("established >= 1993", True, 1_993),
        ("established >= 2k", False, 1_993),
        ("dropped == 0", False, 7),
        ("dropped.peer_reset <= 7", True, 7),
        ("dropped.peer_closed == 0", True, 0),  # none was
        ("failed == 0", True, 0),
        ("connect_latency.p99 <= 150us", True, 150),
        ("connect_latency.p99 < 150us", False, 150),  # not by a float's last digit
        ("connections_per_second > 499/s", True, 500),
        ("ramp < 4s", False, 4.0),
        ("workers.pss < 9MB", True, 8_000_000),
        ("target.pss < 9MB", False, None),
        ("counters.ListenOverflows == 0", False, None),  # no reading came
        ("probed.ghosts == 0", False, None),
    ],
)
def test_a_run_is_judged_by_its_summary(text: str, met: bool, value: float | None) -> None:
    assert judged(text, not_held()) == (met, value)


@pytest.mark.parametrize(
    ("text", "outcome", "why"),
    [
        ("target.pss < 9MB", finished(), "memory: /proc is hidden"),
        ("ghosts == 0", ended_early(), "the run ended before its hold did"),
        ("accepted >= 1", refused(), "the run had no target"),
        ("workers.failed == 0", refused(), "the run had no workers"),
        ("connect_latency.p50 < 1s", refused(), "nothing was measured"),
        ("probed.ghosts == 0", finished(), "--probe-ghosts"),
        ("memory.slab_bytes_per_connection < 5kB", finished(), "unknown"),
    ],
)
def test_what_is_unknown_is_not_met_and_says_why(text: str, outcome: Outcome, why: str) -> None:
    found = judge(parse(text), measured(outcome))

    assert (found.met, found.value) == (False, None)
    assert "is unknown, hence not met: " in found.reason
    assert why in found.reason


@pytest.mark.parametrize("outcome", [finished(), not_held(), ended_early(), refused()])
def test_every_figure_can_be_asked_for_in_every_run(outcome: Outcome) -> None:
    summary = measured(outcome)
    for figure in FIGURES:
        name = str(figure).replace("failed.*", "failed.ETIMEDOUT").replace("dropped.*", "dropped.EPIPE").replace(EACH, "any")
        found = judge(parse(f"{name} >= 0"), summary)
        assert found.met is (found.value is not None), figure
        assert bool(found.reason) is not found.met


@pytest.mark.parametrize(
    ("stages", "met", "told"),
    [
        ([9.0, 60.5], True, ""),
        ([9.0, 61.5], False, "stages.reached_seconds of number 2 was 1 min 02 s"),
        ([None, 61.5], False, "stages.reached_seconds of number 1 is unknown, hence not met: the stage was not reached"),
        ([], False, "the run had no stages"),
    ],
)
def test_every_stage_may_be_required_to_be_reached_in_time(stages: list[float | None], met: bool, told: str) -> None:
    found = judge(parse("stages.reached <= 61s"), figures({"stages": [{"reached_seconds": reached} for reached in stages]}))

    assert found.met is met
    assert told in found.reason


def test_of_several_workers_the_one_that_is_not_as_required_decides() -> None:
    summary = figures({"workers": [{"node": f"w{number}", "failed": {"ETIMEDOUT": number}} for number in range(4)]})

    found = judge(parse("workers.failed < 2"), summary)

    assert (found.met, found.value) == (False, 2)
    assert found.reason == "required workers.failed < 2, and workers.failed of w2 was 2"


def test_where_the_schedule_went_down_again_the_peak_is_told() -> None:
    summary = figures({"established_peak": 1_000, "established_at_hold_end": 0})

    assert judge(parse("established >= 999"), summary).reason == (
        "required established >= 999, and established_at_hold_end was 0 at the end of the hold; established_peak was 1,000"
    )
    assert judge(parse("established >= 2k"), summary).reason == "required established >= 2k, and established_at_hold_end was 0"


def test_every_storm_and_every_source_of_every_worker_has_to_meet_it() -> None:
    storms = [{"slowest_connect_us": 900_000}, {"slowest_connect_us": 1_200_000}]
    rows = [{"source": "10.0.0.1", "connect_p99_us": 70}, {"source": "10.0.0.2", "connect_p99_us": 90}]
    workers = [{"node": f"w{number}", "slowest_sources": rows[:number]} for number in (1, 2)]
    summary = figures({"storms": storms, "workers": workers})

    assert judge(parse("storms.slowest_connect < 1s"), summary).reason.endswith("of number 2 was 1.2 s")
    assert judge(parse("slowest_sources.connect_p99 < 80us"), summary).reason.endswith("of w2 10.0.0.2 was 90 us")
    found = judge(parse("slowest_sources.connect_p50 < 80us"), summary)
    assert found.reason.endswith("of w1 10.0.0.1 is unknown, hence not met: the summary gives no reason")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("heartbeats.missing == 0", "that takes --heartbeat"),
        ("keepalive.timed_out == 0", "that takes --keepalive"),
        ("pushes.held_back == 0", "that takes --server-push"),
        ("storms.recovery < 5s", "the run had no storms"),
    ],
)
def test_what_the_run_did_not_do_is_unknown_and_says_what_it_takes(text: str, told: str) -> None:
    assert told in judge(parse(text), measured(finished())).reason


def test_what_nobody_waits_for_is_unknown_for_that() -> None:
    outcome = finished()
    outcome.spec = RunSpec(2_000, heartbeat=1.0, expect=Answer(Expect.NONE))

    assert judge(parse("heartbeats.sent >= 0"), measured(outcome)).met
    assert "--expect none" in judge(parse("heartbeats.missing == 0"), measured(outcome)).reason


def test_what_is_required_always_stays_broken() -> None:
    criterion = parse("always established >= 5")
    requirement_monitor = RequirementMonitor([criterion, parse("dropped == 0")])
    for seconds, established in ((1.0, 7), (2.0, 4), (3.0, 9)):
        assert requirement_monitor.watching is (seconds < 3)
        requirement_monitor.look(moment(seconds, {"established_at_hold_end": established}))

    found = requirement_monitor.judgement(criterion)
    assert (found.met, found.value, found.broken_at_seconds) == (False, 4, 2.0)
    assert found.reason == "required always established >= 5, and established_at_hold_end was 4, 2.0 s after the start"


def test_a_latency_of_which_nothing_has_come_yet_is_not_broken() -> None:
    """With an interval of a minute, the first heartbeats are answered late in the hold."""
    criterion = parse("always heartbeat_rtt.p99 < 5ms")
    requirement_monitor = RequirementMonitor([criterion])
    requirement_monitor.look(moment(1.0, {"heartbeat_rtt_us": {"count": 0}}))
    nothing = requirement_monitor.judgement(criterion)
    assert (nothing.met, nothing.value, nothing.broken_at_seconds) == (False, None, None)
    assert nothing.reason.endswith("unknown, hence not met: nothing was measured")

    requirement_monitor.look(moment(2.0, {"heartbeat_rtt_us": {"count": 3, "p99": 4_000}}))
    assert requirement_monitor.judgement(criterion).met
    requirement_monitor.look(moment(3.0, {"heartbeat_rtt_us": {"count": 9, "p99": 6_000}}))
    assert requirement_monitor.judgement(criterion).broken_at_seconds == 3.0
    assert not requirement_monitor.watching


def test_of_several_workers_one_that_breaks_it_is_found_behind_one_of_which_nothing_came() -> None:
    rtts: tuple[dict[str, int], ...] = ({"count": 0}, {"count": 1, "p99": 6_000})
    workers = [{"node": f"w{number}", "heartbeat_rtt_us": rtt} for number, rtt in enumerate(rtts)]
    requirement_monitor = RequirementMonitor([parse("always workers.heartbeat_rtt.p99 < 5ms")])
    requirement_monitor.look(moment(1.0, {"workers": workers}))

    (found,) = requirement_monitor.judgements.values()
    assert (found.value, found.broken_at_seconds) == (6_000, 1.0)


def test_without_a_hold_nothing_was_always_so() -> None:
    criterion = parse("always dropped == 0")

    found = RequirementMonitor([criterion]).judgement(criterion)
    assert (found.met, found.reason) == (False, "required always dropped == 0, and there was no hold, hence not met")


# -- the table of figures, and the summary that it is of


def leaves(node: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Paths of everything that is a number or unknown."""
    if isinstance(node, dict):
        return {leaf for name, item in node.items() for leaf in leaves(item, (*path, name))}
    if isinstance(node, list):
        return {leaf for item in node if isinstance(item, dict) for leaf in leaves(item, path)}
    return {path} if isinstance(node, int | float) and not isinstance(node, bool) else set()


def check_table(summary: dict[str, Any], figures: dict[str, Any]) -> None:
    """Every number of a summary can be asked for."""
    known = {figure.path for figure in FIGURES}
    for path in leaves({name: summary[name] for name in figures}):
        named = path in known or (*path[:-1], EACH) in known
        assert named, f"{'.'.join(path)} is a figure of the summary; describe it in coordinator/summary"


def test_every_number_of_a_summary_is_in_the_table() -> None:
    check_table(to_plain(summarise(not_held())), to_plain(measured(not_held())))


def test_every_figure_of_the_table_is_in_the_summary() -> None:
    """Its parents at least: what is unknown may be left out."""
    summary = to_plain(summarise(not_held()))
    for figure in FIGURES:
        node: Any = summary
        for word in figure.path[:-1]:
            node = (node[0] if node else None) if isinstance(node, list | tuple) else node
            assert node is None or word in node, figure
            node = None if node is None else node[word]


def test_what_samples_tell_is_known_through_the_hold() -> None:
    outcome = finished()
    told, asked = measured(outcome.as_of_now()), measured(outcome)

    for figure in FIGURES:
        if figure.through_hold and [value for _, value in figure.values(asked) if value is not None]:
            assert [value for _, value in figure.values(told)] == [value for _, value in figure.values(asked)], figure
    assert told.established_at_hold_end == asked.established_at_hold_end


# -- through the command line


def test_the_summary_tells_what_was_required() -> None:
    outcome = finished()
    outcome.spec = RunSpec(2_000, require=(parse("established >= 2k"), parse("ghosts == 1")))

    told = to_plain(summarise(outcome))

    assert [(found["criterion"], found["figure"], found["met"], found["value"]) for found in told["criteria"]] == [
        ("established >= 2k", "established_at_hold_end", True, 2_000),
        ("ghosts == 1", "reconciliation.ghosts", False, 0),
    ]
    assert (told["verdict"], told["exit_code"], told["reasons"]) == (
        "failed",
        1,
        ["required ghosts == 1, and reconciliation.ghosts was 0"],
    )
    assert {worker["node"] for worker in told["workers"]} | {told["target"]["node"]} == {WORKER, TARGET}


EVERYTHING = ("--storm", "at=2s,drop=1%,return=100ms", "--heartbeat", "1s", "--keepalive", "1s", "--server-push", "1/s")


def test_a_run_that_is_as_required_passes_and_one_that_is_not_says_so(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    met = ["established >= 1k", "always dropped == 0", "connect_latency.p99 < 1m", "storms.slowest_connect < 1m"]
    broken = ["always established < 1k", "probed.ghosts == 0", "connect_latency.count > 1M"]
    words = [word for criterion in [*met, *broken] for word in ("--require", criterion)]

    ended = run_coord("--total", "1000", "--hold", "3s", *EVERYTHING, "--json", str(told), *words)

    summary = json.loads(told.read_text())
    found = {judgement["criterion"]: judgement for judgement in summary["criteria"]}
    assert (ended.returncode, summary["verdict"]) == (1, "failed"), ended.stderr
    assert {name: judgement["met"] for name, judgement in found.items()} == dict.fromkeys(met, True) | dict.fromkeys(
        broken, False
    )
    assert summary["reasons"][:3] == [found[name]["reason"] for name in broken]
    assert found["always established < 1k"]["broken_at_seconds"] > 0
    assert "required            always dropped == 0: met, 0" in ended.stdout
    assert "--require 'always dropped == 0'" in ended.stderr  # what repeats the run
    check_table(summary, to_plain(measured(finished())))


def test_a_file_may_require_and_a_run_may_meet_it(tmp_path: Path) -> None:
    spec = tmp_path / "run.toml"
    spec.write_text('total = 200\nhold = "0s"\nrequire = ["established >= 200", "always failed == 0"]\n')

    ended = run_coord("--spec", str(spec))

    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    ("text", "told"), [("establishd >= 5", "did you mean established"), ("x", "write FIGURE OPERATOR VALUE")]
)
def test_a_criterion_that_makes_no_sense_is_refused_before_anything_is_opened(text: str, told: str) -> None:
    ended = run_coord("--total", "10", "--require", text)

    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1
