"""Memory: meminfo, the cgroups of either version and where they are to be read, and what is left of both."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.kernel import cgroup
from c1m.kernel.cgroup import Mount, parse_cgroups, parse_mountinfo
from c1m.kernel.meminfo import (
    CgroupMemory,
    MemoryState,
    available_bytes,
    memory_state,
    parse_inactive_file,
    parse_limit,
    parse_meminfo,
    read_cgroup_memory,
    read_level,
    read_memory,
)

MEMINFO_6_18 = """\
MemTotal:       24683656 kB
MemFree:        24578120 kB
MemAvailable:   24478472 kB
Active:             8708 kB
Inactive:          11120 kB
Active(anon):       1528 kB
Inactive(anon):     4664 kB
Active(file):       7180 kB
Inactive(file):     6456 kB
Slab:              44784 kB
SReclaimable:      25872 kB
SUnreclaim:        18912 kB
VmallocTotal:   34359738367 kB
HugePages_Total:       0
Hugepagesize:       2048 kB
DirectMap1G:    25165824 kB
"""

# 2.6.28 to 3.13: no MemAvailable yet.
MEMINFO_2_6 = """\
MemTotal:        1015764 kB
MemFree:          115128 kB
Active(file):     200000 kB
Inactive(file):   300000 kB
Slab:              51000 kB
"""


def test_meminfo_is_parsed_into_bytes() -> None:
    fields = parse_meminfo(MEMINFO_6_18)

    assert fields["MemTotal"] == 24_683_656 * 1024
    assert fields["Active(file)"] == 7_180 * 1024
    assert fields["VmallocTotal"] == 34_359_738_367 * 1024
    assert fields["HugePages_Total"] == 0
    assert len(fields) == 16
    assert parse_meminfo("HugePages_Total:       3\n") == {"HugePages_Total": 3}, "a count, not kB"


@pytest.mark.parametrize(
    ("text", "total", "available", "slab", "reason"),
    [
        (MEMINFO_6_18, 24_683_656, 24_578_120 + 7_180 + 6_456, 44_784, "free and page cache, but no slab"),
        (MEMINFO_2_6, 1_015_764, 115_128 + 200_000 + 300_000, 51_000, "no MemAvailable is needed"),
    ],
)
def test_available_is_what_can_be_had(text: str, total: int, available: int, slab: int, reason: str) -> None:
    expected = MemoryState(total_bytes=total * 1024, available_bytes=available * 1024, slab_bytes=slab * 1024)

    assert memory_state(parse_meminfo(text)) == expected, reason


def test_sockets_do_not_count_as_available() -> None:
    """A million idle sockets take 3.8 GB; 1.05 of them are "reclaimable", and MemAvailable takes that at its word."""
    fields = parse_meminfo(MEMINFO_6_18)
    with_sockets = fields | {
        "MemFree": fields["MemFree"] - 3_790_000_000,
        "SReclaimable": fields["SReclaimable"] + 1_045_000_000,
        "MemAvailable": fields["MemAvailable"] - 3_790_000_000 + 1_045_000_000,
        "Slab": fields["Slab"] + 3_790_000_000,
    }

    assert memory_state(fields).available_bytes - memory_state(with_sockets).available_bytes == 3_790_000_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("MemTotal: 1 MB", "'MemTotal: 1 MB' is not a line of meminfo"),
        ("MemTotal 1 kB", "is not a line of meminfo"),
        ("MemTotal: -1 kB", "is not a line of meminfo"),
        ("        total:    used:    free:\nMem: 1 2 3", "is not a line of meminfo"),  # Linux 2.4
        ("MemTotal: " + "9" * 5_000 + " kB", "is not a line of meminfo"),
    ],
)
def test_what_is_not_meminfo_is_a_value_error(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_meminfo(text)


@pytest.mark.parametrize("name", ["MemTotal", "MemFree", "Active(file)", "Inactive(file)", "Slab"])
def test_a_missing_field_is_named(name: str) -> None:
    fields = parse_meminfo(MEMINFO_6_18)
    del fields[name]

    with pytest.raises(ValueError, match="meminfo has no '" + name.replace("(", r"\(").replace(")", r"\)")):
        memory_state(fields)


# Where the cgroups are. Each host as its /proc/self/cgroup and mountinfo, less the lines that say nothing here.

HYBRID_CGROUP = "9:name=systemd:/\n8:pids:/\n4:memory:/jobs/afd8\n2:cpuacct:/\n1:cpu:/\n0::/\n"
HYBRID_MOUNTS = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard,resv_strict
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""

V2_CGROUP = "0::/system.slice/c1m-target.service\n"
V2_MOUNTS = "34 24 0:29 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"

DOCKER_V1_CGROUP = "8:memory:/docker/0a1b\n1:name=systemd:/docker/0a1b\n"
DOCKER_V1_MOUNTS = "635 627 0:31 /docker/0a1b /sys/fs/cgroup/memory ro,nosuid master:13 - cgroup cgroup rw,memory\n"


@pytest.mark.parametrize(
    ("cgroups", "mounts", "directories", "reason"),
    [
        (
            HYBRID_CGROUP,
            HYBRID_MOUNTS,
            [
                "/sys/fs/cgroup/memory/jobs/afd8",
                "/sys/fs/cgroup/memory/jobs",
                "/sys/fs/cgroup/memory",
            ],
            "both versions, memory under v1",
        ),
        (
            HYBRID_CGROUP.replace("4:memory:/jobs/afd8\n", "").replace("0::/", "0::/a"),
            HYBRID_MOUNTS,
            ["/sys/fs/cgroup/unified/a", "/sys/fs/cgroup/unified"],
            "both versions, memory under v2",
        ),
        (
            V2_CGROUP,
            V2_MOUNTS,
            [
                "/sys/fs/cgroup/system.slice/c1m-target.service",
                "/sys/fs/cgroup/system.slice",
                "/sys/fs/cgroup",
            ],
            "v2 under systemd: a limit may be on the service or on its slice",
        ),
        (
            "0::/\n",
            "1 0 0:29 / /sys/fs/cgroup ro shared:9 master:2 - cgroup2 cgroup rw\n",
            ["/sys/fs/cgroup"],
            "a container with a cgroup namespace",
        ),
        (DOCKER_V1_CGROUP, DOCKER_V1_MOUNTS, ["/sys/fs/cgroup/memory"], "the mount is our cgroup itself"),
        (
            "8:memory:/docker/0a1b/c1m\n",
            DOCKER_V1_MOUNTS,
            ["/sys/fs/cgroup/memory/c1m", "/sys/fs/cgroup/memory"],
            "our cgroup is below the one mounted",
        ),
        (
            "8:memory:/docker/0a1bcd\n",
            DOCKER_V1_MOUNTS,
            ["/sys/fs/cgroup/memory"],
            "a path of the host that only begins alike",
        ),
        (
            "0::/../../user.slice\n",
            V2_MOUNTS,
            ["/sys/fs/cgroup"],
            "outside the root of our cgroup namespace",
        ),
        (
            "4:cpu,memory:/a\n",
            "1 0 0:1 / /cg rw - cgroup none rw,cpu,memory\n",
            ["/cg/a", "/cg"],
            "two controllers in one hierarchy",
        ),
        (
            "4:memory:/a b:c\n",
            "1 0 0:1 / /my\\040mount rw - cgroup none rw,memory\n",
            ["/my mount/a b:c", "/my mount"],
            "blanks and colons in paths",
        ),
        (
            "4:memory:/a\n",
            "1 0 0:1 /other /x rw - cgroup none rw,memory\n2 0 0:1 / /y rw - cgroup none rw,memory\n",
            ["/y/a", "/y"],
            "mounted twice: the one that shows our cgroup",
        ),
        ("4:memory:/a\n", V2_MOUNTS, [], "v1, but not mounted here"),
        (V2_CGROUP, "", [], "nothing mounted"),
        ("", V2_MOUNTS, [], "a kernel without cgroups"),
        ("1:cpu:/\n", HYBRID_MOUNTS, [], "memory in neither version"),
    ],
)
def test_memory_cgroups_are_found(cgroups: str, mounts: str, directories: list[str], reason: str) -> None:
    assert cgroup.directories(cgroups, mounts, "memory") == directories, reason


def test_each_controller_has_its_own_cgroup() -> None:
    mounts = HYBRID_MOUNTS + "36 31 0:33 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"

    assert cgroup.directories("8:pids:/p\n4:memory:/m\n0::/u\n", mounts, "pids") == [
        "/sys/fs/cgroup/pids/p",
        "/sys/fs/cgroup/pids",
    ]


def test_mountinfo_is_parsed() -> None:
    assert parse_mountinfo(DOCKER_V1_MOUNTS) == [Mount("/docker/0a1b", "/sys/fs/cgroup/memory", "cgroup", ("rw", "memory"))]
    assert parse_mountinfo("1 0 0:1 / /a\u2028b\\134 rw - tmpfs  rw\n") == [Mount("/", "/a\u2028b\\", "tmpfs", ("rw",))], (
        "no tags, an empty source, and a point with a line break of Unicode's and a backslash"
    )


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (parse_cgroups, "memory:/a", "'memory:/a' is not a line of /proc/PID/cgroup"),
        (parse_cgroups, "4:memory:a", "is not a line"),
        (parse_cgroups, "4:memory:/a\n\n", "'' is not a line"),
        (parse_mountinfo, "35 31 0:32 / /sys rw sysfs sysfs rw", "is not a line of mountinfo"),
        (parse_mountinfo, "35 31 0:32 / - sysfs sysfs rw", "is not a line of mountinfo"),
        (parse_mountinfo, "35 31 0:32 / /sys rw - sysfs", "is not a line of mountinfo"),
        (parse_limit, "", "'' is not a memory limit"),
        (parse_limit, "-1\n", "is not a memory limit"),
        (parse_limit, "64M\n", "is not a memory limit"),
    ],
)
def test_anything_else_is_a_value_error(parse: Callable[[str], object], text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@pytest.mark.parametrize(
    ("text", "limit", "reason"),
    [
        ("max\n", None, "v2 without a limit"),
        ("9223372036854771712\n", None, "v1 without one: LONG_MAX, down to a page of 4 KiB"),
        ("9223372036854710272\n", None, "... or of 64 KiB"),
        ("9223372036854775807\n", None, "... or as before Linux 3.19"),
        ("67108864\n", 67_108_864, "64 MiB"),
        ("0\n", 0, "nothing at all may be used"),
    ],
)
def test_a_limit_is_parsed(text: str, limit: int | None, reason: str) -> None:
    assert parse_limit(text) == limit, reason


@pytest.mark.parametrize(
    ("stat", "expected", "reason"),
    [
        ("anon 1\nfile 9\ninactive_file 4952064\nactive_file 8\n", 4_952_064, "v2"),
        ("cache 9\ninactive_file 1\nactive_file 2\ntotal_inactive_file 3\n", 3, "v1: with its children"),
        ("inactive_file 5\ntotal_inactive_file 0\n", 0, "v1: nothing there is not nothing said"),
        ("", 0, "unreadable"),
        ("workingset_inactive_file 7\n", 0, "another name that ends alike"),
    ],
)
def test_page_cache_is_parsed(stat: str, expected: int, reason: str) -> None:
    assert parse_inactive_file(stat) == expected, reason


@given(st.text() | st.text("0:memory/, -\n1\\") | st.sampled_from((HYBRID_CGROUP, HYBRID_MOUNTS)))
def test_any_text_gives_a_value_or_a_value_error(text: str) -> None:
    assert parse_inactive_file(text) >= 0
    parsers: tuple[Callable[[str], object], ...] = parse_meminfo, parse_limit, parse_cgroups, parse_mountinfo
    for parse in parsers:
        with suppress(ValueError):
            parse(text)
    for cgroups, mounts in ((text, HYBRID_MOUNTS), (HYBRID_CGROUP, text), (text, text)):
        with suppress(ValueError):
            cgroup.directories(cgroups, mounts, "memory")


@given(st.lists(st.text(st.characters(exclude_characters="/\n\0"), min_size=1), max_size=4))
def test_directories_go_from_our_own_to_the_mount(names: list[str]) -> None:
    directories = cgroup.directories(f"0::/{'/'.join(names)}\n", V2_MOUNTS, "memory")

    assert directories[-1] == "/sys/fs/cgroup"
    if ".." not in names:
        assert directories[0] == "/".join(("/sys/fs/cgroup", *names))
        assert len(directories) == len(names) + 1


def write(directory: Path, **files: str) -> str:
    directory.mkdir(exist_ok=True)
    for name, content in files.items():
        (directory / name.replace("__", ".")).write_text(content)
    return str(directory)


V1 = {"memory__usage_in_bytes": "41209856\n", "memory__stat": "inactive_file 1\ntotal_inactive_file 4096\n"}
V2 = {"memory__current": "41209856\n", "memory__stat": "anon 5\ninactive_file 4096\n"}


@pytest.mark.parametrize(
    ("files", "state", "reason"),
    [
        (V2 | {"memory__max": "104857600\n"}, CgroupMemory(104_857_600, 41_209_856, 4_096), "v2 with a limit"),
        (V2 | {"memory__max": "max\n"}, None, "v2 without"),
        ({}, None, "the root of v2 has no such files"),
        (
            V1 | {"memory__limit_in_bytes": "104857600\n"},
            CgroupMemory(104_857_600, 41_209_856, 4_096),
            "v1 with a limit",
        ),
        (V1 | {"memory__limit_in_bytes": "9223372036854771712\n"}, None, "v1 without"),
        ({"memory__max": "1000\n"}, None, "a limit without a usage says nothing of what is left"),
        (
            {"memory__max": "1000\n", "memory__current": "400\n"},
            CgroupMemory(1_000, 400, 0),
            "page cache not known counts as used",
        ),
    ],
)
def test_a_cgroup_is_read(tmp_path: Path, files: dict[str, str], state: CgroupMemory | None, reason: str) -> None:
    assert read_level(write(tmp_path / "cgroup", **files)) == state, reason


def test_an_absent_cgroup_is_unknown(tmp_path: Path) -> None:
    assert read_level(str(tmp_path / "gone (deleted)")) is None


@pytest.mark.parametrize(
    ("state", "left", "reason"),
    [
        (CgroupMemory(1_000, 400, 100), 700, "idle page cache gives way"),
        (CgroupMemory(1_000, 1_000, 0), 0, "full"),
        (CgroupMemory(1_000, 1_200, 0), 0, "over a limit that was lowered: none left, not less than none"),
    ],
)
def test_what_a_cgroup_leaves(state: CgroupMemory, left: int, reason: str) -> None:
    assert state.available_bytes == left, reason


def test_the_memory_of_this_host() -> None:
    host, cgroup, available = read_memory(), read_cgroup_memory(), available_bytes()
    assert host is not None
    assert available is not None

    assert 0 < host.available_bytes <= host.total_bytes
    assert 0 < host.slab_bytes < host.total_bytes
    assert 0 <= available <= host.total_bytes
    if cgroup is not None:
        assert available <= cgroup.limit_bytes
