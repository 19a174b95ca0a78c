"""What processors did: what /proc/stat says of several ages of kernels, and of this machine while it works."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.kernel.machine import MS_PER_TICK, counters, parse_ticks, read_counters

LINUX_6_18 = "cpu  163986 7 120327 225901 508 3 32072 729 0 0\ncpu0 72477 0 61964 120227 107 0 16441 355 0 0\n"


@pytest.mark.parametrize(
    ("stat", "busy", "softirq", "steal"),
    [
        (LINUX_6_18, 163_986 + 7 + 120_327 + 3 + 32_072, 32_072, 729),
        ("cpu  600 0 200 100 0 0 50 100 500 0\n", 850, 50, 100),  # time of its own guests is in user already
        ("cpu  1 2 3 4 5 6 7 8\n", 19, 7, 8),  # 2.6.11 to 2.6.23
    ],
)
def test_working_is_told_from_waiting(stat: str, busy: int, softirq: int, steal: int) -> None:
    ticks = {"cpu_busy_ms": busy, "cpu_softirq_ms": softirq, "cpu_steal_ms": steal}

    assert counters(stat) == {name: round(value * MS_PER_TICK) for name, value in ticks.items()}


@pytest.mark.parametrize(
    "stat", ["", "cpu", "cpu  2255 34 2290 22625563 6290 127 456\n", "cpu0 1 1 1 1 1 1 1 1\n", "cpu  a b c\n"]
)
def test_another_form_is_unknown(stat: str) -> None:
    assert counters(stat) == {}


@given(st.text() | st.text("cpu 0123456789\n"))
def test_any_text_gives_counters_or_none(text: str) -> None:
    assert all(value >= 0 for value in counters(text).values())
    assert len(parse_ticks(text)) in (0, 8)


def test_who_works_is_counted() -> None:
    before, worked = read_counters(), time.process_time() + 0.2
    while time.process_time() < worked:
        pass

    assert read_counters()["cpu_busy_ms"] - before["cpu_busy_ms"] >= 100
