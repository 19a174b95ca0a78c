"""The limits of a process that are no sysctls: its cgroup's, its resource limits, its capabilities."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from c1m.kernel import limits, meminfo
from c1m.kernel.cgroup import CgroupPids, tightest_pids
from c1m.kernel.limits import parse_capabilities, read_capabilities, read_limits, rlimit, unknown_limits, why_unknown
from c1m.kernel.meminfo import CgroupMemory
from c1m.limits.limit import NO_LIMIT
from c1m.limits.sysctls import SYSCTLS, SysctlScope, path_of


def test_the_limits_of_a_cgroup_are_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(meminfo, "read_cgroup_memory", lambda: CgroupMemory(2 << 30, 1 << 30, 0))
    monkeypatch.setattr(limits, "read_cgroup_pids", lambda: CgroupPids(500, 20))
    monkeypatch.setattr(limits, "own_directories", lambda controller: [str(tmp_path), "/nowhere"])
    monkeypatch.setattr(limits, "strictest_rp_filter", lambda: 2)

    found = read_limits()
    assert (found["cgroup_memory_bytes"], found["cgroup_pids"], found["rp_filter"]) == (2 << 30, 500, 2)
    assert found["cgroup"] == os.stat(tmp_path).st_ino
    assert found["RLIMIT_NOFILE"] == rlimit(resource.RLIMIT_NOFILE, 1)


def test_without_a_cgroup_there_is_no_limit_and_what_is_unknown_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meminfo, "read_cgroup_memory", lambda: None)
    monkeypatch.setattr(limits, "read_cgroup_pids", lambda: None)
    monkeypatch.setattr(limits, "strictest_rp_filter", lambda: None)
    for directories in ([], ["/nowhere"]):
        monkeypatch.setattr(limits, "own_directories", lambda _, found=directories: found)
        found = read_limits()
        assert (found["cgroup_memory_bytes"], found["cgroup_pids"]) == (NO_LIMIT, NO_LIMIT)
        assert found.keys() == {"RLIMIT_NOFILE", "RLIMIT_NPROC", "cgroup_memory_bytes", "cgroup_pids"}


def test_a_resource_limit_is_soft_or_hard_and_infinity_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda number: (100 + number, resource.RLIM_INFINITY))
    assert (rlimit(7, 0), rlimit(7, 1)) == (107, NO_LIMIT)
    monkeypatch.setattr(resource, "getrlimit", lambda number: (100 * number, 1000 * number))
    assert (read_limits()["RLIMIT_NOFILE"], read_limits()["RLIMIT_NPROC"]) == (
        1000 * resource.RLIMIT_NOFILE,
        100 * resource.RLIMIT_NPROC,
    )


@pytest.mark.parametrize(
    ("values", "strictest"),
    [([0, 2, 1], 1), ([0, 2], 2), ([0, 0], 0), ([None, 0], 0), ([None], None), ([], None), ([7], None)],
)
def test_the_strictest_filter_of_all_interfaces_counts(
    values: list[int | None], strictest: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list(values)
    monkeypatch.setattr(Path, "glob", lambda *_: [Path(f"/{index}") for index in range(len(values))])
    monkeypatch.setattr(limits, "read_int", lambda _: left.pop())
    assert limits.strictest_rp_filter() == strictest


def status(*bits: int) -> str:
    return f"CapInh:\t0000000000000000\nCapEff:\t{sum(1 << bit for bit in bits):016x}\nCapBnd:\t000001ffffffffff\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (status(12), ["CAP_NET_ADMIN"]),
        (status(21, 24), ["CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"]),
        (status(11, 13, 20, 22, 23, 25), []),
        ("", []),
    ],
)
def test_capabilities_are_bits(text: str, names: list[str]) -> None:
    assert parse_capabilities(text) == names


@pytest.mark.parametrize(
    ("users", "capabilities"),
    [("         0          0 4294967295\n", "CAP_NET_ADMIN"), ("         0     100000      65536\n", ""), (None, "")],
)
def test_capabilities_over_a_user_namespace_are_none_over_the_host(
    users: str | None, capabilities: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"/proc/self/uid_map": users, "/proc/self/status": status(12)}
    monkeypatch.setattr(limits, "read_text", lambda path: files[path])
    assert read_capabilities() == capabilities


def test_what_cannot_be_read_is_said_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = next(iter(SYSCTLS))
    monkeypatch.setattr(limits, "read_text", lambda path: None if path == path_of(missing) else "1")
    assert unknown_limits() == {missing: why_unknown(missing)}
    hidden = next(name for name, scope in SYSCTLS.items() if scope is SysctlScope.HIDDEN)
    assert why_unknown(hidden).startswith(f"{hidden} belongs to the host and is not visible")
    plain = next(name for name, scope in SYSCTLS.items() if scope not in (SysctlScope.HIDDEN, SysctlScope.SHOWN))
    assert why_unknown(plain) == f"this kernel has no {plain}"


def test_the_cgroup_with_the_least_room_for_processes_counts(tmp_path: Path) -> None:
    made = []
    for name, most, used in (("own", "100", "10"), ("parent", "60", "30"), ("above", "1000", "900"), ("root", "max", "2000")):
        directory = tmp_path / name
        directory.mkdir()
        (directory / "pids.max").write_text(f"{most}\n")
        (directory / "pids.current").write_text(f"{used}\n")
        made.append(str(directory))
    assert tightest_pids(made) == CgroupPids(60, 30)
    assert tightest_pids(made[2:]) == CgroupPids(1000, 900)
    assert tightest_pids(made[3:]) is None
    assert tightest_pids([str(tmp_path / "nowhere")]) is None
