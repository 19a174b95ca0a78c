"""When a shard reaches its stages: each once, at the first look at which it holds, wherever the line turns."""

from hypothesis import given
from hypothesis import strategies as st

from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import Schedule, Stage
from c1m.worker.shard.stage_times import StageTimes

ALONE = RingShare(10, 0, 10)


def stages(*stages: tuple[int, int]) -> Schedule:
    return Schedule(tuple(Stage(*stage) for stage in stages))


UP_REST_DOWN_UP = stages((10, 100), (10, 50), (4, 60), (8, 40))


def test_a_stage_is_reached_when_its_number_is_held() -> None:
    stage_times = StageTimes(ALONE, UP_REST_DOWN_UP)

    stage_times.look(90, opened=9, closed=0, held=9)
    assert stage_times.reached == {}
    stage_times.look(104, opened=10, closed=0, held=10)
    assert stage_times.reached == {0: 104, 1: 104}  # the rest had begun
    stage_times.look(150, opened=10, closed=0, held=10)
    stage_times.look(212, opened=10, closed=6, held=4)
    stage_times.look(252, opened=14, closed=6, held=8)
    assert stage_times.reached == {0: 104, 1: 104, 2: 212, 3: 252}


def test_where_the_line_turns_it_is_enough_that_everybody_had_their_turn() -> None:
    stage_times = StageTimes(ALONE, stages((10, 100), (4, 60), (8, 40)))

    stage_times.look(101, opened=10, closed=1, held=9)
    stage_times.look(161, opened=11, closed=6, held=5)
    stage_times.look(201, opened=14, closed=6, held=8)

    assert stage_times.reached == {0: 101, 1: 161, 2: 201}


def test_a_plateau_after_a_fall_is_reached_when_the_fall_is_over() -> None:
    """As after a spike, where everybody has to leave at once."""
    stage_times = StageTimes(ALONE, stages((10, 100), (4, 0), (4, 60)))

    stage_times.look(101, opened=10, closed=1, held=9)
    stage_times.look(108, opened=10, closed=6, held=4)

    assert stage_times.reached == {0: 101, 1: 108, 2: 108}


def test_who_joins_has_reached_what_the_others_have_and_misses_what_came_and_went() -> None:
    """During the fall to 4: it opens what is there at that moment, and a stage is reached by turns where the line turns."""
    schedule = stages((10, 100), (4, 60), (8, 40))
    joiner = StageTimes(ALONE, schedule)
    joiner.join(schedule, 130, {0: 101})

    assert (joiner.missed, joiner.reached) == (3, {0: 101})
    joiner.look(161, opened=8, closed=3, held=5)
    assert joiner.reached == {0: 101, 1: 161}, "7 that were due, 3 closed; another has opened already"
    joiner.look(201, opened=11, closed=3, held=8)
    assert joiner.reached == {0: 101, 1: 161, 2: 201}


def test_a_stage_that_lost_connections_is_not_reached() -> None:
    stage_times = StageTimes(ALONE, UP_REST_DOWN_UP)

    stage_times.look(104, opened=9, closed=0, held=9)  # one failed
    stage_times.look(212, opened=9, closed=5, held=4)
    stage_times.look(252, opened=13, closed=5, held=8)

    assert stage_times.reached == {2: 212, 3: 252}


def test_another_schedule_keeps_what_was_reached_of_the_stages_that_stay() -> None:
    stage_times = StageTimes(ALONE, UP_REST_DOWN_UP)
    stage_times.look(104, opened=10, closed=0, held=10)

    stage_times.follow(UP_REST_DOWN_UP.cut(120, [Stage(2, 30)]), UP_REST_DOWN_UP.kept(120))
    stage_times.look(151, opened=10, closed=8, held=2)

    assert stage_times.reached == {0: 104, 2: 151}  # the cut one between them was nobody's to name


@given(st.lists(st.builds(Stage, st.integers(0, 10), st.integers(1, 50), st.booleans()), max_size=6))
def test_whoever_is_on_the_line_reaches_every_stage_that_has_a_name(found: list[Stage]) -> None:
    schedule = Schedule(tuple(found))
    stage_times = StageTimes(ALONE, schedule)

    opened = closed = held = 0
    for elapsed in range(schedule.end_ns + 2):
        moved = schedule.at(elapsed) - held
        opened, closed, held = opened + max(moved, 0), closed + max(-moved, 0), schedule.at(elapsed)
        stage_times.look(elapsed, opened, closed, held)

    assert set(stage_times.reached) == {index for index, stage in enumerate(found) if stage.named}
    assert all(
        line.begin_ns <= stage_times.reached[index] <= line.end_ns + 1
        for index, line in enumerate(schedule.lines)
        if index in stage_times.reached
    )
