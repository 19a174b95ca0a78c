"""Headroom: what the limits of shared places leave for each worker, and which of them is overfilled first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planned import endpoint, target, worker

from c1m.coordinator.planning.capacity import ENDLESS, TargetFacts, WorkerFacts
from c1m.coordinator.planning.headroom import Headrooms, expected, how_many, largest, shortage
from c1m.limits.budget import Budget
from c1m.limits.table import BY_NAME

FILES, MEMORY, PIDS, CONNTRACK = (BY_NAME[name] for name in ("open-files", "memory", "pids", "conntrack"))


def node(name: str, *budgets: Budget) -> WorkerFacts:
    return replace(worker(name), budgets=budgets)


def server(*budgets: Budget) -> TargetFacts:
    return replace(target(), budgets=budgets)


def within(total: int, workers: list[WorkerFacts], goal: TargetFacts | None = None) -> list[int]:
    return Headrooms(workers, goal or endpoint(1)).within(total, [1_000] * len(workers))


@pytest.mark.parametrize(("one", "other"), [(300.0, 200.0), (200.0, 300.0)])
def test_of_a_shared_limit_that_nodes_report_differently_the_lowest_counts(one: float, other: float) -> None:
    workers = [node("a", Budget(FILES, "h", one, 1)), node("b", Budget(FILES, "h", other, 1))]

    assert sum(within(10, workers)) == 200


def test_the_dearest_worker_of_a_place_decides_what_an_end_costs_there() -> None:
    workers = [node("a", Budget(MEMORY, "h", 1_000.0, 2)), node("b", Budget(MEMORY, "h", 1_000.0, 5))]

    assert within(10, workers) == [100, 100]  # 200 of 5 each


def test_workers_elsewhere_have_limits_of_their_own_and_each_the_lowest_of_them() -> None:
    workers = [
        node("a", Budget(FILES, "h", 300.0, 1), Budget(PIDS, "h", 50.0, 1)),
        node("b", Budget(FILES, "i", 400.0, 2)),
        node("c"),
    ]

    rooms = Headrooms(workers, endpoint(1))

    assert rooms.own == [50, 200, ENDLESS]
    assert rooms.within(10, [1_000, 150, 70]) == [50, 150, 70]


def test_what_the_target_holds_is_not_left_for_workers_of_its_machine() -> None:
    workers, goal = [node("a", Budget(FILES, "h", 1_000.0, 1))], server(Budget(FILES, "h", 1_000.0, 3))

    assert within(100, workers, goal) == [700]
    assert within(333, workers, goal) == [1]
    assert within(334, workers, goal) == [0]


def test_where_the_targets_ends_alone_do_not_fit_nobody_opens_anything() -> None:
    workers = [node("a", Budget(FILES, "w", 500.0, 1)), node("b")]

    assert within(100, workers, server(Budget(FILES, "t", 100.0, 1))) == [500, 1_000]
    assert within(101, workers, server(Budget(FILES, "t", 100.0, 1))) == [0, 0]


def test_a_connection_that_is_tracked_once_costs_its_place_once() -> None:
    """Both ends are in one namespace, and the target's end is counted."""
    workers, goal = [node("a", Budget(CONNTRACK, "n", 100.0, 1))], server(Budget(CONNTRACK, "n", 100.0, 1))

    assert within(100, workers, goal) == [1_000]
    assert within(101, workers, goal) == [0]
    assert within(100, workers) == [100]  # nobody else counts it


def test_small_places_are_cut_before_the_larger_ones_around_them() -> None:
    """Two workers share 100 of a machine, of which one shares 10 of its cgroup with a third on another machine."""
    workers = [
        node("a", Budget(FILES, "h", 100.0, 1)),
        node("b", Budget(FILES, "h", 100.0, 1), Budget(PIDS, "c", 10.0, 1)),
        node("c", Budget(PIDS, "c", 10.0, 1)),
    ]

    assert within(10, workers) == [95, 5, 5]


@pytest.mark.parametrize(
    ("room", "each", "count"),
    [(10.0, 1.0, 10), (10.0, 3.0, 3), (0.0, 1.0, 0), (0.3, 0.1, 2), (9.99, 1.0, 9), (600.0, 4600.0, 0), (1.1, 0.11, 10)],
)
def test_as_many_fit_as_can_be_multiplied_back(room: float, each: float, count: int) -> None:
    assert how_many(room, each) == count
    assert count * each <= room


@pytest.mark.parametrize("most", [0, 1, 41, 98])
def test_the_largest_that_fits_is_found_below_the_total(most: int) -> None:
    assert largest(99, lambda number: number <= most) == most
    assert largest(99, lambda _: True) == 98
    assert largest(1, lambda _: True) == largest(0, lambda _: True) == 0


def test_a_total_that_does_not_fit_is_divided_evenly_and_one_that_does_by_what_fits() -> None:
    assert expected(10, [2, 100]) == [2, 8]
    assert expected(102, [2, 100]) == [2, 100]
    assert expected(103, [2, 100]) == [52, 51]


def test_the_place_that_is_overfilled_most_is_named_with_what_it_has_and_needs() -> None:
    workers = [
        node("a", Budget(FILES, "h", 50.0, 1), Budget(MEMORY, "h", 100_000, 5_000)),
        node("b", Budget(FILES, "h", 50.0, 1)),
    ]

    files = shortage(100, Headrooms(workers, endpoint(1)), workers, [1, 99], endpoint(1))
    memory = shortage(1_000, Headrooms(workers, endpoint(1)), workers, [1_000, 0], endpoint(1))

    assert files == (
        "open files of the machine (fs.file-max): the host of a and b has 50 left for connections, but its part of 100 needs "
        "100"
    )
    assert memory == ("memory of the machine: the host of a has 100 kB left for connections, but its part of 1,000 needs 5 MB")


def test_the_targets_part_of_a_place_counts_and_a_full_place_comes_first() -> None:
    workers = [node("a", Budget(FILES, "h", 500.0, 1)), node("b", Budget(MEMORY, "i", 0.0, 5_000))]
    goal = server(Budget(FILES, "h", 500.0, 3))

    alone = shortage(200, Headrooms(workers[:1], goal), workers[:1], [200], goal)
    full = shortage(200, Headrooms(workers, goal), workers, [100, 100], goal)

    assert "the host of a and t has 500 left for connections, but its part of 200 needs 800" in alone
    assert full.startswith(
        "memory of the machine: the host of b has 0 B left for connections, but its part of 200 needs 500 kB"
    )


def test_what_is_tracked_once_is_needed_once() -> None:
    workers, goal = [node("a", Budget(CONNTRACK, "n", 100.0, 1))], server(Budget(CONNTRACK, "n", 100.0, 1))

    told = shortage(200, Headrooms(workers, goal), workers, [200], goal)

    assert "the network namespace of a and t has 100 left for connections, but its part of 200 needs 200" in told
