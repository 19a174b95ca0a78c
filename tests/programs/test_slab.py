"""slabinfo: what kernels of five ages write, what they never do, which names share a cache, and what this kernel says."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.kernel.host import read_text
from c1m.kernel.meminfo import read_memory
from c1m.kernel.slab import merged, parse_slabinfo, read_merged, read_slabinfo
from c1m.measure.sample import Cache

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="slabinfo is readable by root only")

VERSION = "slabinfo - version: 2.1\n"
HEAD = VERSION + (
    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
    " : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n"
)

# SLAB: tunables and shared arrays in use, names with parentheses.
RHEL6_2_6_32 = HEAD + (
    "nf_conntrack_ffffffff81b18540      0      0    304   13    1 : tunables   54   27    8 : slabdata      0      0      0\n"
    "TCPv6                  4      6   1920    2    1 : tunables   24   12    8 : slabdata      3      3      0\n"
    "TCP                   14     20   1728    4    2 : tunables   24   12    8 : slabdata      4      5      0\n"
    "tcp_bind_bucket       12     59     64   59    1 : tunables  120   60    8 : slabdata      1      1      0\n"
    "filp                1040   1580    192   20    1 : tunables  120   60    8 : slabdata     79     79     60\n"
    "size-4194304(DMA)      0      0 4194304    1 1024 : tunables    1    1    0 : slabdata      0      0      0\n"
)

# ... built with CONFIG_DEBUG_SLAB.
DEBUG_2_6_32 = (
    "slabinfo - version: 2.1 (statistics)\n"
    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
    " : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>"
    " : globalstat <listallocs> <maxobjs> <grown> <reaped> <error> <maxfreeable> <nodeallocs> <remotefrees> <alienoverflow>"
    " : cpustat <allochit> <allocmiss> <freehit> <freemiss>\n"
    "TCP                   14     20   1728    4    2 : tunables   24   12    8 : slabdata      4      5      0"
    " : globalstat     160     30    12    7    0    1    0    0    0 : cpustat    100     20     90     30\n"
)

UBUNTU_4_15 = HEAD + (
    "TCPv6                 78     78   2432   13    8 : tunables    0    0    0 : slabdata      6      6      0\n"
    "TCP                   98    112   2240   14    8 : tunables    0    0    0 : slabdata      8      8      0\n"
    "sock_inode_cache    1012   1035    704   23    4 : tunables    0    0    0 : slabdata     45     45      0\n"
    "dentry            146286 146286    192   21    1 : tunables    0    0    0 : slabdata   6966   6966      0\n"
    "dma-kmalloc-512        0      0    512   16    2 : tunables    0    0    0 : slabdata      0      0      0\n"
    "kmalloc-8192         104    108   8192    4    8 : tunables    0    0    0 : slabdata     27     27      0\n"
)

DEBIAN_5_10 = HEAD + (
    "request_sock_TCP     104    104    304   13    1 : tunables    0    0    0 : slabdata      8      8      0\n"
    "TCP                  182    182   2368   13    8 : tunables    0    0    0 : slabdata     14     14      0\n"
    "eventpoll_pwq       1512   1512     72   56    1 : tunables    0    0    0 : slabdata     27     27      0\n"
    "kmalloc-rcl-512        0      0    512   16    2 : tunables    0    0    0 : slabdata      0      0      0\n"
    "kmalloc-8k           196    196   8192    4    8 : tunables    0    0    0 : slabdata     49     49      0\n"
)

FIRECRACKER_6_18 = HEAD + (
    "erofs_pcluster-257      0      0   4232    7    8 : tunables    0    0    0 : slabdata      0      0      0\n"
    "TCP                   53    130   2368   13    8 : tunables    0    0    0 : slabdata     10     10      0\n"
    "eventpoll_epi        554   1088    128   32    1 : tunables    0    0    0 : slabdata     34     34      0\n"
    "ext4_inode_cache   44734  44968   1128   14    4 : tunables    0    0    0 : slabdata   3212   3212      0\n"
    "ext4_allocation_context   2088   2088    168   24    1 : tunables    0    0    0 : slabdata     87     87      0\n"
    "kmalloc-rnd-05-96    840    840     96   42    1 : tunables    0    0    0 : slabdata     20     20      0\n"
)

CAPTURES = (RHEL6_2_6_32, DEBUG_2_6_32, UBUNTU_4_15, DEBIAN_5_10, FIRECRACKER_6_18)


@pytest.mark.parametrize(
    ("text", "name", "cache", "reason"),
    [
        (RHEL6_2_6_32, "TCP", Cache(14, 1_728, 2_048.0, 5 * 8_192), "2.6.32, SLAB: empty slabs take memory too"),
        (RHEL6_2_6_32, "size-4194304(DMA)", Cache(0, 4_194_304, 4_194_304.0, 0), "a slab of 4 MiB"),
        (RHEL6_2_6_32, "filp", Cache(1_040, 192, 204.8, 79 * 4_096), "objects in arrays between processors"),
        (DEBUG_2_6_32, "TCP", Cache(14, 1_728, 2_048.0, 5 * 8_192), "statistics after it"),
        (UBUNTU_4_15, "dentry", Cache(146_286, 192, 4_096 / 21, 6_966 * 4_096), "4.15, SLUB: all slabs are active"),
        (DEBIAN_5_10, "TCP", Cache(182, 2_368, 32_768 / 13, 14 * 32_768), "5.10"),
        (DEBIAN_5_10, "kmalloc-rcl-512", Cache(0, 512, 512.0, 0), "nothing of it, and it is known"),
        (FIRECRACKER_6_18, "TCP", Cache(53, 2_368, 32_768 / 13, 10 * 32_768), "6.18: many objects unused"),
        (FIRECRACKER_6_18, "ext4_allocation_context", Cache(2_088, 168, 4_096 / 24, 87 * 4_096), "a name over its column"),
    ],
)
def test_a_cache_is_parsed(text: str, name: str, cache: Cache, reason: str) -> None:
    assert parse_slabinfo(text, page_size=4_096)[name] == cache, reason


@pytest.mark.parametrize(("text", "caches"), list(zip(CAPTURES, (6, 1, 6, 5, 6))))
def test_every_line_is_a_cache_and_no_comment_is(text: str, caches: int) -> None:
    assert len(parse_slabinfo(text)) == caches


def test_a_slab_is_in_pages_of_the_machine() -> None:
    assert parse_slabinfo(FIRECRACKER_6_18, page_size=65_536)["TCP"] == Cache(53, 2_368, 524_288 / 13, 10 * 524_288)


def test_version_2_0_reads_the_same() -> None:
    assert parse_slabinfo(RHEL6_2_6_32.replace("2.1", "2.0", 1)) == parse_slabinfo(RHEL6_2_6_32)


TCP = "TCP 53 130 2368 13 8 : tunables 0 0 0 : slabdata 10 10 0\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is not the first line of slabinfo"),
        (TCP, "is not the first line of slabinfo"),
        (
            "slabinfo - version: 1.1\nkmem_cache            60     60    112    2    2    1\n",
            "version: 1.1' is not the first line",
        ),
        ("slabinfo - version: 2.2\n" + TCP, "is not the first line"),
        ("slabinfo - version: 2.10\n" + TCP, "is not the first line"),
        ("slabinfo - version: 3.0\n", "is not the first line"),
        (" " + VERSION, "is not the first line"),
        (VERSION + "kmem_cache            60     60    112    2    2    1\n", "'kmem_cache .*' is not a line of slabinfo"),
        (VERSION + TCP.replace(" 10 0\n", ""), "is not a line"),
        (VERSION + TCP.replace(": slabdata 10 10 0", ""), "is not a line"),
        (VERSION + TCP.replace(" 13 ", " 0 "), "is not a line"),
        (VERSION + TCP.replace(" 53 ", " -53 "), "is not a line"),
        (VERSION + TCP.replace(" 53 ", " 0x35 "), "is not a line"),
        (VERSION + TCP.replace(" 53 ", " " + "9" * 5_000 + " "), "is not a line"),
        (VERSION + TCP.replace("TCP ", "TCP\0 \n"), "is not a line"),
        (VERSION + " \n" + TCP, "' ' is not a line"),
    ],
)
def test_what_is_not_slabinfo_is_a_value_error(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_slabinfo(text)


@given(st.text() | st.text("slabinfo - version: 2.1\n") | st.text("TCP 012:#\n").map(lambda text: VERSION + text))
def test_any_text_gives_caches_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert all(cache.page_bytes >= 0 and cache.full_bytes >= 0 for cache in parse_slabinfo(text).values())


@pytest.mark.parametrize("text", [RHEL6_2_6_32, UBUNTU_4_15, DEBIAN_5_10, FIRECRACKER_6_18])
def test_a_text_cut_at_any_byte_says_nothing_false(text: str) -> None:
    whole = parse_slabinfo(text).items()

    for end in range(len(text)):
        with suppress(ValueError):
            assert parse_slabinfo(text[:end]).items() <= whole, end


SIZE = st.integers(1, 10**9 - 1)
COUNT = st.integers(0, 10**12)
NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_()-]{0,30}", fullmatch=True)


@given(st.dictionaries(NAME, st.tuples(COUNT, SIZE, SIZE, SIZE, COUNT), max_size=5))
def test_what_a_kernel_writes_is_read_back(lines: dict[str, tuple[int, ...]]) -> None:
    text = HEAD + "".join(
        f"{name:<17} {active:6} {active:6} {size:6} {per_slab:4} {pages:4} : tunables {0:4} {0:4} {0:4}"
        f" : slabdata {slabs:6} {slabs:6} {0:6}\n"
        for name, (active, size, per_slab, pages, slabs) in lines.items()
    )

    assert parse_slabinfo(text, page_size=4_096) == {
        name: Cache(active, size, pages * 4_096 / per_slab, slabs * pages * 4_096)
        for name, (active, size, per_slab, pages, slabs) in lines.items()
    }


@pytest.mark.parametrize(
    ("links", "groups", "reason"),
    [
        ([], {}, "nothing to tell"),
        ([("TCP", "/TCP"), ("dentry", "/dentry")], {}, "slab_nomerge: each is its own"),
        (
            [("tcp_bind_bucket", "/:A-0000128"), ("TCP", "/TCP"), ("eventpoll_epi", "/:A-0000128")],
            {
                "eventpoll_epi": ("eventpoll_epi", "tcp_bind_bucket"),
                "tcp_bind_bucket": ("eventpoll_epi", "tcp_bind_bucket"),
            },
            "either name tells both",
        ),
        ([("a", "/:0000128"), ("b", "/:A-0000128")], {}, "of one size, but not of one kind"),
    ],
)
def test_names_of_one_cache_are_found(links: list[tuple[str, str]], groups: dict[str, tuple[str, ...]], reason: str) -> None:
    assert merged(links) == groups, reason


@given(st.dictionaries(NAME, st.sampled_from("abcd")))
def test_two_names_share_a_group_exactly_if_they_link_to_one_cache(links: dict[str, str]) -> None:
    groups = merged(links.items())

    for name, cache in links.items():
        together = tuple(sorted(other for other in links if links[other] == cache))
        assert groups.get(name, (name,)) == together


@needs_root
def test_the_caches_of_this_machine_add_up_to_its_slab() -> None:
    caches, memory = read_slabinfo(), read_memory()
    assert caches is not None
    assert memory is not None

    assert sum(cache.page_bytes for cache in caches.values()) == pytest.approx(memory.slab_bytes, rel=0.15)
    assert all(cache.object_bytes <= cache.full_bytes for cache in caches.values())
    assert {"TCP", "dentry", "filp", "sock_inode_cache"} <= caches.keys()


@needs_root
@given(st.data())
def test_the_slabinfo_of_this_machine_can_be_cut_anywhere(data: st.DataObject) -> None:
    text = read_text("/proc/slabinfo") or ""
    end = data.draw(st.integers(0, len(text)))

    with suppress(ValueError):
        assert parse_slabinfo(text[:end]).items() <= parse_slabinfo(text).items()


@needs_root
def test_who_may_not_read_slabinfo_is_told_none() -> None:
    program = """
import os
from c1m.kernel.slab import read_merged, read_slabinfo
os.setuid(65_534)
print(read_slabinfo(), bool(read_merged()))
"""

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert told.stdout == f"None {bool(read_merged())}\n", "which caches are merged is no secret"


@needs_root
@pytest.mark.skipif(not read_merged(), reason="this kernel merges no caches, or does not show it")
def test_slabinfo_has_each_merged_cache_under_one_of_its_names() -> None:
    caches, groups = read_slabinfo(), set(read_merged().values())
    assert caches is not None

    assert {group: sum(name in caches for name in group) for group in groups} == dict.fromkeys(groups, 1)
