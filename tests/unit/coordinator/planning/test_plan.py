"""The plan: every connection placed once, nothing over-filled, and what cannot fit refused with a cure that works."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned import ALL_PORTS, LOCAL_8, SLASH_64, endpoint, pool, remembering, target, worker

from c1m.coordinator.planning.capacity import TargetFacts, WorkerFacts, tuples_of
from c1m.coordinator.planning.plan import MOST_SOURCES, SHARERS, Plan, check_shards, make_plan, tuple_slices
from c1m.coordinator.summary.codec import to_plain
from c1m.errors import RefusedError
from c1m.limits.connection_memory import WORKER_END
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges

# Few addresses and ports, so that pools and ranges meet, touch and overlap, and so that every 4-tuple can be looked at.
CROWDED_SOURCES = st.builds(pool, st.integers(0, 9), st.integers(1, 6))
CROWDED_PORTS = st.builds(
    lambda first, more: PortRanges(((first, first + more),)), st.integers(2_000, 2_009), st.integers(0, 19)
)
MEMORY = st.integers(0, 39).map({0: 0, 1: 100_000, 2: 1_000_000}.get)  # bytes: mostly plenty, or for 0, 20, 200 connections


@st.composite
def fleets(
    draw: st.DrawFn,
    sources: st.SearchStrategy[AddressPool] = CROWDED_SOURCES,
    ports: st.SearchStrategy[PortRanges] = CROWDED_PORTS,
    each: st.SearchStrategy[int] = st.integers(0, 50),
    memory: st.SearchStrategy[int | None] = MEMORY,
) -> list[WorkerFacts]:
    made = []
    for index in range(draw(st.integers(1, 6))):
        host, namespace = draw(st.sampled_from("ab")), draw(st.sampled_from("12"))
        made.append(
            WorkerFacts(
                name=f"w{index}",
                namespace=f"{host} {namespace}",
                cores=draw(st.integers(1, 8)),
                connections_per_process=draw(each),
                sources=draw(sources),
                ports=draw(ports),
                budgets=remembering(host, draw(memory), WORKER_END),
            )
        )
    return made


def goals(each: int, memory: st.SearchStrategy[int | None] = MEMORY) -> st.SearchStrategy[TargetFacts]:
    targets = st.builds(
        target,
        host=st.sampled_from("abc"),
        cores=st.integers(1, 8),
        each=st.integers(0, each),
        ports=st.integers(1, 8),
        memory=memory,
        single=st.booleans(),
    )
    return targets | st.builds(endpoint, st.integers(1, 4))


@st.composite
def totals(draw: st.DrawFn, workers: list[WorkerFacts], goal: TargetFacts, most: int) -> int:
    """Up to what fits, and now and then somewhat more."""
    destinations = goal.destinations_for(goal.acceptors_for(most, tuples_of(workers)))
    room = min(goal.capacity, sum(each.capacity(destinations) for each in workers), most)
    return 1 + room * draw(st.integers(0, 110)) // 100


def check(plan: Plan, total: int, workers: list[WorkerFacts], goal: TargetFacts) -> None:
    """What is true of every plan, by arithmetic alone."""
    assert plan.total == total == sum(plan.destinations) == sum(worker.planned for worker in plan.workers)
    facts = {worker.name: worker for worker in workers}
    placed: Counter[int] = Counter()
    for planned in plan.workers:
        assert planned.planned == sum(shard.planned for shard in planned.shards) > 0
        slices: dict[int, list[tuple[int, int]]] = {}
        for shard in planned.shards:
            assert 0 < shard.planned <= facts[planned.name].connections_per_process
            for route in shard.routes:
                assert 0 < route.count <= route.span
                assert 0 <= route.first <= route.first + route.span <= planned.space.size
                placed[route.destination] += route.count
                slices.setdefault(route.destination, []).append((route.first, route.first + route.span))
        for taken in slices.values():
            ends = [end for span in sorted(taken) for end in span]
            assert ends == sorted(ends), "slices of one destination overlap"
    assert [placed[index] for index in range(len(plan.destinations))] == list(plan.destinations)
    if goal.is_endpoint:
        assert (plan.acceptors, len(plan.destinations)) == (0, goal.ports)
    elif goal.single_port:
        assert len(plan.destinations) == 1
        assert total <= plan.acceptors * goal.connections_per_process
    else:
        assert len(plan.destinations) == plan.acceptors <= goal.ports
        assert max(plan.destinations) <= goal.connections_per_process


def four_tuples(plan: Plan, workers: list[WorkerFacts]) -> Iterator[tuple[str, int, str, int]]:
    """(namespace, destination, source address, source port) of every connection that may be opened, spare ones included."""
    namespaces = {worker.name: worker.namespace for worker in workers}
    for planned in plan.workers:
        for route in (route for shard in planned.shards for route in shard.routes):
            for address, port in planned.space.walk(route.first, route.span):
                yield namespaces[planned.name], route.destination, address, port


@settings(max_examples=500)
@given(fleets(), goals(each=100), st.data())
def test_every_connection_is_placed_once_or_all_are_refused(
    workers: list[WorkerFacts], goal: TargetFacts, data: st.DataObject
) -> None:
    total = data.draw(totals(workers, goal, most=500))
    try:
        plan = make_plan(total, workers, goal)
    except RefusedError as refused:
        assert re.search(r"\d", str(refused)), "a refusal names a number"
        assert re.search(r"give it|add|ask for|raise", str(refused)), "a refusal names a cure"
        return
    check(plan, total, workers, goal)
    assert max(Counter(four_tuples(plan, workers)).values()) == 1, "a 4-tuple is planned twice"


@given(
    fleets(
        sources=st.sampled_from([LOCAL_8, SLASH_64, pool(0, 1), pool(0, 3 * MOST_SOURCES)]),
        ports=st.sampled_from([ALL_PORTS, PortRanges(((2000, 2999), (1024, 1030))), PortRanges(((5000, 5000),))]),
        each=st.sampled_from([1_000, 20_000, 2**20]),
        memory=st.none(),
    ),
    goals(each=2**20, memory=st.none()),
    st.data(),
)
def test_large_fleets_are_planned_by_the_same_rules(workers: list[WorkerFacts], goal: TargetFacts, data: st.DataObject) -> None:
    total = data.draw(totals(workers, goal, most=3_000_000))
    try:
        plan = make_plan(total, workers, goal)
    except RefusedError:
        return
    check(plan, total, workers, goal)


@given(fleets(each=st.integers(1, 50), memory=st.none()), st.integers(1, 8), st.integers(1, 10_000))
def test_the_source_addresses_that_a_refusal_asks_for_are_enough(workers: list[WorkerFacts], ports: int, total: int) -> None:
    goal = endpoint(ports)
    try:
        make_plan(total, workers, goal)
    except RefusedError as refused:
        advised = re.search(r"add ([\d,]+) source addresses", str(refused))
        if advised is None:
            return
        more = int(advised[1].replace(",", ""))
        shown = [int(size.replace(",", "")) for size in re.findall(r"x ([\d,]+) ports", str(refused))]
        widest = workers[shown.index(max(shown))]
        fresh = AddressBlock((11 << 24), more, 4)
        sources = AddressPool((*widest.sources.blocks, fresh))
        cured = [replace(each, sources=sources) if each is widest else each for each in workers]
        assert make_plan(total, cured, goal).total == total


@given(fleets(each=st.integers(1, 50), memory=st.integers(0, 10**6)), goals(each=400), st.integers(1, 600))
def test_the_total_that_a_refusal_for_memory_names_fits(workers: list[WorkerFacts], goal: TargetFacts, total: int) -> None:
    try:
        make_plan(total, workers, goal)
    except RefusedError as refused:
        advised = re.search(r"ask for at most ([\d,]+)", str(refused))
        if advised is None:
            return
        if fewer := int(advised[1].replace(",", "")):
            assert make_plan(fewer, workers, goal).total == fewer


@pytest.mark.parametrize(
    ("total", "fleet", "goal", "told"),
    [
        (2_001, [worker()], target(each=1_000, ports=2), "give it 3 ports"),  # acceptors would be over-filled
        (10, [worker(each=0)], target(), "descriptor"),  # no shard can hold even one: more addresses are no cure
        (10, [worker()], target(each=0), "descriptor"),
        (1_000, [worker(sources=pool(1, 3), ports=PortRanges(((5000, 5009),)))], endpoint(1), "add 97 source addresses"),
        (1_000, [worker(memory=1_000_000)], endpoint(1), "at most 206"),  # 950,000 usable / 4,600 each
        (1_000, [worker(host="x")], target(host="y", memory=1_000_000), "at most 218"),
        (1_000, [worker(memory=1_000_000)], target(memory=2_000_000), "the host of w and t"),  # one machine's memory, once
    ],
)
def test_what_cannot_fit_is_refused_with_the_cure(total: int, fleet: list[WorkerFacts], goal: TargetFacts, told: str) -> None:
    with pytest.raises(RefusedError, match=told):
        make_plan(total, fleet, goal)


def test_a_node_that_would_start_more_processes_than_any_does_is_refused_at_once() -> None:
    with pytest.raises(RefusedError, match=r"w would need 1,000,000,000 processes for 1,000,000,000 connections, 1 each"):
        make_plan(10**9, [worker(each=1, sources=SLASH_64)], endpoint(1))


def test_a_single_port_takes_what_many_ports_could_not() -> None:
    plan = make_plan(2_001, [worker()], target(each=1_000, ports=1, single=True))

    assert (plan.acceptors, plan.destinations) == (3, (2_001,))


def test_a_target_listens_on_more_ports_where_sources_are_few() -> None:
    """One address and 1,000 ports make 1,000 4-tuples to each port of the target, and it has ports to spare."""
    few = worker(each=2**20, sources=pool(1, 1), ports=PortRanges(((5000, 5999),)))

    plan = make_plan(9_500, [few], target(cores=2, each=2**20, ports=100))

    assert len(plan.destinations) >= 10


def test_workers_of_one_namespace_divide_its_ports_and_others_do_not() -> None:
    together = make_plan(100, [worker("a"), worker("b")], target())
    apart = make_plan(100, [worker("a"), worker("b", namespace="h 2")], target())

    assert [each.space.ports.size for each in together.workers] == [ALL_PORTS.size // 2] * 2
    assert [each.space.ports for each in apart.workers] == [ALL_PORTS] * 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((2005, 2014), (2000, 2009)),  # each begins where the other is not
        ((2000, 2001), (2000, 2000)),
        ((2000, 2000), (2000, 2009)),
    ],
)
def test_workers_of_one_namespace_with_ports_of_their_own_never_share_a_tuple(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    fleet = [
        worker("a", sources=pool(0, 4), ports=PortRanges((one,))),
        worker("b", sources=pool(2, 4), ports=PortRanges((other,))),
    ]

    plan = make_plan(4, fleet, endpoint(1))

    assert max(Counter(four_tuples(plan, fleet)).values()) == 1


def test_no_more_sources_are_used_than_neighbour_tables_hold_while_their_tuples_are_enough() -> None:
    few = make_plan(1_000_000, [worker(each=2**20)], target(each=2**20))
    many = make_plan(10_000, [worker(each=2**20, ports=PortRanges(((5000, 5001),)))], endpoint(1))

    assert few.workers[0].space.sources.size == MOST_SOURCES
    assert many.workers[0].space.size >= 10_000


def test_a_shard_speaks_to_one_acceptor_where_both_are_as_many() -> None:
    plan = make_plan(4_000, [worker(cores=4)], target(cores=4))

    assert [[route.destination for route in shard.routes] for shard in plan.workers[0].shards] == [[0], [1], [2], [3]]


def test_the_summary_of_a_plan_adds_up() -> None:
    summary = to_plain(make_plan(4_001, [worker("a"), worker("b", namespace="h 2")], target()).to_summary())

    assert sum(each["planned"] for each in summary["workers"]) == 4_001
    assert summary["connections_per_destination"] == {"min": 800, "max": 801}
    assert summary["acceptors"] == summary["destinations"] == 5


def test_few_destinations_share_a_local_address_and_port() -> None:
    plan = make_plan(20_000, [worker()], target(ports=20))

    (planned,) = plan.workers
    sharers = Counter(
        (address, port)
        for shard in planned.shards
        for route in shard.routes
        for address, port in planned.space.walk(route.first, route.span)
    )
    assert max(sharers.values()) == SHARERS


def test_4_tuples_that_rest_after_a_fin_are_planned_too() -> None:
    facts = WorkerFacts("w", "ns", 2, 5000, AddressPool((AddressBlock(10 << 24, 10, 4),)), PortRanges(((1024, 20_000),)))
    (usual,) = make_plan(1000, [facts], TargetFacts("t", 2, 5000, 4)).workers
    (resting,) = make_plan(1000, [replace(facts, resting=30.0)], TargetFacts("t", 2, 5000, 4)).workers

    spans = [sum(route.span for shard in each.shards for route in shard.routes) for each in (usual, resting)]
    assert spans[1] - spans[0] == 30_000


# -- to the number


@pytest.mark.parametrize(
    ("most", "fleet", "goal", "told"),
    [
        (2_000, [worker()], target(each=1_000, ports=2), "2,000 in all, but 2,001 were asked for"),
        (10, [worker(sources=pool(1, 1), ports=PortRanges(((5000, 5009),)))], endpoint(1), "but there are 10: w has 1 source"),
        (206, [worker(memory=1_000_000)], endpoint(1), "ask for at most 206, or lift that limit"),
        (218, [worker(host="x")], target(host="y", memory=1_000_000), "ask for at most 218, or lift that limit"),
    ],
)
def test_the_last_connection_that_fits_is_planned_and_one_more_is_refused(
    most: int, fleet: list[WorkerFacts], goal: TargetFacts, told: str
) -> None:
    assert make_plan(most, fleet, goal).total == most
    with pytest.raises(RefusedError, match=told):
        make_plan(most + 1, fleet, goal)


def test_a_node_starts_65_536_processes_at_most() -> None:
    check_shards([worker("a"), worker("b", each=1)], [0, 65_536])
    with pytest.raises(RefusedError, match=r"b would need 65,537 processes for 65,537 connections, 1 each"):
        check_shards([worker("a"), worker("b", each=1)], [0, 65_537])


def test_the_summary_of_a_plan_has_every_workers_part() -> None:
    fleet = [worker("a", cores=3, sources=pool(1, 7), ports=PortRanges(((5000, 5999),))), worker("b", namespace="h 2")]

    summary = to_plain(make_plan(4_000, fleet, replace(target(), spare=17)).to_summary())

    assert summary == {
        "acceptors": 4,
        "spare_per_acceptor": 17,
        "destinations": 4,
        "connections_per_destination": {"min": 1_000, "max": 1_000},
        "workers": [
            {
                "node": "a",
                "planned": 2_000,
                "shards": 3,
                "sources": 7,
                "client_ports": 1_000,
                "tuples_per_destination": 7_000,
            },
            {
                "node": "b",
                "planned": 2_000,
                "shards": 2,
                "sources": 1_000,
                "client_ports": 64_512,
                "tuples_per_destination": 64_512_000,
            },
        ],
    }


def test_an_endpoint_has_no_acceptors_and_nobody_knows_what_it_could_hold() -> None:
    summary = to_plain(make_plan(10, [worker()], endpoint(3)).to_summary())

    assert (summary["acceptors"], summary["spare_per_acceptor"], summary["destinations"]) == (None, None, 3)


def test_a_worker_uses_a_thousand_sources_and_more_where_their_tuples_are_needed() -> None:
    """20,000 connections take 26,024 4-tuples: a quarter more, and 1,024 for ports that others use."""
    few_ports = PortRanges(((5000, 5009),))

    assert make_plan(100, [worker()], endpoint(1)).workers[0].space.sources.size == 1_000
    assert make_plan(20_000, [worker(ports=few_ports)], endpoint(1)).workers[0].space.sources.size == 2_603
    (narrow,) = make_plan(20_000, [worker(ports=few_ports, sources=pool(0, 2_100))], endpoint(1)).workers
    assert narrow.space.sources.size == 2_100


def test_a_slice_has_a_quarter_more_and_1024_more_and_what_rests() -> None:
    assert tuple_slices([(0, 1_000)], 100_000) == [(0, 2_274)]
    assert tuple_slices([(0, 1_000)], 100_000, resting=2.0) == [(0, 4_274)]


def test_slices_of_one_destination_divide_what_there_is_by_their_connections() -> None:
    assert tuple_slices([(0, 30), (0, 20)], 100) == [(0, 60), (60, 40)]
    assert tuple_slices([(7, 1_000), (7, 3_000)], 100_000) == [(0, 2_274), (2_274, 4_774)]


@pytest.mark.parametrize(
    ("size", "firsts"),
    [
        (100_000, [0, 2_274, 4_548] * 4),  # four destinations share each
        (9_096, [0, 2_274] * 6),  # two slices fit in the first half
        (9_095, [0] * 12),
        (3_000, [0] * 12),
    ],
)
def test_slices_of_destinations_lie_side_by_side_in_the_first_half_as_far_as_they_fit(size: int, firsts: list[int]) -> None:
    found = tuple_slices([(destination, 1_000) for destination in range(12)], size)

    assert found == [(first, 2_274) for first in firsts]


def test_a_space_without_tuples_has_empty_slices() -> None:
    assert tuple_slices([(0, 1), (1, 1)], 0) == [(0, 0), (0, 0)]


@pytest.mark.parametrize(("total", "ports", "acceptors"), [(1_006, 1_000, 8), (1_007, 1_000, 16), (1_100, 12, 12)])
def test_acceptors_are_doubled_until_the_worker_with_headroom_has_the_tuples(total: int, ports: int, acceptors: int) -> None:
    """One worker has memory for 206 connections, and the other 100 4-tuples to each destination."""
    poor = worker("a", host="x", namespace="x 1", memory=1_000_000)
    narrow = worker("b", host="y", namespace="y 1", each=20_000, sources=pool(1, 1), ports=PortRanges(((5000, 5099),)))

    plan = make_plan(total, [poor, narrow], target(host="z", each=20_000, ports=ports))

    assert plan.acceptors == acceptors


def test_three_workers_of_one_namespace_get_a_third_of_its_ports_each() -> None:
    fleet = [worker(name, sources=pool(0, 1), ports=PortRanges(((5000, 5011),))) for name in "abc"]

    plan = make_plan(12, fleet, endpoint(1))

    assert [each.space.ports.ranges for each in plan.workers] == [((5000, 5003),), ((5004, 5007),), ((5008, 5011),)]


V6 = AddressPool((AddressBlock((10 << 24) + 1, 4, 6),))


@pytest.mark.parametrize(
    ("pools", "divided"),
    [
        ([pool(0, 4), pool(4, 4)], False),  # one ends where the other begins
        ([pool(0, 5), pool(4, 4)], True),
        ([pool(1, 4), V6], False),  # the same numbers, of another family
        ([pool(0, 2), pool(100, 4), pool(103, 1)], True),  # two of three
        ([pool(0, 10), pool(3, 2)], True),
    ],
)
def test_only_workers_with_an_address_in_common_divide_their_ports(pools: list[AddressPool], divided: bool) -> None:
    fleet = [worker(f"w{index}", sources=each) for index, each in enumerate(pools)]

    plan = make_plan(60, fleet, endpoint(1))

    assert ({each.space.ports for each in plan.workers} != {ALL_PORTS}) == divided


def test_routes_get_the_addresses_at_which_the_target_listens() -> None:
    (planned,) = make_plan(2_000, [worker(cores=1, each=5_000)], target(cores=2)).workers
    (shard,) = planned.shards

    resolved = shard.resolve([("10.0.0.1", 7000), ("10.0.0.1", 7001)])

    assert [(route.destination, route.count) for route in resolved] == [
        (("10.0.0.1", 7000), 1_000),
        (("10.0.0.1", 7001), 1_000),
    ]
    assert [(route.first, route.span) for route in resolved] == [(route.first, route.span) for route in shard.routes]
