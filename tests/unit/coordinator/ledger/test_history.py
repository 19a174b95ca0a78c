"""Readings folded into what a connection costs: exact for exact readings, and unknown where nothing can be known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.ledger.readings import HostReadings, RegressionAxis, RegressionLine
from c1m.coordinator.results.memory_cost import KMALLOC_ROLE, ROLES, cost, role_of
from c1m.coordinator.summary.codec import to_plain
from c1m.coordinator.summary.memory_cost import MemoryCost
from c1m.measure.sample import Cache, Reading


def line(points: Iterable[tuple[float, float]]) -> RegressionLine:
    made = RegressionLine(RegressionAxis())
    for x, y in points:
        made.axis.add(x)
        made.add(x, y)
    return made


@given(
    st.lists(st.integers(-1_000, 1_000), min_size=2, max_size=20).filter(lambda xs: len(set(xs)) > 1),
    st.integers(-8_000, 8_000).map(lambda eighths: eighths / 8),
    st.integers(-1_000, 1_000),
)
def test_the_slope_of_an_exact_line_is_exact(xs: list[int], slope: float, offset: int) -> None:
    assert line((x, slope * x + offset) for x in xs).slope == slope


@given(st.lists(st.integers(1, 4_000_000), min_size=1, max_size=20), st.integers(1, 100_000))
def test_it_is_exact_enough_for_millions_of_sockets_and_gigabytes(xs: list[int], slope: int) -> None:
    assert line([(0, 0), *((x, x * slope) for x in xs)]).slope == pytest.approx(slope, rel=1e-9)


def test_a_long_hold_wears_nothing_off() -> None:
    hold = [(1_000_000, 1_000_000 * 4_200)] * 86_400

    assert line([(0, 0), *hold]).slope == pytest.approx(4_200, rel=1e-6)


@given(st.integers(0, 4_000_000), st.lists(st.integers(0, 10**9), max_size=50))
def test_there_is_no_slope_over_a_single_x(x: int, ys: list[int]) -> None:
    assert line((x, y) for y in ys).slope is None


@dataclass(frozen=True)
class Each:
    """What each socket has in one cache, and how much was in it before."""

    objects: int
    full_bytes: int
    before: int = 1


SIX_18 = {
    "TCP": Each(1, 2_520),
    "sock_inode_cache": Each(1, 862),
    "dentry": Each(1, 195, before=60_000),
    "filp": Each(1, 195),
    "lsm_inode_cache": Each(1, 32),
    "eventpoll_epi": Each(2, 128),
    "ext4_inode_cache": Each(0, 1_170, before=40_000),
}
OBJECT_OF_A_LISTING = {"proc_inode_cache": 712, "dentry": 195, "lsm_inode_cache": 32}


def reading(number: int, sockets: int, each: Mapping[str, Each], listed: int = 0, others: int = 9_999) -> Reading:
    """Of a kernel without noise. ``listed`` descriptors were listed by somebody; a cache without slabs is left out, as
    the wire does."""
    of_a_listing = OBJECT_OF_A_LISTING | {name: cost.full_bytes for name, cost in each.items() if name in OBJECT_OF_A_LISTING}
    caches = {}
    for name in each.keys() | (of_a_listing.keys() if listed else set()):
        of_sockets = each.get(name, Each(0, 0, 0))
        full_bytes = of_sockets.full_bytes or of_a_listing[name]
        objects = of_sockets.before + of_sockets.objects * sockets + (listed if name in of_a_listing else 0)
        if objects:
            caches[name] = Cache(objects, max(full_bytes - 8, 1), float(full_bytes), objects * full_bytes)
    return Reading(
        number=number,
        sockets=300 + sockets,
        slab_bytes=others + sum(cache.page_bytes for cache in caches.values()),
        pss_bytes=50_000_000 + 100 * sockets,
        caches=caches,
        counters={"ActiveOpens": 7 + sockets},
        levels={"tcp_mem_pages": 285 + sockets},
    )


def history(readings: Iterable[Reading]) -> HostReadings:
    made = HostReadings()
    for each in readings:
        made.take(each)
    return made


CACHES = st.dictionaries(
    st.sampled_from([name for name in ROLES if name not in OBJECT_OF_A_LISTING] + ["kmalloc-192", "ext4_inode_cache"]),
    st.builds(Each, st.integers(0, 3), st.integers(8, 5_000), st.integers(1, 100_000)),
).map(lambda caches: {"TCP": Each(1, 2_520), "dentry": Each(1, 195, 60_000), "lsm_inode_cache": Each(1, 32)} | caches)
# Growth of sockets, and descriptors that somebody has listed until then. The last has sockets.
STEPS = st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, 200_000)), max_size=8)
RUN = st.tuples(st.integers(0, 200_000), STEPS, st.tuples(st.integers(1, 50_000), st.integers(0, 200_000))).map(
    lambda run: [(0, run[0]), *run[1], run[2]]
)


@given(CACHES, RUN, st.sampled_from([1, 2]))
def test_what_each_socket_has_is_found_whatever_was_listed_meanwhile(
    caches: dict[str, Each], run: list[tuple[int, int]], ends: int
) -> None:
    sockets, readings = 0, []
    for number, (grown, listed) in enumerate(run):
        sockets += grown * ends
        readings.append(reading(number, sockets, caches, listed))

    found = cost(history(readings), sockets // ends, {})

    assert found.unknown == ()
    assert found.sockets_per_connection == ends
    each_socket = sum(each.objects * each.full_bytes for each in caches.values())
    assert found.slab_bytes_per_socket == pytest.approx(each_socket, rel=1e-6)
    assert found.slab_bytes_per_connection == pytest.approx(each_socket * ends, rel=1e-6)
    assert {cache.name: cache.objects_per_connection for cache in found.caches} == pytest.approx(
        {name: each.objects * ends for name, each in caches.items() if each.objects}, rel=1e-6
    )
    assert {cache.name: cache.bytes_per_connection for cache in found.caches} == pytest.approx(
        {name: each.objects * each.full_bytes * ends for name, each in caches.items() if each.objects}, rel=1e-6
    )
    by_role = sum(each.objects * each.full_bytes for name, each in caches.items() if name != "ext4_inode_cache")
    assert found.explained_percent == pytest.approx(100 * by_role / each_socket, rel=1e-6)
    assert 0 <= (found.explained_percent or 0) <= 100 + 1e-6
    listed_first, listed_last = run[0][1], run[-1][1]
    assert found.artefact_bytes == (listed_last - listed_first) * sum(OBJECT_OF_A_LISTING.values())
    assert found.user_bytes_per_connection == pytest.approx(100 * ends)
    assert found.bytes_per_connection == pytest.approx((each_socket + 100) * ends, rel=1e-6)
    assert found.tcp_mem_pages == sockets


def test_the_dearest_cache_comes_first_and_names_what_shares_it() -> None:
    sharing = ("eventpoll_epi", "fib6_node", "tcp_bind_bucket")

    found = cost(history([reading(0, 0, SIX_18), reading(1, 1_000, SIX_18)]), 500, dict.fromkeys(sharing, sharing))

    by_name = {cache.name: cache for cache in found.caches}
    assert list(by_name)[:3] == ["TCP", "sock_inode_cache", "eventpoll_epi"]
    assert "ext4_inode_cache" not in by_name, "no connection has any"
    assert by_name["eventpoll_epi"].merged_with == ("fib6_node", "tcp_bind_bucket")
    assert by_name["eventpoll_epi"].role == "entry in an epoll, local port"
    assert by_name["TCP"].merged_with == ()
    assert by_name["TCP"].object_bytes == 2_512
    assert found.pinned_bytes_per_connection == pytest.approx(2 * (862 + 195)), "inode and dentry of either end"
    assert found.explained_percent == pytest.approx(100)


# A cache that has no slab is left out of a reading: it is empty, not unknown.
@pytest.mark.parametrize(
    ("sockets", "reason"),
    [
        ([0, 1_000], "it came with the sockets"),
        ([0, 1_000, 1_000, 1_000], "... all at once"),
        ([0, 0, 0, 300, 1_000], "... step by step"),
        ([0, 500, 0, 0, 500], "it went and came back"),
    ],
)
def test_a_cache_that_was_empty_at_first_costs_as_much(sockets: list[int], reason: str) -> None:
    caches = SIX_18 | {"TCPv6": Each(1, 2_520, before=0)}

    found = cost(history(reading(number, count, caches) for number, count in enumerate(sockets)), sockets[-1], {})

    by_name = {cache.name: cache for cache in found.caches}
    assert "TCPv6" in by_name, reason
    assert by_name["TCPv6"].objects_per_connection == pytest.approx(1), reason
    assert by_name["TCPv6"].bytes_per_connection == pytest.approx(2_520), reason


def test_readings_from_before_a_cache_had_a_slab_count_as_none_of_it() -> None:
    readings = [reading(number, 100 * number, SIX_18) for number in range(10)]
    late = {"tw_sock_TCP": Cache(16, 256, 256.0, 4_096)}
    readings[8] = Reading(8, 1_100, 10**9, None, {**readings[8].caches, **late})
    readings[9] = Reading(9, 1_200, 10**9, None, {**readings[9].caches, **late})

    found = cost(history(readings), 900, {})

    # By hand: zero at x = 0, 100, ..., 700, and 4,096 bytes at 800 and 900; over ten points.
    x = [100 * number for number in range(8)] + [800, 900]
    exact = (10 * 4_096 * (800 + 900) - sum(x) * 2 * 4_096) / (10 * sum(each**2 for each in x) - sum(x) ** 2)
    by_name = {cache.name: cache.bytes_per_connection for cache in found.caches}
    assert by_name["tw_sock_TCP"] == pytest.approx(exact)


@given(RUN, st.data())
def test_a_repeated_or_older_reading_changes_nothing(run: list[tuple[int, int]], data: st.DataObject) -> None:
    sockets, readings = 0, []
    for number, (grown, listed) in enumerate(run):
        sockets += grown
        noise = number * number % 7 * 100_000  # without it, a point that counts twice would change no line
        readings.append(reading(number, sockets, SIX_18, listed, others=noise))
    expected, made = history(readings), HostReadings()
    for newest in range(len(readings)):
        made.take(readings[newest])
        for again in data.draw(st.lists(st.integers(0, newest), max_size=3)):
            made.take(readings[again])

    assert cost(made, sockets, {}) == cost(expected, sockets, {})
    assert (made.sockets, made.user_bytes, made.rose()) == (expected.sockets, expected.user_bytes, expected.rose())


def test_a_lost_reading_costs_nothing() -> None:
    readings = [reading(number, 1_000 * number, SIX_18) for number in range(6)]

    whole, holed = cost(history(readings), 5_000, {}), cost(history([*readings[:2], readings[5]]), 5_000, {})

    assert holed.slab_bytes_per_connection == pytest.approx(whole.slab_bytes_per_connection)


def test_without_caches_the_total_is_known() -> None:
    """To anybody but root."""
    blind = [Reading(number, 300 + sockets, 10**8 + 4_200 * sockets, 10**7) for number, sockets in enumerate([0, 500, 1_000])]

    found = cost(history(blind), 500, {})

    assert found.slab_bytes_per_socket == pytest.approx(4_200)
    assert found.slab_bytes_per_connection == pytest.approx(8_400)
    assert found.user_bytes_per_connection == 0
    assert (found.caches, found.explained_percent, found.pinned_bytes_per_connection) == ((), None, None)
    assert [sentence for sentence in found.unknown if "root" in sentence] == list(found.unknown)
    assert len(found.unknown) == 1


def test_without_user_memory_the_sum_is_unknown_and_the_slab_known() -> None:
    found = cost(history([Reading(0, 0, 0, None), Reading(1, 10, 42_000, None)]), 10, {})

    assert (found.user_bytes_per_connection, found.bytes_per_connection, found.tcp_mem_pages) == (None, None, None)
    assert found.slab_bytes_per_connection == pytest.approx(4_200)


RAMP = [reading(0, 0, SIX_18), reading(1, 1_000, SIX_18)]


@pytest.mark.parametrize(
    ("readings", "connections", "words"),
    [
        ([], 10, "no reading"),
        ([], None, "no reading"),
        (RAMP, 0, "no connection was established"),
        (RAMP, None, "no connection was established"),
        (RAMP[:1], 1_000, "read only once"),
        ([reading(0, 9, SIX_18), reading(1, 9, SIX_18)], 10, "no more TCP sockets"),
        ([reading(0, 900, SIX_18), reading(1, 9, SIX_18)], 10, "no more TCP sockets"),  # others closed theirs
        ([Reading(0, None, 10**8, None), Reading(1, None, 10**8, None)], 10, "cannot be read"),
        ([Reading(0, 0, None, None), Reading(1, 10, None, None)], 10, "cannot be read"),
        ([Reading(0, None, None, None), Reading(1, None, None, None)], 0, "cannot be read"),
    ],
)
def test_of_nothing_nothing_is_known_and_a_sentence_says_why(
    readings: list[Reading], connections: int | None, words: str
) -> None:
    found = cost(history(readings), connections, {})

    assert len(found.unknown) == 1
    assert words in found.unknown[0]
    assert found == MemoryCost(unknown=found.unknown)


@pytest.mark.parametrize(
    ("names", "role"),
    [
        (("TCP",), "socket"),
        (("TCP", "TCPv6"), "socket"),
        (("anon_vma_chain", "eventpoll_pwq"), ROLES["eventpoll_pwq"]),
        (("kmalloc-192",), KMALLOC_ROLE),
        (("kmalloc-8k",), KMALLOC_ROLE),
        (("kmalloc-cg-64",), KMALLOC_ROLE),
        (("kmalloc-rnd-05-96",), KMALLOC_ROLE),
        (("ext4_inode_cache",), ""),
        (("proc_inode_cache",), ""),
        (("my-kmalloc-64",), ""),
        ((), ""),
    ],
)
def test_a_cache_has_the_roles_of_all_its_names(names: tuple[str, ...], role: str) -> None:
    assert role_of(names) == role


def test_growth_is_of_what_both_readings_know() -> None:
    first = Reading(0, 1, 1, 1, counters={"a": 5, "b": 7}, levels={"x": 9, "y": 1})
    last = Reading(1, 1, 1, 1, counters={"a": 8, "c": 7}, levels={"x": 2, "z": 1})
    made = history([first, last])

    assert made.rose() == {"a": 3}
    assert [made.grew(name) for name in "xyz"] == [-7, None, None]
    assert (HostReadings().rose(), HostReadings().grew("x"), HostReadings().sockets, HostReadings().user_bytes) == (
        {},
        None,
        None,
        None,
    )


def test_a_summary_has_all_of_a_cost() -> None:
    told = to_plain(cost(history(RAMP), 1_000, {}))

    assert told["caches"][0]["name"] == "TCP"
    assert told["sockets_per_connection"] == 1


@pytest.mark.parametrize("others", [-500, 0, 60_000])
def test_sockets_of_others_are_not_in_what_a_connection_costs(others: int) -> None:
    readings = [reading(0, 1_000, SIX_18), reading(1, 3_000 + others, SIX_18)]

    found = cost(history(readings), 1_000, {}, ends=2)
    alone = cost(history([readings[0], reading(1, 3_000, SIX_18)]), 1_000, {}, ends=2)

    assert (found.sockets_per_connection, found.other_sockets) == (2, others)
    assert found.slab_bytes_per_connection == pytest.approx(alone.slab_bytes_per_connection)
