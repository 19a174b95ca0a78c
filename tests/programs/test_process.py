"""What a process takes: parsing what the kernel writes of it, and reading our own and a child's."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.kernel.process_footprint import (
    Footprint,
    cpu_seconds,
    descriptor_slots,
    open_descriptors,
    parse_cpu_ticks,
    parse_fd_size,
    parse_smaps_rollup,
    read_footprint,
)

ROLLUP_6_18 = """\
563ef1318000-7fff359bf000 ---p 00000000 00:00 0                          [rollup]
Rss:                1676 kB
Pss:                 488 kB
Pss_Dirty:           116 kB
Pss_Anon:            116 kB
Shared_Clean:       1456 kB
SwapPss:               0 kB
Locked:                0 kB
"""

ROLLUP_4_14 = """\
00400000-7ffd4b5f1000 ---p 00000000 00:00 0                              [rollup]
Rss:                 884 kB
Pss:                 385 kB
Shared_Clean:        696 kB
Locked:              385 kB
"""

STAT_6_18 = (
    "3404 (cat) R 3396 3396 2284 0 -1 4194304 98 0 0 0 7 5 100 200 20 0 1 0 114384 3133440 394 "
    "18446744073709551615 93913093644288 93913093664169 140728639723120 0 0 0 0 0 0 0 0 0 17 1 0 "
    "0 0 0 0 0 0 0 0 0 0 0 0\n"
)


@pytest.mark.parametrize(
    ("text", "sizes", "reason"),
    [
        (ROLLUP_6_18, (1_676 * 1024, 488 * 1024), "6.18: Pss_Dirty and SwapPss are not Pss"),
        (ROLLUP_4_14, (884 * 1024, 385 * 1024), "4.14, the first that has it"),
        ("Rss: 0 kB\nPss: 0 kB\n", (0, 0), "nothing resident is not nothing known"),
    ],
)
def test_smaps_rollup_is_parsed(text: str, sizes: tuple[int, int], reason: str) -> None:
    assert parse_smaps_rollup(text) == sizes, reason


@pytest.mark.parametrize(
    ("text", "ticks", "reason"),
    [
        (STAT_6_18, 12, "user and system, but not the children's 100 and 200"),
        (STAT_6_18.replace("(cat)", "(a b)"), 12, "a blank in the command"),
        (STAT_6_18.replace("(cat)", "(:-) R 1 1)"), 12, "parentheses and a state in the command"),
        (STAT_6_18.replace("(cat)", "(a\nb)"), 12, "a line break in the command, before Linux escaped it"),
        (STAT_6_18.replace("(cat)", "(\udcff\x1f)"), 12, "bytes that are not UTF-8"),
        (STAT_6_18.replace("(cat)", "()"), 12, "no command at all"),
    ],
)
def test_cpu_ticks_are_parsed(text: str, ticks: int, reason: str) -> None:
    assert parse_cpu_ticks(text) == ticks, reason


def test_fd_size_is_parsed() -> None:
    assert parse_fd_size("Name:\tcat\nTracerPid:\t0\nFDSize:\t256\nGroups:\t \n") == 256


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (parse_smaps_rollup, "", "is not smaps_rollup"),
        (parse_smaps_rollup, "Rss: 1676 kB\n", "is not smaps_rollup"),
        (parse_smaps_rollup, "Rss: 1676\nPss: 488\n", "is not smaps_rollup"),
        (parse_smaps_rollup, "XRss: 1676 kB\nXPss: 488 kB\n", "is not smaps_rollup"),
        (parse_cpu_ticks, "", "is not /proc/PID/stat"),
        (parse_cpu_ticks, "3404 (cat) R 3396 3396 2284", "is not /proc/PID/stat"),
        (parse_cpu_ticks, STAT_6_18.replace(" 7 5 ", " 7 -5 "), "is not /proc/PID/stat"),
        (parse_fd_size, "", "is not /proc/PID/status"),
        (parse_fd_size, "FDSize: many\n", "is not /proc/PID/status"),
    ],
)
def test_anything_else_is_a_value_error(parse: Callable[[str], object], text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@given(st.text() | st.text("Rss: 01 kB\nPFDize()"))
def test_any_text_gives_a_value_or_a_value_error(text: str) -> None:
    for parse in (parse_cpu_ticks, parse_fd_size):
        with suppress(ValueError):
            assert parse(text) >= 0
    with suppress(ValueError):
        assert min(parse_smaps_rollup(text)) >= 0


@given(st.text(st.characters(exclude_characters="\0"), max_size=15))
def test_no_command_hides_the_ticks(command: str) -> None:
    assert parse_cpu_ticks(STAT_6_18.replace("cat", command)) == 12


def test_our_own_footprint_grows_with_what_we_touch() -> None:
    before = read_footprint(os.getpid())
    ballast = bytearray(os.urandom(1)) * (32 << 20)
    after = read_footprint(os.getpid())

    assert before is not None
    assert after is not None
    assert len(ballast) == 32 << 20
    assert 0 < before.pss_bytes <= before.rss_bytes
    assert after.rss_bytes - before.rss_bytes > 24 << 20
    assert after.pss_bytes - before.pss_bytes > 24 << 20


def test_cpu_seconds_agree_with_getrusage() -> None:
    while time.process_time() < 0.2:
        pass
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = cpu_seconds(os.getpid())
    later = resource.getrusage(resource.RUSAGE_SELF)

    assert seconds is not None
    tick = 2 / os.sysconf("SC_CLK_TCK")  # user and system are each rounded down
    assert usage.ru_utime + usage.ru_stime - tick <= seconds <= later.ru_utime + later.ru_stime + tick


def test_a_process_that_ended_is_unknown() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        alive: Footprint | None = read_footprint(child.pid)
        child.communicate(b"\n")

    assert alive is not None
    assert read_footprint(child.pid) is None
    assert cpu_seconds(child.pid) is None


def test_a_zombie_has_no_memory_but_its_cpu_time() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    try:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has collected it

        assert read_footprint(child.pid) is None
        assert cpu_seconds(child.pid) is not None
    finally:
        child.wait()


def test_open_descriptors_are_counted() -> None:
    before = open_descriptors()
    if before is None:
        pytest.skip("this kernel is before 6.2, and does not say")
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(50)]
    during = open_descriptors()
    for descriptor in opened:
        os.close(descriptor)

    assert during == before + 50
    assert open_descriptors() == before


def test_the_descriptor_table_holds_all_that_are_open() -> None:
    before, high = descriptor_slots(), 1_500
    os.dup2(0, high)
    os.close(high)
    after = descriptor_slots()

    assert before is not None
    assert after is not None
    assert before <= after, "it never shrinks"
    assert after > high
