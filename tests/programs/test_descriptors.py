"""Descriptors: limits as arithmetic and words, and this process's own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.processes.descriptors import RESERVE, explain, processes, raise_to_hard, usable


def run(script: str) -> str:
    """The output of a Python of its own: what it does to its limits ends with it."""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("limit", "wanted", "count", "reason"),
    [
        (20_000, 1_000_000, 51, "50 would do, were there nothing but connections"),
        (20_000, 19_936, 1, "exactly full"),
        (20_000, 19_937, 2, "one too many"),
        (1_048_576, 1_000_000, 1, "what nr_open allows by default"),
        (1_024, 1_000_000, 1_042, "a soft limit that nobody raised"),
        (65, 3, 3, "one each"),
        (65, 0, 1, "even nothing takes a process"),
    ],
)
def test_processes_follow_from_the_limit(limit: int, wanted: int, count: int, reason: str) -> None:
    assert processes(limit, wanted) == count, reason


@given(st.integers(RESERVE + 1, 2**30), st.integers(1, 10**8))
def test_processes_are_enough_and_not_one_more(limit: int, wanted: int) -> None:
    count = processes(limit, wanted)

    assert count * (limit - RESERVE) >= wanted
    assert (count - 1) * (limit - RESERVE) < wanted


def test_the_sentence_says_what_the_limit_costs_and_how_to_raise_it() -> None:
    assert explain(20_000, 1_000_000) == (
        "this machine allows 20,000 descriptors a process, so 1,000,000 connections take 51 processes; "
        "raise it with ulimit -Hn, LimitNOFILE= in the unit, or docker --ulimit nofile="
    )
    assert explain(1_048_576, 1_000_000) == (
        "this machine allows 1,048,576 descriptors a process, so 1,000,000 connections fit into one"
    )


@pytest.mark.parametrize("limit", [0, 20, RESERVE])
def test_a_limit_that_leaves_nothing_is_a_value_error_with_the_cure(limit: int) -> None:
    with pytest.raises(ValueError, match=f"{limit} descriptors a process, which needs 64 .*; raise it with ulimit -Hn"):
        processes(limit, 1)
    with pytest.raises(ValueError, match="docker --ulimit nofile="):
        explain(limit, 1)


def test_the_soft_limit_is_raised_to_the_hard_one_and_not_above() -> None:
    script = """
import resource
from c1m.processes.descriptors import raise_to_hard
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))
print(raise_to_hard(), raise_to_hard(), resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    assert run(script) == "(100, 300) (300, 300) (300, 300)\n"


def test_what_is_usable_can_be_opened_and_no_more() -> None:
    script = """
import os, resource
from c1m.processes.descriptors import usable
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
room, opened = usable(reserve=0), 0
try:
    while True:
        os.open(os.devnull, os.O_RDONLY)
        opened += 1
except OSError:
    print(opened - room, usable(reserve=0), usable())
"""
    # Before Linux 6.2 the table of 64 or more slots counts as open: then more can be opened than is promised.
    spare, left, left_over = map(int, run(script).split())
    assert spare == 0 or (spare > 0 and os.stat("/proc/self/fd").st_size == 0)
    assert (left, left_over) == (0, 0), "a full process has none left, not a negative number"


def test_the_reserve_is_kept() -> None:
    raise_to_hard()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert usable(reserve=0) - usable() == RESERVE
    assert usable(reserve=0) < soft
