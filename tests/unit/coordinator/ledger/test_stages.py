"""What the coordinator makes of a schedule: when it compares, and what the summary says of stages and retargets."""

from c1m.coordinator.ledger.schedule_stages import (
    COMPARISON_SECONDS,
    Rest,
    rests,
    retarget_sentence,
    retarget_summary,
    stages_summary,
)
from c1m.coordinator.summary.codec import to_plain
from c1m.schedule.node_schedule import reached_by_all
from c1m.schedule.schedule import NANOSECONDS, Revision, Schedule
from c1m.schedule.shapes import parse_shape, schedule_of


def drawn(*words: str) -> Schedule:
    return schedule_of(parse_shape(word) for word in words)


def test_it_compares_where_there_is_time_for_it_and_the_end_is_another_matter() -> None:
    short = f"{COMPARISON_SECONDS / 2}s"
    schedule = drawn("5k@10s", f"5k@{short}", "9k@10s", "9k@1m", "9k@1m", "7k@1s", "7k@1h")

    (rest,) = rests(schedule)

    assert (rest.begin, rest.end, rest.total) == (22, 142, 9000)
    assert 142 - 5 < rest.latest < 142 - COMPARISON_SECONDS
    assert list(rests(drawn("5k@10s"))) == list(rests(drawn("5k@10s", "5k@1h"))) == []


def test_a_comparison_of_more_connections_begins_earlier() -> None:
    assert Rest(0, 100, 10**6).latest < Rest(0, 100, 1000).latest


def test_stages_by_the_names_that_a_person_gave() -> None:
    told = [
        to_plain(stage)
        for stage in stages_summary(drawn("4k@2s", "spike:9k@1s"), {0: 2 * NANOSECONDS + 5_000_000, 1: 2_100_000_000})
    ]

    assert [(stage["total"], stage["due_seconds"], stage["reached_seconds"]) for stage in told] == [
        (4000, 2.0, 2.005),
        (9000, 2.0, 2.1),
        (4000, 3.0, None),
    ]


def test_a_stage_is_reached_when_the_last_has_reached_it() -> None:
    assert reached_by_all([{0: 5, 1: 9, 2: 11}, {0: 7, 2: 10}]) == {0: 7, 2: 11}
    assert reached_by_all([]) == {}


def test_a_retarget_is_told_from_where_and_to_where() -> None:
    revision = Revision(drawn("4k@2s", "4k@1m")).next(10 * NANOSECONDS, drawn("1k@5s", "step:3k@1s").stages)

    assert to_plain(retarget_summary(revision)) == {
        "version": 2,
        "at_seconds": 10.0,
        "from": 4000,
        "stages": [
            {"total": 1000, "within_seconds": 5.0},
            {"total": 3000, "within_seconds": 0.0},
            {"total": 3000, "within_seconds": 1.0},
        ],
    }
    assert retarget_sentence(revision) == "retargeted: from 4,000 at 10 s to 1,000 within 5 s, 3,000 at once, 3,000 within 1 s"
