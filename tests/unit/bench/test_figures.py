"""What the turns of a bench come to, and when nothing is called."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from figures import Result, append, reason, record, result_of
from noise import Before, Use, parse_ticks, processors_watched
from quiet import Condition
from trees import Tree
from turns import Noise, Sitting, Turn, attempts, schedule
from ways import NAIVE_MOST, Measured, Way, shape_of

QUIET, BUSY = Before(0.0, 10, 0.1, 0.99), Before(90.0, 10, 3.0, 0.61)
ALONE, BESIDE_OTHERS = Use(1.5, 0.01, 0.0), Use(1.5, 0.04, 0.02)
HELD = (Condition("niceness", "-10 (was 0)"),)


def turn(number: int, way: str, per_second: float, before: Before = QUIET, use: Use = ALONE) -> Turn:
    return Turn(number, way, before, use, Measured(1000, 1.0, per_second, 0.5))


def rounds(ours: list[float], theirs: list[float]) -> list[Turn]:
    pairs = enumerate(zip(theirs, ours, strict=True), 1)
    return [turn(n, way, value) for n, pair in pairs for way, value in zip(("planned C", "c1m"), pair, strict=True)]


def test_ratios_are_paired_by_round_whatever_the_order_in_it() -> None:
    turns = rounds([90.0, 160.0, 70.0], [100.0, 200.0, 100.0])
    turns[2:4] = turns[3:1:-1]  # the second round goes backwards

    result = result_of(Sitting(turns), HELD, 1000, "c1m")

    assert result.ratios["planned C"]["per_second"].pairs == pytest.approx((0.9, 0.8, 0.7))
    assert result.medians["c1m"]["per_second"] == 90
    assert result.medians["c1m"]["cpu_us"] == 1500
    assert "pss" not in result.ratios["planned C"]
    assert result.called
    assert reason(result) is None


def test_a_round_that_is_not_complete_does_not_count() -> None:
    turns = [*rounds([90.0], [100.0]), turn(2, "planned C", 100.0), Turn(2, "c1m", BUSY, Use(), None)]

    result = result_of(Sitting(turns, turns[-1]), HELD, 1000, "c1m")

    assert result.rounds == 1
    assert result.ratios["planned C"]["per_second"].pairs == (0.9,)
    assert not result.called


def test_a_machine_that_was_busy_before_is_the_reason() -> None:
    noisy = Turn(2, "c1m", BUSY, Use(), None)

    assert noisy.noise is Noise.BEFORE
    assert reason(result_of(Sitting([noisy], noisy), HELD, 1000, "c1m")) == (
        "the machine was not quiet (idle 61 % before c1m in round 2)"
    )


def test_others_and_the_host_together_are_the_reason() -> None:
    noisy = turn(1, "c1m", 100.0, use=BESIDE_OTHERS)

    assert noisy.noise is Noise.DURING
    assert reason(result_of(Sitting([noisy], noisy), HELD, 1000, "c1m")) == (
        "the machine was not quiet (others used 4 % of the CPU and its host took 2 % during c1m in round 1)"
    )


def test_a_condition_that_does_not_hold_is_the_reason() -> None:
    unmet = Condition("niceness", "0", "-10 is not allowed; run as root")

    result = result_of(Sitting(), [*HELD, unmet], 1000, "c1m")

    assert not result.called
    assert reason(result) == "niceness: -10 is not allowed; run as root"


def test_a_line_of_history_says_what_was_measured_and_whether_it_counts(tmp_path: Path) -> None:
    turns = rounds([90.0] * 6, [100.0] * 6)
    result: Result = result_of(Sitting(turns), HELD, 1000, "c1m")
    trees = Tree("c1m", tmp_path, "abc1234"), Tree("c1m def5678", tmp_path, "def5678")

    for _ in range(2):
        append(tmp_path / "history.jsonl", record(result, Sitting(turns), *trees, datetime(2026, 12, 1, tzinfo=UTC)))

    first, second = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert first == second
    assert (first["commit"], first["against"], first["date"]) == ("abc1234", "def5678", "2026-12-01T00:00:00+00:00")
    assert (first["total"], first["rounds"], first["quiet"], first["reason"]) == (1000, 6, True, None)
    assert first["ratios"]["planned C"]["per_second"] == {
        "pairs": [0.9] * 6,
        "median": 0.9,
        "interval": {"low": 0.9, "high": 0.9, "coverage": 0.96875},
    }
    assert (first["load"], first["idle_share"], first["others_share"]) == (0.1, 0.99, 0.01)


def test_a_sitting_without_a_turn_is_recorded_too(tmp_path: Path) -> None:
    result = result_of(Sitting(), [Condition("niceness", "0", "no")], 1000, "c1m")

    line = record(result, Sitting(), Tree("c1m", tmp_path, None), None, datetime.now(UTC))

    assert (line["quiet"], line["rounds"], line["idle_share"], line["medians"]) == (False, 0, None, {})


def test_ways_take_turns_forwards_and_backwards() -> None:
    ways = [Way(name, lambda: Measured(1, 1.0, 1.0, 1.0)) for name in "ab"]

    assert [(number, way.name) for number, way in schedule(ways, 3)] == [
        *((1, "a"), (1, "b")),
        *((2, "b"), (2, "a")),
        *((3, "a"), (3, "b")),
    ]


LOUD, GOOD, NEVER = turn(1, "c1m", 50.0, use=BESIDE_OTHERS), turn(1, "c1m", 100.0), Turn(1, "c1m", BUSY, Use(), None)


@pytest.mark.parametrize(
    ("turns", "taken"),
    [
        ([LOUD, LOUD, LOUD, LOUD], [LOUD, LOUD, LOUD]),
        ([LOUD, GOOD, LOUD], [LOUD, GOOD]),
        ([NEVER, GOOD], [NEVER]),
        ([GOOD, LOUD], [GOOD]),
    ],
)
def test_only_noise_during_a_turn_repeats_it(turns: list[Turn], taken: list[Turn]) -> None:
    upcoming = iter(turns)

    assert list(attempts(lambda: next(upcoming), 3)) == taken


def test_guest_time_is_not_counted_twice() -> None:
    ticks = parse_ticks("cpu  10 20 30 400 50 6 7 8 9 11\ncpu0 1 1 1 1 1 1 1 1 1 1\n")

    assert (ticks.idle, ticks.busy, ticks.stolen, ticks.total) == (450, 73, 8, 531)


def test_what_this_process_uses_is_its_own() -> None:
    with processors_watched() as use:
        sum(range(10_000_000))

    assert use.own_seconds > 0
    assert 0 <= use.others_share <= 1


@pytest.mark.parametrize(("total", "most", "shape"), [(150_000, 19_608, (12, 12_500)), (1_000_000, NAIVE_MOST, (54, 18_519))])
def test_a_total_is_spread_over_as_many_processes_as_hold_it(total: int, most: int, shape: tuple[int, int]) -> None:
    found = shape_of(total, most)

    assert (found.processes, found.each) == shape
    assert found.total >= total
