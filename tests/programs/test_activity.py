"""What processes are doing, what their cgroups and the table of tracked connections refused, and which ports are in use."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.kernel import sockdiag
from c1m.kernel.activity import Activity, look_at, parse_descriptor_limit, parse_run_delay
from c1m.kernel.cgroup import CgroupPids, tightest_pids
from c1m.kernel.cgroup_events import Cgroups, cgroups_of, events, number_after
from c1m.kernel.packet_drops import parse_conntrack
from c1m.kernel.process_footprint import parse_state

STAT = "3404 (a) b) {state} 3396 3404 3396 34816 3404 4194304 95 0 0 0 7 3 0 0 20 0 1 0 8 1 1 1"
TRACKED = """entries  clashres found insert drop early_drop
00040000  00000000 00000001 00000010 0000000a 00000001
00040000  00000000 00000001 00000010 00000001 00000000
"""


@pytest.mark.parametrize("state", ["R", "S", "D", "T", "t", "Z"])
def test_a_state_stands_behind_the_last_parenthesis(state: str) -> None:
    assert parse_state(STAT.format(state=state)) == state


@given(st.text())
def test_text_of_another_form_is_refused_or_unknown(text: str) -> None:
    for parse in (parse_run_delay, parse_descriptor_limit):
        assert parse(text) is None or isinstance(parse(text), int | float)
    for refuses in (parse_state, parse_conntrack):
        refused_or_read(refuses, text)


def refused_or_read(parse: Callable[[str], object], text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "seconds"), [("543694569 14360066 73\n", 0.014360066), ("0 0 1\n", 0.0), ("", None), ("1 2\n", None)]
)
def test_a_run_delay_is_the_second_number(text: str, seconds: float | None) -> None:
    assert parse_run_delay(text) == seconds


def test_columns_of_tracked_connections_are_added_up_over_the_processors() -> None:
    table = parse_conntrack(TRACKED)

    assert (table["drop"], table["early_drop"], table["insert"]) == (11, 1, 32)


def test_a_process_that_is_stopped_is_seen_and_so_is_its_going_on() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        try:
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            stopped = Activity().take([process.pid], 0.0)
            process.send_signal(signal.SIGCONT)
            os.waitid(os.P_PID, process.pid, os.WCONTINUED)
            goes_on = Activity().take([process.pid], 0.0)
        finally:
            process.kill()

    assert (stopped["processes"], stopped["processes_stopped"]) == (1, 1)
    assert goes_on["processes_stopped"] == 0


def test_shares_are_of_the_time_between_two_looks() -> None:
    activity = Activity()
    first = activity.take([os.getpid()], time.monotonic())
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    second = activity.take([os.getpid()], time.monotonic())

    assert "busiest_cpu_percent" not in first
    assert second["busiest_cpu_percent"] + second["longest_cpu_wait_percent"] > 50
    assert second["descriptors_limit"] >= second["descriptors"] > 0


def test_a_process_that_is_gone_is_no_process() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()

    assert look_at(gone.pid) is None
    assert Activity().take([gone.pid], 0.0) == {"processes": 0, "processes_stopped": 0}
    assert cgroups_of(gone.pid) == Cgroups()


V2 = {
    "memory.events": "low 0\nhigh 0\nmax 21\noom 3\noom_kill 2\n",
    "pids.events": "max 5\n",
    "cpu.stat": "usage_usec 9\nnr_periods 70\nnr_throttled 11\nthrottled_usec 3\n",
    "pids.max": "20\n",
    "pids.current": "19\n",
}
V1 = {
    "memory.failcnt": "21\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "pids.events": "max 5\n",
    "cpu.stat": "nr_periods 70\nnr_throttled 11\nthrottled_time 3\n",
    "pids.max": "20\n",
    "pids.current": "19\n",
}


@pytest.mark.parametrize("files", [V1, V2], ids=["v1", "v2"])
def test_both_versions_of_cgroups_tell_the_same(files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for name, text in files.items():
        (tmp_path / "own" / name).write_text(text)
    where = (str(tmp_path / "own"), str(tmp_path))
    cgroups = Cgroups(where, where, where)

    assert events(cgroups) == {
        "cgroup_memory_hits": 21,
        "cgroup_oom_kills": 2,
        "cgroup_pids_hits": 5,
        "cgroup_cpu_throttled": 11,
    }
    assert tightest_pids(where) == CgroupPids(limit=20, used=19)


def test_without_cgroups_nothing_is_known() -> None:
    assert events(Cgroups()) == {}
    assert tightest_pids(()) is None


@given(st.text(), st.integers(0, 2**64 - 1))
def test_a_number_is_found_on_a_line_of_its_own(before: str, number: int) -> None:
    assert number_after("oom_kill", f"{before}\noom_kill {number}\n") is not None
    assert number_after("oom_kill", "oom_killer 3\nno_oom_kill 4\n") is None


def test_ports_in_use_are_counted_between_two_addresses() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.13.1", port))) for port in (24_901, 24_902)]
        for server, ports in zip(servers, (range(24_910, 24_917), range(24_910, 24_913)), strict=True):
            for port in ports:
                client = stack.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes((1, 0, 0, 0, 0, 0, 0, 0)))
                client.bind(("127.0.13.2", port))
                client.connect(server.getsockname())

        assert sockdiag.most_ports([(24_910, 24_950)]) == 7
        assert sockdiag.most_ports([]) == 0
