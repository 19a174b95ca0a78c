"""Readings of this host: what connections change in them, what they cost, and what is not known."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.kernel.machine import read_counters
from c1m.kernel.meminfo import read_cgroup_memory
from c1m.kernel.reader import PSS_SHARE, TCP, TCP_EXT, HostReader, counters, levels, parse_file_nr
from c1m.measure.sample import Reading

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="slabinfo is readable by root only, and so is chroot")

RESET = struct.pack("ii", 1, 0)  # close at once, without TIME_WAIT


@pytest.mark.parametrize(
    ("text", "open_files", "reason"),
    [
        ("576\t0\t2465610\n", 576, "6.18"),
        ("1504\t0\t9223372036854775807\n", 1_504, "since 5.9: no limit under systemd"),
        ("3391\t969\t52427\n", 2_422, "2.4 counted free ones"),
        ("576 0 2465610", 576, "blanks, and no line break"),
        ("0\t0\t0\n", 0, "none"),
        ("", None, "unreadable"),
        ("576\t0\n", None, "cut"),
        ("576\t0\t2465610\t1\n", None, "one too many"),
        ("-576\t0\t2465610\n", None, "a sign"),
        ("many\t0\t2465610\n", None, "no number"),
        ("9" * 5_000 + "\t0\t1\n", None, "more digits than a counter has"),
    ],
)
def test_file_nr_is_parsed(text: str, open_files: int | None, reason: str) -> None:
    assert parse_file_nr(text) == open_files, reason


@given(st.text() | st.text("01 \t\n"))
def test_any_text_gives_open_files_or_none(text: str) -> None:
    assert isinstance(parse_file_nr(text), int | None)


def nobody() -> list[int]:
    return []


@contextmanager
def connections(count: int) -> Iterator[None]:
    """Both ends, here."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(listener.getsockname()))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            stack.enter_context(listener.accept()[0])
        yield


@contextmanager
def ipv6_listeners(count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        yield


def count_as(sockets: int, opened: Callable[[], AbstractContextManager[None]]) -> bool:
    """Whether both counts of sockets differ by about so many, between with and without them.

    Others open and close sockets on this machine, too, but not at each moment; and to close is quicker than to open.
    """
    reader, deadline = HostReader(nobody), time.monotonic() + 20
    while time.monotonic() < deadline:
        with opened():
            with_them = reader.take()
        without = reader.take()
        assert with_them.sockets is not None
        assert without.sockets is not None
        differ = with_them.sockets - without.sockets, with_them.levels["tcp_inuse"] - without.levels["tcp_inuse"]
        if all(abs(each - sockets) <= sockets / 20 for each in differ):
            return True
    return False


@pytest.mark.alone
def test_500_connections_are_1000_sockets() -> None:
    assert count_as(1_000, lambda: connections(500))


@pytest.mark.alone
@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here")
def test_ipv6_sockets_are_sockets_too() -> None:
    assert count_as(400, lambda: ipv6_listeners(400))


@needs_root
def test_sockets_are_in_the_cache_of_sockets() -> None:
    with connections(500):
        reading = HostReader(nobody).take()

    assert reading.caches["TCP"].objects >= 1_000
    assert reading.slab_bytes is not None
    assert reading.slab_bytes > reading.caches["TCP"].page_bytes >= 1_000 * reading.caches["TCP"].object_bytes


def test_counters_rise_with_what_happens() -> None:
    before = counters()
    with connections(5):
        after = counters()

    assert after["ActiveOpens"] >= before["ActiveOpens"] + 5
    assert after["PassiveOpens"] >= before["PassiveOpens"] + 5


def test_readings_are_numbered_and_their_cost_is_counted() -> None:
    reader = HostReader(lambda: [os.getpid()])

    began = time.thread_time()
    readings = [reader.take() for _ in range(3)]
    spent = time.thread_time() - began

    assert [reading.number for reading in readings] == [0, 1, 2]
    costs = [*(reading.cost_seconds for reading in readings), reader.cost_seconds]
    assert costs[0] == 0, "nothing was spent before the first"
    assert all(earlier < later for earlier, later in zip(costs, costs[1:]))
    assert costs[-1] <= spent


def test_user_memory_is_what_smaps_rollup_says() -> None:
    reading = HostReader(lambda: [os.getpid()]).take()
    found = re.search(r"^Pss: +(\d+) kB$", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)

    assert found
    # A page that is shared counts in part, and other Pythons come and go.
    assert reading.pss_bytes == pytest.approx(int(found[1]) * 1_024, rel=0.25)


def test_processes_that_are_gone_take_nothing_and_none_are_unknown() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    alone, with_gone = HostReader(lambda: [os.getpid()]).take(), HostReader(lambda: [gone.pid, os.getpid()]).take()

    assert alone.pss_bytes is not None
    assert with_gone.pss_bytes == pytest.approx(alone.pss_bytes, rel=0.25)
    assert HostReader(lambda: [gone.pid]).take().pss_bytes is None
    assert HostReader(nobody).take().pss_bytes is None


def test_memory_is_walked_no_more_often_than_its_share_of_the_time_allows() -> None:
    walks: list[float] = []

    def pids() -> list[int]:
        walks.append(time.monotonic())
        return [os.getpid()]

    reader = HostReader(pids)
    reader.walk(walked := time.monotonic())
    took_at_most = time.monotonic() - walked
    again_at, pss_bytes = reader.next_pss, reader.pss_bytes
    reader.walk(again_at - 1e-6)

    assert len(walks) == 1
    assert reader.pss_bytes == pss_bytes, "the newest that was affordable"
    assert (walks[0] - walked) / PSS_SHARE < again_at - walked <= took_at_most / PSS_SHARE

    reader.walk(again_at)

    assert len(walks) == 2


def test_a_name_that_cannot_be_read_is_absent_and_not_zero() -> None:
    found, kernel = levels({}, {}), counters()

    assert not {"tcp_inuse", "tcp_orphans", "tcp_time_wait", "tcp_mem_pages"} & found.keys()
    assert not {"memory_available_bytes", "slab_reclaimable_bytes"} & found.keys()
    assert ("conntrack" in found) == Path("/proc/sys/net/netfilter/nf_conntrack_count").exists()
    assert ("cgroup_memory_bytes" in found) == (read_cgroup_memory() is not None)
    assert "open_files" in found
    text = Path("/proc/net/netstat").read_text() + Path("/proc/net/snmp").read_text()
    others = {"softnet_dropped", "softnet_squeezed", "conntrack_dropped", *read_counters()}
    assert kernel.keys() - others == (TCP_EXT | TCP) & set(text.split())


def in_a_child(after_imports: str) -> str:
    program = f"import os; from c1m.kernel.reader import HostReader; {after_imports}; print(HostReader(list).take())"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


@needs_root
def test_of_a_host_without_proc_nothing_is_known(tmp_path: Path) -> None:
    assert in_a_child(f"os.chroot({str(tmp_path)!r})") == str(Reading(0, None, None, None))


@needs_root
def test_who_is_not_root_knows_all_but_the_caches() -> None:
    told = in_a_child("os.setuid(65_534)")

    assert "caches={}" in told
    assert re.search(r"sockets=\d+, slab_bytes=\d+", told)
    assert "'ListenOverflows':" in told
    assert "'tcp_mem_pages':" in told
