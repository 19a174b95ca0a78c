"""Who has been silent for too long: counted by the coordinator's own waking time."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.fleet.failure_detector import SILENCE_SECONDS, TICK_SECONDS, Pause, Vitality

NODE, OTHER = "worker a:7100", "worker b:7100"


def ticks(vitality: Vitality, seconds: float, begin: float = 0.0, every: float = TICK_SECONDS) -> Iterator[tuple[float, str]]:
    """Ticks through so many seconds, and who was told at which."""
    for index in range(int(seconds / every) + 1):
        now = begin + index * every
        for name in vitality.tick(now):
            yield now, name


def test_silence_is_noticed_within_five_seconds_and_told_once() -> None:
    vitality = Vitality()
    vitality.tick(0.0)
    vitality.hear(NODE)

    told = list(ticks(vitality, 30.0))

    assert [name for _, name in told] == [NODE]
    assert SILENCE_SECONDS <= told[0][0] < 5.0


def test_a_machine_that_was_full_for_three_seconds_is_not_lost() -> None:
    vitality = Vitality()
    vitality.tick(0.0)
    for second in range(0, 30, 3):
        vitality.hear(NODE)
        assert not list(ticks(vitality, 2.75, float(second)))


@pytest.mark.parametrize("pause", [5.0, 60.0, 86_400.0])
def test_a_coordinator_that_was_stopped_takes_nobody_for_lost_when_it_wakes_up(pause: float) -> None:
    vitality = Vitality()
    for name in (NODE, OTHER):
        vitality.hear(name)
    assert not list(ticks(vitality, 2.0))
    assert not vitality.tick(2.0 + pause)

    vitality.hear(NODE)  # what had come meanwhile, once somebody could read it

    assert [name for _, name in ticks(vitality, 3.0, 2.0 + pause)] == [OTHER]


def test_what_was_known_before_a_pause_is_old_until_each_node_is_heard_again() -> None:
    vitality = Vitality()
    for name in (NODE, OTHER):
        vitality.hear(name)
    assert not list(ticks(vitality, 2.0))
    assert (vitality.pause, vitality.unheard) == (None, set())

    vitality.wake(10.0)  # by what has come, before the next tick
    vitality.hear(NODE)
    vitality.tick(10.1)

    assert vitality.pause == Pause(2.0, 10.0)
    assert vitality.unheard == {OTHER}
    vitality.forget(OTHER)
    assert not vitality.unheard


@given(st.lists(st.floats(0, 1000), max_size=200), st.integers(0, 200))
def test_nobody_is_lost_before_the_coordinator_was_awake_for_long_enough(pauses: list[float], heard_at: int) -> None:
    """However long its pauses were: so many ticks with nothing in between have to pass."""
    vitality, now = Vitality(), 0.0
    vitality.tick(now)
    vitality.hear(NODE)
    since = 0
    for index, pause in enumerate(pauses):
        now += pause
        since += 1
        if index == heard_at:
            vitality.hear(NODE)
            since = 0
        if vitality.tick(now):
            assert since * 2 * TICK_SECONDS >= SILENCE_SECONDS


def test_a_node_that_has_nothing_more_to_say_is_not_waited_for() -> None:
    vitality = Vitality()
    vitality.hear(NODE)
    vitality.forget(NODE)

    assert not list(ticks(vitality, 60.0))
