"""The cost of a connection: exact figures from exact readings, and a reason where there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from c1m.coordinator.ledger.readings import HostReadings
from c1m.coordinator.results.memory_cost import cost, role_of
from c1m.coordinator.summary.codec import to_plain
from c1m.measure.sample import Cache, Reading

Caches = Mapping[str, tuple[int, int, int]]  # name -> objects, bytes of an object, bytes of all pages

BEFORE: Caches = {
    "TCP": (10, 2_368, 30_000),
    "dentry": (1_000, 192, 200_000),
    "sock_inode_cache": (10, 832, 10_000),
    "kmalloc-cg-8": (50, 8, 4_096),
    "ext4_inode_cache": (500, 1_080, 600_000),
    "names_cache": (8, 4_096, 32_768),
}
AFTER: Caches = {
    "TCP": (210, 2_368, 550_000),  # 200 objects and 520,000 bytes for 200 sockets
    "dentry": (1_200, 192, 240_000),
    "sock_inode_cache": (210, 832, 190_000),
    "kmalloc-cg-8": (450, 8, 8_096),
    "ext4_inode_cache": (400, 1_080, 540_000),  # another program's, and it shrank
    "names_cache": (8, 4_096, 32_818),  # 0.5 bytes a connection, and no object
}


def reading(
    number: int, sockets: int | None, slab: int | None, caches: Caches, pss: int | None = None, pages: int = 0
) -> Reading:
    found = {name: Cache(objects, size, float(size), total) for name, (objects, size, total) in caches.items()}
    return Reading(number, sockets, slab, pss, found, levels={"tcp_mem_pages": pages})


def history(*readings: Reading) -> HostReadings:
    made = HostReadings()
    for each in readings:
        made.take(each)
    return made


MEASURED = history(reading(0, 300, 10**9, BEFORE, 40_000, 5), reading(1, 500, 10**9 + 800_000, AFTER, 65_000, 12))


def test_a_connection_with_both_ends_here_costs_what_two_sockets_do() -> None:
    found = cost(MEASURED, 100, {})

    assert (found.connections, found.sockets_per_connection, found.other_sockets) == (100, 2.0, None)
    assert (found.slab_bytes_per_socket, found.slab_bytes_per_connection) == (4_000.0, 8_000.0)
    assert (found.user_bytes_per_connection, found.bytes_per_connection) == (250.0, 8_250.0)
    assert found.explained_percent == 100 * (5_200 + 400 + 1_800 + 40) / 8_000
    assert found.pinned_bytes_per_connection == 2_200.0
    assert (found.tcp_mem_pages, found.artefact_bytes, found.unknown) == (7, 0.0, ())


def test_each_cache_has_its_part_the_dearest_first() -> None:
    found = {each.name: each for each in cost(MEASURED, 100, {}).caches}

    assert list(found) == ["TCP", "sock_inode_cache", "dentry", "kmalloc-cg-8", "names_cache", "ext4_inode_cache"]
    assert {name: each.bytes_per_connection for name, each in found.items()} == {
        "TCP": 5_200.0,
        "sock_inode_cache": 1_800.0,
        "dentry": 400.0,
        "kmalloc-cg-8": 40.0,
        "names_cache": 0.5,
        "ext4_inode_cache": -600.0,
    }
    assert {name: each.objects_per_connection for name, each in found.items()} == {
        "TCP": 2.0,
        "sock_inode_cache": 2.0,
        "dentry": 2.0,
        "kmalloc-cg-8": 4.0,
        "names_cache": 0.0,
        "ext4_inode_cache": -1.0,
    }
    assert (found["TCP"].object_bytes, found["TCP"].role, found["names_cache"].role) == (2_368, "socket", "")


def test_with_known_ends_other_programs_sockets_are_told_apart() -> None:
    found = cost(MEASURED, 150, {}, ends=1.0)

    assert (found.sockets_per_connection, found.other_sockets) == (1.0, 50)
    assert (found.slab_bytes_per_socket, found.slab_bytes_per_connection) == (4_000.0, 4_000.0)
    assert found.user_bytes_per_connection == 25_000 / 150
    assert cost(MEASURED, 250, {}, ends=1.0).other_sockets == -50
    assert cost(MEASURED, 90, {}, ends=2.0).other_sockets == 20


def test_caches_below_half_a_byte_a_connection_are_left_out() -> None:
    names = [each.name for each in cost(MEASURED, 100, {}, ends=1.99).caches]

    assert "names_cache" not in names
    assert "kmalloc-cg-8" in names


def test_a_cache_that_is_gone_has_no_size_and_gave_its_memory_back() -> None:
    gone = history(reading(0, 0, 10**6, {"TCP": (10, 2_368, 30_000)}), reading(1, 100, 10**6 + 1_000, {}))

    (cache,) = cost(gone, 100, {}).caches

    assert (cache.object_bytes, cache.objects_per_connection, cache.bytes_per_connection) == (0, -0.1, -300.0)


def test_a_merged_cache_is_shown_with_its_other_names_and_what_they_hold() -> None:
    names = ("dentry", "eventpoll_epi", "TCP")
    (merged,) = [each for each in cost(MEASURED, 100, {"dentry": names}).caches if each.name == "dentry"]

    assert merged.merged_with == ("eventpoll_epi", "TCP")
    assert merged.role == "name of the inode, entry in an epoll, socket"


def test_without_user_memory_the_kernels_is_still_known() -> None:
    found = cost(history(reading(0, 0, 0, BEFORE), reading(1, 200, 800_000, AFTER)), 100, {})

    assert (found.slab_bytes_per_connection, found.user_bytes_per_connection, found.bytes_per_connection) == (
        8_000.0,
        None,
        None,
    )


def test_without_root_there_is_a_sum_and_no_caches() -> None:
    found = cost(history(reading(0, 0, 0, {}), reading(1, 200, 800_000, {})), 100, {})

    assert (found.slab_bytes_per_connection, found.caches) == (8_000.0, ())
    assert (found.explained_percent, found.pinned_bytes_per_connection) == (None, None)
    assert found.unknown == ("kernel memory by cache, and what other programs added to it: /proc/slabinfo needs root",)


@pytest.mark.parametrize("grown", [-800_000, 0])
def test_nothing_is_explained_of_memory_that_shrank(grown: int) -> None:
    assert cost(history(reading(0, 0, 10**9, BEFORE), reading(1, 200, 10**9 + grown, AFTER)), 100, {}).explained_percent is None


@pytest.mark.parametrize(
    ("readings", "connections", "reason"),
    [
        ([], 100, "the node sent no reading of its host"),
        ([reading(0, 0, None, {}), reading(1, 9, None, {})], 9, "/proc/meminfo or /proc/net/sockstat cannot be read"),
        ([reading(0, None, 9, {}), reading(1, None, 9, {})], 9, "/proc/meminfo or /proc/net/sockstat cannot be read"),
        ([reading(0, 0, 0, {}), reading(1, 9, 9, {})], 0, "no connection was established at the last reading"),
        ([reading(0, 0, 0, {}), reading(1, 9, 9, {})], None, "no connection was established at the last reading"),
        ([reading(0, 9, 0, {})], 9, "the machine has no more TCP sockets than before the run"),
        ([reading(0, 9, 0, {}), reading(1, 8, 9, {})], 9, "the machine has no more TCP sockets than before the run"),
        ([reading(0, 9, 0, {}), reading(1, 9, 9, {})], 9, "the machine has no more TCP sockets than before the run"),
    ],
)
def test_what_is_unknown_has_a_reason_and_no_figure(readings: list[Reading], connections: int | None, reason: str) -> None:
    found = cost(history(*readings), connections, {})

    (told,) = found.unknown
    assert told.startswith(f"kernel memory: {reason}")
    figures = to_plain(found) | {"artefact_bytes": None, "caches": None, "unknown": None}
    assert set(figures.values()) == {None}
    assert (found.artefact_bytes, found.caches) == (0.0, ())


def test_the_summary_has_every_figure() -> None:
    document = json.loads(json.dumps(to_plain(cost(MEASURED, 100, {}))))

    assert document["slab_bytes_per_connection"] == 8_000.0
    assert document["caches"][0] == {
        "name": "TCP",
        "merged_with": [],
        "role": "socket",
        "objects_per_connection": 2.0,
        "object_bytes": 2_368,
        "bytes_per_connection": 5_200.0,
    }


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("TCP", "socket"),
        ("TCPv6", "socket"),
        ("sock_inode_cache", "inode of the socket"),
        ("dentry", "name of the inode"),
        ("filp", "open file"),
        ("lsm_inode_cache", "security label of the inode"),
        ("lsm_file_cache", "security label of the file"),
        ("tcp_bind_bucket", "local port"),
        ("tcp_bind2_bucket", "local address and port"),
        ("eventpoll_epi", "entry in an epoll"),
        ("eventpoll_pwq", "place of that entry in the socket's wait queue"),
        ("ep_head", "list of epolls that the file is in"),
        ("request_sock_TCP", "handshake"),
        ("tw_sock_TCP", "TIME_WAIT"),
        ("nf_conntrack", "entry in the firewall's table of connections"),
        ("kmalloc-8", "owners (cgroups) of the other objects"),
        ("kmalloc-cg-2k", "owners (cgroups) of the other objects"),
        ("kmalloc-rnd-07-96", "owners (cgroups) of the other objects"),
        ("names_cache", ""),
        ("kmalloc-x", ""),
    ],
)
def test_every_object_that_a_connection_owns_is_known_by_its_caches_name(name: str, role: str) -> None:
    assert role_of((name,)) == role


def test_a_cache_that_the_kernel_merged_with_one_of_its_own_holds_both() -> None:
    assert role_of(("TCP", "kmalloc-8")) == "socket, owners (cgroups) of the other objects"
    assert role_of(("TCP", "names_cache", "TCPv6")) == "socket"
