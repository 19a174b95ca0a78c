"""Who leaves first when the schedule falls."""

from __future__ import annotations

import time
from _socket import AF_INET
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from c1m.worker.shard.leavers import AnyOf, Leavers, Oldest
from c1m.worker.sockets.connections import CONNECTING, ESTABLISHED, NOT_OURS, ClientConnections


def table(*states: int) -> ClientConnections:
    """Descriptors in these states, each called a second after the one before it."""
    made = ClientConnections(AF_INET, len(states), paced=True)
    made.state[:] = bytes(states)
    for descriptor in range(len(states)):
        made.called[descriptor] = time.monotonic() + descriptor
    return made


def leave(connections: ClientConnections, departures: Leavers, count: int) -> list[int]:
    chosen = departures.choose(connections, count)
    for descriptor in chosen:
        connections.state[descriptor] = NOT_OURS
    return chosen


MIXED = (NOT_OURS, ESTABLISHED, CONNECTING, ESTABLISHED, ESTABLISHED, NOT_OURS, ESTABLISHED)


@pytest.mark.parametrize("make", [Oldest, lambda: AnyOf(Random(3))])
def test_all_established_ones_leave_and_nobody_else(make: Callable[[], Leavers]) -> None:
    connections, departures = table(*MIXED), make()

    left = leave(connections, departures, 3) + leave(connections, departures, 3)

    assert sorted(left) == [1, 3, 4, 6]
    assert departures.choose(connections, 1) == []


def test_the_oldest_leave_first_whatever_happened_since_they_were_sorted() -> None:
    connections, oldest = table(*MIXED), Oldest()
    connections.called[1] += 100  # a descriptor that was used again

    assert leave(connections, oldest, 1) == [3]
    connections.state[4] = NOT_OURS  # dropped
    connections.called[6] += 200  # dropped, and another connection since
    connections.state[2] = ESTABLISHED
    assert [leave(connections, oldest, 1) for _ in range(4)] == [[1], [2], [6], []]


def test_any_is_everybody_with_the_same_chance() -> None:
    connections, anybody = table(*MIXED), AnyOf(Random(5))

    drawn = Counter(anybody.choose(connections, 1)[0] for _ in range(4000))

    assert set(drawn) == {1, 3, 4, 6}
    assert all(900 < count < 1100 for count in drawn.values())
