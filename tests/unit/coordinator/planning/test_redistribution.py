"""The share of a lost worker: every point of it given once, nothing used twice, nothing over-filled, and otherwise why not."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned import LOCAL_8, pool, remembering, target, worker

from c1m.coordinator.planning.capacity import TargetFacts, WorkerFacts
from c1m.coordinator.planning.plan import make_plan
from c1m.coordinator.planning.redistribution import (
    COUNTED_NS,
    AddedShard,
    Arc,
    Holding,
    Survivors,
    can_be_of,
    gaps,
    holdings,
    left_over,
    redistribute,
)
from c1m.errors import RefusedError
from c1m.limits.connection_memory import WORKER_END
from c1m.net.ports import PortRanges
from c1m.schedule.node_schedule import NodeSchedule
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import NANOSECONDS, Arrival, Revision, Schedule, Stage

PLENTY = PortRanges(((2_000, 9_999),))


def fleet_of(*sizes: int, each: int = 1_000, ports: PortRanges = PLENTY) -> dict[str, WorkerFacts]:
    """Workers of hosts of their own, with so many source addresses."""
    names = [f"w{index}" for index in range(len(sizes))]
    return {
        name: worker(name, name, f"{name} 1", 2, each, sources=pool(1000 * index, size), ports=ports)
        for index, (name, size) in enumerate(zip(names, sizes, strict=True))
    }


class State:
    """A run whose workers are lost one after another."""

    def __init__(self, total: int, facts: Mapping[str, WorkerFacts], goal: TargetFacts) -> None:
        self.facts, self.goal = facts, goal
        plan = make_plan(total, list(facts.values()), goal)
        self.acceptors, self.destinations = plan.acceptors, len(plan.destinations)
        self.there = holdings(plan)
        self.lost: dict[str, Holding] = {}

    def lose(self, name: str, still_open: int = 0) -> dict[str, list[AddedShard]]:
        gone = self.lost[name] = self.there.pop(name)
        scene = Survivors(self.there, {}, self.lost, still_open, self.acceptors, self.destinations)
        moved = redistribute(gone.arcs, scene, self.facts, self.goal)
        self.there |= {taker: self.there[taker].and_also(more) for taker, more in moved.items()}
        return moved


def points(arcs: Sequence[Arc]) -> Counter[int]:
    return Counter(point for arc in arcs for point in range(arc.first, arc.first + arc.size))


def tuples_of(holding: Holding) -> Counter[tuple[int, int]]:
    routes = [route for shard in holding.plan.shards for route in shard.routes]
    return Counter((route.destination, route.first + index) for route in routes for index in range(route.span))


@settings(max_examples=80)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=5),
    each=st.integers(10, 60),
    share=st.floats(0.1, 1.0),
    acceptors=st.integers(1, 12),
    order=st.randoms(use_true_random=False),
    still_open=st.integers(0, 40),
)
def test_whatever_moves_is_exact(
    sizes: list[int], each: int, share: float, acceptors: int, order: object, still_open: int
) -> None:
    facts = fleet_of(*sizes, each=each, ports=PortRanges(((2_000, 2_019),)))
    goal = target(each=each, ports=acceptors)
    most = min(goal.capacity, sum(each.tuples for each in facts.values()) * acceptors)
    total = max(int(most * share), 1)
    state = State(total, facts, goal)
    names = list(state.there)
    order.shuffle(names)  # type: ignore[attr-defined]
    for name in names[:-1]:
        before = {there: Counter(points(holding.arcs)) for there, holding in state.there.items()}
        try:
            moved = state.lose(name, still_open)
        except RefusedError as refused:
            assert str(refused)
            return

        assert sum((points(holding.arcs) for holding in state.there.values()), Counter()) == Counter(range(total))
        for taker, more in moved.items():
            assert not before[taker] & points([Arc(one.first_point, one.shard.planned) for one in more])
        occupied: Counter[int] = Counter()
        for taker, holding in state.there.items():
            assert holding.plan.planned == sum(arc.size for arc in holding.arcs)
            assert set(tuples_of(holding).values()) <= {1}, "a 4-tuple is planned twice"
            for shard in holding.plan.shards:
                assert 0 < shard.planned <= facts[taker].connections_per_process
                for route in shard.routes:
                    assert 0 < route.count <= route.span
                    assert route.first + route.span <= holding.plan.space.size
                    occupied[route.destination] += route.count
        assert max(occupied.values()) <= each


def test_a_share_goes_evenly_to_all_that_are_left() -> None:
    state = State(3000, fleet_of(4, 4, 4), target(each=2_000))

    moved = state.lose("w0")

    assert {name: sum(one.shard.planned for one in more) for name, more in moved.items()} == {"w1": 500, "w2": 500}


def test_a_worker_that_took_a_share_is_lost_with_it() -> None:
    state = State(3000, fleet_of(4, 4, 4), target(each=2_000))
    state.lose("w0")

    moved = state.lose("w1")

    assert sum(one.shard.planned for one in moved["w2"]) == 1500
    assert state.there["w2"].plan.planned == 3000


def test_what_the_target_may_still_have_takes_room_there() -> None:
    facts, goal = fleet_of(4, 4, each=2_000), target(each=1_000, ports=2, cores=2)

    assert State(2000, facts, goal).lose("w0")
    with pytest.raises(RefusedError, match=r"t has room for 0 connections .* but the share is 1,000"):
        State(2000, facts, goal).lose("w0", still_open=1_000)


def test_an_endpoint_that_cannot_tell_gets_no_more_than_was_asked_for() -> None:
    state = State(2000, fleet_of(4, 4), TargetFacts("e:80", 0, 0, 1, is_endpoint=True))

    with pytest.raises(RefusedError, match="e:80 is not a c1m-target"):
        state.lose("w0")


def test_memory_of_the_workers_that_are_left_is_a_reason() -> None:
    names = ("w0", "w1")
    facts = {
        name: WorkerFacts(name, f"{name} 1", 2, 2_000, LOCAL_8, PLENTY, remembering(name, 1_200 * WORKER_END, WORKER_END))
        for name in names
    }
    state = State(1500, facts, target("other", each=2_000))

    with pytest.raises(
        RefusedError, match=r"have 4-tuples, descriptors and memory for \d+ more connections, but the share is 750"
    ):
        state.lose("w1")


@pytest.mark.parametrize(
    ("used", "left"),
    [
        ([], [(0, 10)]),
        ([(0, 10)], []),
        ([(3, 2)], [(0, 3), (5, 5)]),
        ([(5, 5), (0, 2)], [(2, 3)]),
        ([(2, 3), (5, 1)], [(0, 2), (6, 4)]),
    ],
)
def test_gaps_lie_between_what_is_used(used: list[tuple[int, int]], left: list[tuple[int, int]]) -> None:
    assert gaps(10, used) == left


@given(pieces=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.booleans()), max_size=8), order=st.randoms())
def test_what_is_left_over_of_arcs_is_what_nobody_has_taken(pieces: list[tuple[int, int, bool]], order: object) -> None:
    """Arcs side by side, or with a gap between them, some of which are taken."""
    arcs, taken, at = [Arc(0, 1)], [], 1
    for gap, size, is_taken in pieces:
        if gap:
            arcs.append(Arc(at + gap, size))
        else:
            arcs[-1] = Arc(arcs[-1].first, arcs[-1].size + size)
        taken += [Arc(at + gap, size)] if is_taken else []
        at += gap + size
    order.shuffle(taken)  # type: ignore[attr-defined]

    left = left_over(arcs, taken)

    assert points(left) == points(arcs) - points(taken)
    assert all(arc.size for arc in left)


RAMP = Schedule((Stage(900, 8 * NANOSECONDS), Stage(900, 4 * NANOSECONDS), Stage(100, 2 * NANOSECONDS)))


@given(st.integers(0, 15 * NANOSECONDS), st.lists(st.integers(0, COUNTED_NS), min_size=3, max_size=3))
def test_what_shards_count_at_moments_of_their_own_can_be_of_their_shares(elapsed: int, before: list[int]) -> None:
    shares = [RingShare(900, first, 100) for first in (0, 200, 500)]
    following = NodeSchedule(tuple(shares), Revision(RAMP), Arrival.CONSTANT)
    scheduled = following.scheduled([elapsed - each for each in before])

    assert can_be_of(shares, RAMP, elapsed, scheduled)


@pytest.mark.parametrize(
    ("seconds", "scheduled", "possible"),
    [
        (0, 0, True),
        (4, 150, True),
        (4, 114, True),  # as of a second before
        (4, 100, False),
        (4, 225, False),  # of half as much again
        (10, 300, True),
        (10, 299, False),
        (10, 450, False),
        (13, 168, True),
        (13, 301, False),
    ],
)
def test_another_share_of_a_run_is_told_apart_on_a_line_as_well(seconds: int, scheduled: int, possible: bool) -> None:
    assert can_be_of([RingShare(900, 0, 300)], RAMP, seconds * NANOSECONDS, scheduled) is possible
