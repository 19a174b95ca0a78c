"""Who has been silent for too long: counted by the coordinator's own waking time."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.fleet.failure_detector import SILENCE_SECONDS, TICK_SECONDS, FailureDetector, Pause

NODE, OTHER = "worker a:7100", "worker b:7100"


def ticks(
    detector: FailureDetector, seconds: float, begin: float = 0.0, every: float = TICK_SECONDS
) -> Iterator[tuple[float, str]]:
    """Ticks through so many seconds, and who was told at which."""
    for index in range(int(seconds / every) + 1):
        now = begin + index * every
        for name in detector.tick(now):
            yield now, name


def test_silence_is_noticed_within_five_seconds_and_told_once() -> None:
    detector = FailureDetector()
    detector.tick(0.0)
    detector.hear(NODE)

    told = list(ticks(detector, 30.0))

    assert [name for _, name in told] == [NODE]
    assert SILENCE_SECONDS <= told[0][0] < 5.0


def test_a_machine_that_was_full_for_three_seconds_is_not_lost() -> None:
    detector = FailureDetector()
    detector.tick(0.0)
    for second in range(0, 30, 3):
        detector.hear(NODE)
        assert not list(ticks(detector, 2.75, float(second)))


@pytest.mark.parametrize("pause", [5.0, 60.0, 86_400.0])
def test_a_coordinator_that_was_stopped_takes_nobody_for_lost_when_it_wakes_up(pause: float) -> None:
    detector = FailureDetector()
    for name in (NODE, OTHER):
        detector.hear(name)
    assert not list(ticks(detector, 2.0))
    assert not detector.tick(2.0 + pause)

    detector.hear(NODE)  # what had come meanwhile, once somebody could read it

    assert [name for _, name in ticks(detector, 3.0, 2.0 + pause)] == [OTHER]


def test_what_was_known_before_a_pause_is_old_until_each_node_is_heard_again() -> None:
    detector = FailureDetector()
    for name in (NODE, OTHER):
        detector.hear(name)
    assert not list(ticks(detector, 2.0))
    assert (detector.pause, detector.unheard) == (None, set())

    detector.wake(10.0)  # by what has come, before the next tick
    detector.hear(NODE)
    detector.tick(10.1)

    assert detector.pause == Pause(2.0, 10.0)
    assert detector.unheard == {OTHER}
    detector.forget(OTHER)
    assert not detector.unheard


@given(st.lists(st.floats(0, 1000), max_size=200), st.integers(0, 200))
def test_nobody_is_lost_before_the_coordinator_was_awake_for_long_enough(pauses: list[float], heard_at: int) -> None:
    """However long its pauses were: so many ticks with nothing in between have to pass."""
    detector, now = FailureDetector(), 0.0
    detector.tick(now)
    detector.hear(NODE)
    since = 0
    for index, pause in enumerate(pauses):
        now += pause
        since += 1
        if index == heard_at:
            detector.hear(NODE)
            since = 1  # the tick that follows counts
        if detector.tick(now):
            assert since * 2 * TICK_SECONDS >= SILENCE_SECONDS


def test_a_node_that_has_nothing_more_to_say_is_not_waited_for() -> None:
    detector = FailureDetector()
    detector.hear(NODE)
    detector.forget(NODE)

    assert not list(ticks(detector, 60.0))


@pytest.mark.parametrize(("ticks_after", "lost"), [(17, []), (18, [NODE])])
def test_a_node_is_lost_after_four_and_a_half_seconds_of_silence(ticks_after: int, lost: list[str]) -> None:
    detector = FailureDetector()
    detector.tick(0.0)
    detector.hear(NODE)
    for tick in range(1, ticks_after):
        assert not detector.tick(tick * 0.25)

    assert detector.tick(ticks_after * 0.25) == lost


def test_between_two_ticks_no_more_than_half_a_second_counts() -> None:
    detector = FailureDetector()
    detector.tick(0.0)
    detector.hear(NODE)
    for second in range(1, 9):
        assert not detector.tick(second * 100.0)

    assert detector.awake == 4.0
    assert detector.tick(900.0) == [NODE]


@pytest.mark.parametrize(("seconds", "pause"), [(0.99, None), (1.0, Pause(5.0, 6.0))])
def test_a_second_without_a_tick_is_a_pause(seconds: float, pause: Pause | None) -> None:
    detector = FailureDetector()
    detector.hear(NODE)
    detector.tick(5.0)
    detector.wake(5.0 + seconds)

    assert detector.pause == pause
    assert detector.unheard == ({NODE} if pause else set())
    assert pause is None or pause.seconds == 1.0


def test_a_pause_is_noted_once_until_the_next() -> None:
    detector = FailureDetector()
    detector.hear(NODE)
    detector.tick(5.0)
    detector.wake(7.0)
    detector.hear(NODE)
    detector.wake(7.5)  # the same pause, of which more messages are read

    assert (detector.pause, detector.unheard) == (Pause(5.0, 7.0), set())
    detector.tick(7.6)
    assert detector.pause == Pause(5.0, 7.0)
    detector.tick(9.0)
    assert (detector.pause, detector.unheard) == (Pause(7.6, 9.0), {NODE})


def test_before_its_first_tick_a_coordinator_has_not_paused() -> None:
    detector = FailureDetector()
    detector.hear(NODE)
    detector.wake(1_000.0)

    assert (detector.pause, detector.awake) == (None, 0.0)
    assert detector.tick(2_000.0) == []


def test_a_lost_node_is_told_once_and_others_are_still_watched() -> None:
    detector = FailureDetector()
    detector.hear(NODE)
    told: list[str] = []
    for tick in range(40):
        detector.hear(OTHER)
        told += detector.tick(tick / 4)

    assert told == [NODE]
    assert list(detector.heard) == [OTHER]
