"""The language of schedules: what each form draws, and a sentence for what is none."""

from math import pi, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.schedule.schedule import NANOSECONDS, Schedule, Stage
from c1m.schedule.shapes import LINES_A_WAVE, draw, parse_shape, schedule_of


def drawn(*words: str) -> Schedule:
    return schedule_of(parse_shape(word) for word in words)


def levels(schedule: Schedule, *seconds: float) -> list[int]:
    return [schedule.at(round(second * NANOSECONDS)) for second in seconds]


@pytest.mark.parametrize(
    ("words", "seconds", "expected"),
    [
        (("100k@10s", "1M@60s", "1M@10m", "0@30s"), (0, 5, 10, 40, 70, 600, 685, 700), None),
        (("10@10s", "step:40@5s"), (9.9, 10, 14, 99), [10, 40, 40, 40]),
        (("10@10s", "spike:50@5s", "10@5s"), (9.9, 10, 14.9, 15, 21), [10, 50, 50, 10, 10]),
        (("10@0s", "stairs:60/5@10s"), (0, 1.9, 2, 4, 6, 8, 9.9, 11), [20, 20, 30, 40, 50, 60, 60, 60]),
        (("10@0s", "stairs:1/3@9s"), (0, 3, 6), [7, 4, 1]),
        (("sine:10-30/20s@40s",), (0, 5, 10, 15, 20, 30, 40), [10, 20, 30, 20, 10, 30, 10]),
        (("sine:30-10/20s@5s",), (0, 2.5, 5), [30, 27, 20]),
    ],
)
def test_each_form_draws_its_line(words: tuple[str, ...], seconds: tuple[float, ...], expected: list[int] | None) -> None:
    if expected is None:
        expected = [0, 50_000, 100_000, 550_000, 1_000_000, 1_000_000, 500_000, 0]
    assert levels(drawn(*words), *seconds) == expected


def test_a_sine_is_drawn_by_lines_as_near_as_it_says() -> None:
    schedule = drawn("sine:0-1M/64s@128s")

    for tenth in range(1280):
        exact = 500_000 * (1 - sin(pi / 2 + 2 * pi * tenth / 640))
        assert abs(schedule.at(tenth * NANOSECONDS // 10) - exact) <= 0.0013 * 500_000
    assert schedule.end_ns == 128 * NANOSECONDS
    assert len(schedule.stages) == 2 * LINES_A_WAVE + 1


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(1, 200), st.integers(1, 10**6))
def test_stairs_end_where_and_when_they_should(origin: int, total: int, steps: int, milliseconds: int) -> None:
    schedule = drawn(f"{origin}@0s", f"stairs:{total}/{steps}@{milliseconds}ms")

    assert schedule.stages[-1].total == total
    assert schedule.end_ns == milliseconds * 1_000_000


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("100k",), "is not a stage; write 100k@10s"),
        (("@10s",), "is not a number"),
        (("100k@soon",), "is not a duration"),
        (("-5@10s",), "is not a number"),
        (("1@2@3",), "is not a stage"),
        (("ramp:5@10s",), "is not a stage"),
        (("stairs:5@10s",), "write stairs:250k/5@5m"),
        (("stairs:5/0@10s",), "stairs have 1 to 5,000 steps"),
        (("sine:5/10s@10s",), "two numbers and a period"),
        (("sine:5-9/0s@10s",), "more than 0 s"),
        (("sine:5-9/1s@10h",), "at most 5,000"),
        (("0@10s", "0@5s"), "never open a connection"),
    ],
)
def test_what_is_no_schedule_is_a_sentence(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        drawn(*words)


def test_a_stage_is_written_as_it_was_read() -> None:
    assert str(parse_shape(" stairs:250k/5@5m ")) == "stairs:250k/5@5m"
    assert parse_shape("1M@10m") == parse_shape("1M@10m") != parse_shape("1M@11m")


SECOND = NANOSECONDS


@pytest.mark.parametrize(
    ("word", "stages"),
    [
        ("100k@10s", (Stage(100_000, 10 * SECOND),)),
        ("step:200k@30s", (Stage(200_000, 0), Stage(200_000, 30 * SECOND, named=False))),
        ("spike:500k@5s", (Stage(500_000, 0), Stage(500_000, 5 * SECOND, named=False), Stage(7, 0))),
        (
            "stairs:10/3@10ns",
            (
                *(Stage(8, 0), Stage(8, 3, named=False)),
                *(Stage(9, 0), Stage(9, 3, named=False)),
                *(Stage(10, 0), Stage(10, 4, named=False)),
            ),
        ),
    ],
)
def test_the_lines_of_a_form_and_which_of_them_a_person_wrote(word: str, stages: tuple[Stage, ...]) -> None:
    """They follow a stage that ended at 7."""
    shape = parse_shape(word.replace("10ns", "0.00000001"))

    assert shape.draw(7) == stages


def test_a_sine_is_64_lines_a_wave_and_one_more_where_it_ends_between_two() -> None:
    begin, *waves = parse_shape("sine:10-30/64s@64s").draw(7)
    part = parse_shape("sine:10-30/64s@1500ms").draw(7)

    assert (begin, len(waves)) == (Stage(10, 0), 64)
    assert {(stage.within_ns, stage.named) for stage in waves} == {(SECOND, False)}
    assert [stage.total for stage in waves[15::16]] == [20, 30, 20, 10]
    assert [(stage.total, stage.within_ns) for stage in part] == [(10, 0), (10, SECOND), (10, SECOND // 2)]


@pytest.mark.parametrize(("word", "lines"), [("sine:5-9/64s@5000s", 5_001), ("sine:5-9/64s@4999s", 5_000)])
def test_a_schedule_has_5000_lines_at_most(word: str, lines: int) -> None:
    shape = parse_shape(word)

    assert len(shape.draw(0)) == lines
    if lines <= 5_000:
        assert len(schedule_of([shape]).stages) == lines
        return
    with pytest.raises(ValueError, match="the stages make 5,001 straight lines; at most 5,000 are possible"):
        schedule_of([shape])


def test_stairs_have_1_to_5000_steps() -> None:
    assert len(parse_shape("stairs:9/1@1s").draw(0)) == 2
    assert len(parse_shape("stairs:9/5000@1s").draw(0)) == 10_000
    with pytest.raises(ValueError, match="stairs have 1 to 5,000 steps"):
        parse_shape("stairs:9/5001@1s")


@pytest.mark.parametrize("word", ["sine:5/10s@10s", "sine:5-9@10s", "sine:5-9/@10s"])
def test_a_sine_without_one_of_its_parts_is_a_sentence(word: str) -> None:
    with pytest.raises(ValueError, match="a sine has two numbers and a period; write sine:50k-150k/60s@10m"):
        parse_shape(word)


def test_stages_may_follow_a_run_that_stands_somewhere() -> None:
    assert draw([parse_shape("spike:9@1s"), parse_shape("5@1s")], 40)[-2:] == (Stage(40, 0), Stage(5, SECOND))
